"""What people call the fields of an event: the CRM's word, a database's, or the word of another product."""

from __future__ import annotations

import re
from functools import cache
from typing import Final

from connector.carecycle import catalogue

_LONGEST: Final = 80
_GROUPS: Final = ("customer", "call", "campaign")
_WORDS: Final = {
    "birthday": "dateOfBirth",
    "birthdate": "dateOfBirth",
    "dob": "dateOfBirth",
    "zip": "postalCode",
    "zipcode": "postalCode",
    "postcode": "postalCode",
    "postal": "postalCode",
    "phone": "phoneNumber",
    "mobile": "phoneNumber",
    "mobilephone": "phoneNumber",
    "cell": "phoneNumber",
    "cellphone": "phoneNumber",
    "mail": "email",
    "emailaddress": "email",
    "street": "address",
    "street1": "address",
    "address1": "address",
    "addressline1": "address",
    "street2": "address2",
    "addressline2": "address2",
    "town": "city",
    "region": "state",
    "province": "state",
    "surname": "lastName",
    "givenname": "firstName",
    "nickname": "preferredName",
    "sex": "gender",
    "race": "ethnicity",
    "tz": "timezone",
    "mbi": "mbiNumber",
    "medicarenumber": "mbiNumber",
    "income": "householdIncome",
    "agent": "agentName",
    "npn": "agentNpn",
    "owner": "assignedUser.name",
    "owneremail": "assignedUser.email",
    "agentemail": "assignedUser.email",
    "stage": "status",
    "outcome": "disposition",
    "result": "disposition",
    "duration": "durationMs",
    "length": "durationMs",
    "start": "startTime",
    "started": "startTime",
    "date": "startTime",
    "end": "endTime",
    "ended": "endTime",
    "reason": "endedReason",
    "endreason": "endedReason",
    "notes": "summary",
    "description": "summary",
    "recording": "recordingUrl",
    "sid": "callSid",
}
"""Only lowercase letters and digits, as `_plain` leaves them."""


def meant(path: str) -> str:
    """Return the field that somebody means who calls it by this name; empty if that is not certain enough.

    >>> meant("contact.First Name"), meant("customer.zip"), meant("call.outcome"), meant("data.customer.city")
    ('customer.firstName', 'customer.postalCode', 'call.disposition', 'customer.city')
    >>> meant("assigned_user.email"), meant("customer.nonsense"), meant("Zip"), meant("Unknown")
    ('customer.assignedUser.email', '', 'customer.postalCode', '')
    """
    parts = [_plain(part) for part in re.split(r"[./>:]+", path[:_LONGEST]) if _plain(part)]
    if not parts or len(path) >= _LONGEST:
        return ""
    named = next((group for group in _GROUPS if group in {part.rstrip("s") for part in parts[:-1]}), "")
    wanted = [named] if named else [*_GROUPS]
    for tail in dict.fromkeys(("".join(parts[-2:]), parts[-1])):
        for group in wanted:
            if path_of := _known().get((group, _plain(_WORDS.get(tail, tail)))):
                return path_of
    return ""


@cache
def _known() -> dict[tuple[str, str], str]:
    """The fields by their group and name, without dots and capitals."""
    split = ((path.partition("."), path) for path in catalogue.FIELDS)
    return {(group, _plain(name)): path for (group, _, name), path in split if name}


def _plain(word: str) -> str:
    return re.sub(r"[\W_]+", "", word).lower()
