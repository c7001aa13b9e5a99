"""What HubSpot's refusals mean, as data, for the agency's administrator.

https://developers.hubspot.com/docs/api-reference/error-handling
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from connector.destinations.base import Verdict
from connector.errors import PauseReason

PATIENCE: Final = 15.0
"""The longest wait within one attempt, in seconds."""


class Trouble(NamedTuple):
    """Why nothing can be written to the account now.

    wait: seconds before the next try within the attempt; None if a retry is pointless. grows: the wait doubles.
    park: seconds until the lane should try again; None leaves it to the lane.
    """

    reason: PauseReason
    problem: str
    wait: float | None = None
    grows: bool = False
    park: float | None = None


_OUTAGE = Trouble(PauseReason.OUTAGE, "HubSpot is not available at the moment", 1, True)
_GATEWAY = Trouble(
    PauseReason.OUTAGE, "HubSpot's own gateway is failing: if this lasts, contact HubSpot support", 1, True
)

TROUBLES: Final[Mapping[int, Trouble]] = {
    0: Trouble(PauseReason.NETWORK, "HubSpot did not answer: check the network route to api.hubapi.com", 1, True),
    401: Trouble(PauseReason.AUTH, "HubSpot rejects the access token: put a valid one in the agency file"),
    403: Trouble(
        PauseReason.PERMISSIONS, "the access token lacks a scope: add it in the app's or key's HubSpot settings"
    ),
    407: Trouble(PauseReason.NETWORK, "a proxy between the connector and HubSpot asks for a login"),
    408: _OUTAGE,
    423: Trouble(PauseReason.LOCKED, "HubSpot keeps the account's records locked", 2),
    425: _OUTAGE,
    429: Trouble(PauseReason.RATE, "HubSpot's limit of requests in ten seconds is used up", 10),
    477: Trouble(PauseReason.MAINTENANCE, "HubSpot is moving this account to another data center", park=3600),
    522: _GATEWAY,
    525: _GATEWAY,
    526: _GATEWAY,
    530: Trouble(PauseReason.AUTH, "HubSpot cannot read the access token: put a valid one in the agency file"),
}
POLICIES: Final[Mapping[str, Trouble]] = {
    "DAILY": Trouble(PauseReason.QUOTA, "the account's daily limit of HubSpot API requests is used up", park=3600),
    "SECONDLY": Trouble(PauseReason.RATE, "HubSpot's limit of requests in a second is used up", 1),
    "TEN_SECONDLY_ROLLING": TROUBLES[429],
}
SERVER: Final = _OUTAGE
REDIRECT: Final = Trouble(
    PauseReason.REPLY, "HubSpot's address answers with a redirect: check `endpoint` and any proxy in between"
)
STRANGE: Final = Trouble(PauseReason.REPLY, "HubSpot rejected the request in a way its API does not describe")
UNREADABLE: Final = Trouble(
    PauseReason.REPLY, "the answer is not HubSpot's: it comes from a proxy or a maintenance page in between", 1, True
)
BLOCKED: Final = Trouble(
    PauseReason.REPLY, "a proxy or firewall blocks the connector's requests to HubSpot: allow them there"
)

FOR_ROWS: Final = frozenset({400, 404, 409, 413, 414, 422})
"""The statuses that concern what was sent, not the account."""

NOT_DONE: Final = frozenset({423, 429})
"""The temporary statuses which guarantee that nothing was written."""


class Problem(NamedTuple):
    """What a code means for one record, and what an administrator can do. `{fields}` are the named properties.

    of_fields: without some of its properties the record may be accepted.
    """

    cause: str
    action: str
    verdict: Verdict = Verdict.REJECTED
    of_fields: bool = False


_LATER = Verdict.DEFERRED
_SUPPORT = "replay; if it happens again, open a case with HubSpot support"
_NUMBERS = "map a number, with `format:` or `table:`, then replay"

PROBLEMS: Final[Mapping[str, Problem]] = {
    "PROPERTY_DOESNT_EXIST": Problem(
        "the portal does not have this property",
        "create the property, or remove it from the mapping, then replay",
        of_fields=True,
    ),
    "READ_ONLY_VALUE": Problem(
        "HubSpot sets {fields} itself", "remove the property from the mapping, then replay", of_fields=True
    ),
    "INVALID_OPTION": Problem(
        "the value is not one of the options of {fields}",
        "add the option in HubSpot, or map the value with a `table:`, then replay",
        of_fields=True,
    ),
    "INVALID_EMAIL": Problem(
        "HubSpot does not accept the email address in {fields}",
        "correct the address in careCycle, which sends a new event",
        of_fields=True,
    ),
    "INVALID_INTEGER": Problem("{fields} accepts whole numbers only", _NUMBERS, of_fields=True),
    "INVALID_LONG": Problem("{fields} accepts numbers only", _NUMBERS, of_fields=True),
    "INVALID_DECIMAL": Problem("{fields} accepts numbers only", _NUMBERS, of_fields=True),
    "INVALID_DATE": Problem(
        "{fields} needs a date, or a time with its offset",
        "correct `format:` in the mapping, then replay",
        of_fields=True,
    ),
    "PROPERTY_VALUE_TOO_LONG": Problem(
        "the text is too long for {fields}",
        "add `cut: true` to the property in the mapping, then replay",
        of_fields=True,
    ),
    "REQUIRED_PROPERTY_MISSING": Problem(
        "HubSpot needs {fields} to create the record", "map the property with a `default:`, then replay"
    ),
    "CONFLICTING_UNIQUE_VALUE": Problem(
        "another record already has this value, and HubSpot allows it once",
        "merge the two records in HubSpot if they are the same; if not, correct the value in careCycle: it is written "
        "once no other record has it",
        of_fields=True,
    ),
    "MISSING_REQUIRED_PROPERTY": Problem(
        "HubSpot's form for new records requires {fields}", "map the property with a `default:`, then replay"
    ),
    "MISSING_CONDITIONAL_REQUIRED_PROPERTY": Problem(
        "a rule of the portal requires {fields} because of another property's value",
        "map the property with a `default:`, or change the rule in HubSpot, then replay",
    ),
    "ADDRESS_HELD": Problem(
        "another contact has this email address, and HubSpot allows an address once",
        "do nothing if two people share the address: it is written once no other contact has it; merge the two "
        "contacts in HubSpot only if they are the same person",
        of_fields=True,
    ),
    "DUPLICATE_ID": Problem(
        "two careCycle records lead to the same HubSpot record",
        "find the two careCycle customers that share a HubSpot record, then replay",
    ),
    "KEY_NOT_UNIQUE": Problem(
        "the mapping's key is not a unique property",
        "create a property with unique values, or set `unique_key: false` in the mapping, then replay",
    ),
    "OBJECT_TYPE_UNKNOWN": Problem(
        "the portal has no object of this name", "correct `object` in the mapping, then replay"
    ),
    "OBJECT_NOT_FOUND": Problem(
        "the record was deleted in HubSpot", "replay: the record is written in full again", _LATER
    ),
    "HTTP_404": Problem("HubSpot has no such object", "correct `object` in the mapping, then replay"),
    "HTTP_413": Problem(
        "the record is too large for HubSpot", "add `cut: true` to long texts in the mapping, then replay"
    ),
    "RATE_LIMITS": Problem(
        "HubSpot's rate limit stopped this record", "replay when fewer programs use the account", _LATER
    ),
    "INTERNAL_ERROR": Problem("HubSpot had an internal error on this record", _SUPPORT, _LATER),
    "SERVICE_UNAVAILABLE": Problem("HubSpot was not available for this record", _SUPPORT, _LATER),
    "TIMEOUT": Problem("HubSpot took too long for this record", _SUPPORT, _LATER),
    "LOCKED": Problem(
        "HubSpot keeps this record locked",
        "look for imports or workflows that keep the record locked, then replay",
        _LATER,
    ),
    "VALUE_IGNORED": Problem(
        "HubSpot accepted the record, but warned about the value of {fields}: it may have ignored it",
        "check the record in HubSpot, and correct the property's rules there or the mapping, then replay",
        _LATER,
    ),
    "UNACCOUNTED": Problem("HubSpot's reply does not say what became of this record", _SUPPORT, _LATER),
    "ASSOCIATION": Problem(
        "the record was written, but HubSpot did not link it",
        "check that the linked record exists and that the account allows this association, then replay",
        _LATER,
    ),
    "UNSUBSCRIBE": Problem(
        "HubSpot did not opt out the email address",
        "opt the address out in HubSpot, or correct it in careCycle: it is retried by itself",
    ),
    "UNSUBSCRIBE_SCOPE": Problem(
        "the access token may not opt email addresses out",
        "add the scope communication_preferences.read_write in the app's or key's HubSpot settings: it is retried by "
        "itself",
    ),
}
OTHER: Final = Problem(
    "HubSpot rejected the record",
    "check the validation rules of its properties in HubSpot, then replay",
    of_fields=True,
)

WHOLE: Final = frozenset({"KEY_NOT_UNIQUE", "OBJECT_TYPE_UNKNOWN", "HTTP_404"})
"""Codes that apply to every row of the request."""
OF_PROPERTY: Final = frozenset({"PROPERTY_DOESNT_EXIST", "READ_ONLY_VALUE"})
"""Codes that apply to every row with the named property, whatever its value."""
OF_VALUE: Final = frozenset(
    {
        "INVALID_DATE",
        "INVALID_DECIMAL",
        "INVALID_EMAIL",
        "INVALID_INTEGER",
        "INVALID_LONG",
        "INVALID_OPTION",
        "PROPERTY_VALUE_TOO_LONG",
    }
)
"""Codes of a value that no record can have in this property."""
