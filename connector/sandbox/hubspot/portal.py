"""The schema of an agency's portal: HubSpot's own properties and the custom ones that careCycle's data needs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

PORTAL: Final = 12_345_678
UI_DOMAIN: Final = "app.hubspot.com"
DETAILED: Final = {
    "timeZone": "US/Eastern",
    "companyCurrency": "USD",
    "additionalCurrencies": [],
    "utcOffset": "-05:00",
    "utcOffsetMilliseconds": -18_000_000,
    "uiDomain": UI_DOMAIN,
    "dataHostingLocation": "na1",
    "portalName": "Sandbox",
    "createdAt": 1_704_704_400_000,
}
"""What a portal says of itself besides its number and type."""
TYPE_IDS: Final = {
    "0-1": "contacts",
    "0-2": "companies",
    "0-3": "deals",
    "0-5": "tickets",
    "0-18": "communications",
    "0-27": "tasks",
    "0-46": "notes",
    "0-47": "meetings",
    "0-48": "calls",
    "0-49": "emails",
}


@dataclass(frozen=True, slots=True)
class Property:
    """A property definition."""

    name: str
    type: str = "string"
    field_type: str = "text"
    group: str = "contactinformation"
    label: str = ""
    options: tuple[str, ...] = ()
    unique: bool = False
    read_only: bool = False
    sensitivity: str = "non_sensitive"
    refers_to: str = ""
    required: bool = False


def texts(names: str) -> list[Property]:
    return [Property(name) for name in names.split()]


def _flags(names: str) -> list[Property]:
    return [Property(name, "bool", "booleancheckbox", options=("true", "false")) for name in names.split()]


def choice(name: str, options: str | Iterable[str]) -> Property:
    choices = options.split() if isinstance(options, str) else options
    return Property(name, "enumeration", "select", options=tuple(choices))


OWNER: Final = Property("hubspot_owner_id", "enumeration", "select", refers_to="OWNER")
READ_ONLY: Final = [
    Property("createdate", "datetime", "date", read_only=True),
    Property("lastmodifieddate", "datetime", "date", read_only=True),
    Property("hs_object_id", "number", "number", read_only=True),
    Property("hs_merged_object_ids", "enumeration", "checkbox", read_only=True),
    Property("hs_lastmodifieddate", "datetime", "date", read_only=True),
    Property("hs_unique_creation_key", read_only=True),
]
_STAGES = "subscriber lead marketingqualifiedlead salesqualifiedlead opportunity customer evangelist other"
_STATUSES = "BUSY CALLING_CRM_USER CANCELED COMPLETED CONNECTING FAILED IN_PROGRESS NO_ANSWER QUEUED RINGING"
_MARRIAGE = ("Single", "Married", "Divorced", "Widowed", "Separated", "Domestic Partnership")

CONTACTS: Final = [
    *READ_ONLY,
    *texts("firstname lastname address city state zip country company jobtitle website salutation date_of_birth"),
    Property("email", unique=True),
    Property("hs_additional_emails", "enumeration", "checkbox"),
    Property("phone", field_type="phonenumber"),
    Property("mobilephone", field_type="phonenumber"),
    choice("hs_language", "en es fr"),
    choice("hs_lead_status", "NEW OPEN IN_PROGRESS OPEN_DEAL UNQUALIFIED ATTEMPTED_TO_CONTACT CONNECTED BAD_TIMING"),
    choice("lifecyclestage", _STAGES),
    choice("marital_status", _MARRIAGE),
    OWNER,
    *_flags("do_not_call do_not_text do_not_mail do_not_email"),
    Property("hs_email_optout", "bool", "booleancheckbox", options=("true", "false"), read_only=True),
    Property("annual_household_income", "number", "number"),
    Property("carecycle_id", unique=True),
    Property("carecycle_mbi", sensitivity="sensitive"),
]
CALLS: Final = [
    *READ_ONLY,
    Property("hs_timestamp", "datetime", "date", required=True),
    *texts("hs_call_title hs_call_disposition hs_call_recording_url hs_call_source hs_call_external_id hs_call_app_id"),
    Property("hs_call_body", field_type="html"),
    Property("hs_call_duration", "number", "number"),
    choice("hs_call_direction", "INBOUND OUTBOUND"),
    choice("hs_call_status", _STATUSES),
    Property("hs_call_from_number", field_type="phonenumber"),
    Property("hs_call_to_number", field_type="phonenumber"),
    OWNER,
    Property("carecycle_call_id", unique=True),
]
COMPANIES: Final = [*READ_ONLY, *texts("name domain phone city state"), OWNER]


CUSTOM: Final = frozenset(
    {"do_not_call", "do_not_text", "do_not_mail", "do_not_email", "annual_household_income"}
    | {"carecycle_id", "carecycle_mbi", "carecycle_call_id"}
)
"""The agency's custom properties; all others are HubSpot's."""


def portal(
    *, unique_calls: bool = True, custom: bool = True, more: Mapping[str, list[Property]]
) -> dict[str, dict[str, Property]]:
    """Object -> property name -> definition. unique_calls: whether calls may have a unique property.
    custom: False for a brand-new portal. more: objects besides contacts, calls and companies."""
    calls = [p if unique_calls else replace(p, unique=False) for p in CALLS]
    objects = {"contacts": CONTACTS, "calls": calls, "companies": COMPANIES, **more}
    return {
        name: {p.name: p for p in properties if custom or p.name not in CUSTOM} for name, properties in objects.items()
    }
