"""careCycle's events: every field, its type, its fixed values and how private it is.

Source: careCycle's "Events & Payloads" page. One vocabulary serves every event: `customer.firstName` is `firstName`
in customer.created and `customer.firstName` in call.completed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache, lru_cache
from typing import Any, Final


class Kind(StrEnum):
    """The type of a field's value, null aside."""

    TEXT = "text"
    UUID = "uuid"
    ENUM = "enum"
    DATE = "date"
    DATETIME = "datetime"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    LIST = "list"
    OBJECT = "object"


class Privacy(StrEnum):
    """The class of a field. It decides what the console masks and what needs a target marked sensitive."""

    IDENTITY = "identity"
    CONTACT = "contact"
    MEDICARE = "medicare"
    FINANCIAL = "financial"
    HEALTH = "health"
    CALL_CONTENT = "call content"
    OPERATIONAL = "operational"


HEALTH_INFORMATION: Final = frozenset({Privacy.MEDICARE, Privacy.HEALTH, Privacy.CALL_CONTENT})
"""Classes sent only to targets marked sensitive, unless the mapping explicitly accepts it."""


@dataclass(frozen=True, slots=True)
class Field:
    """One event field, for example `customer.status`. length: the most characters, if known."""

    path: str
    kind: Kind
    privacy: Privacy
    options: tuple[str, ...] = ()
    about: str = ""
    length: int | None = None


class _Absent:
    """The type of ABSENT: a field the payload does not contain at all, unlike null."""

    def __repr__(self) -> str:
        return "ABSENT"

    def __bool__(self) -> bool:
        return False


ABSENT: Final = _Absent()

FLAGS: Final = ("doNotCall", "doNotSMS", "doNotEmail", "doNotMail")

_LINE_TYPES = [
    "landline",
    "mobile",
    "fixedVoip",
    "nonFixedVoip",
    "personal",
    "tollFree",
    "premium",
    "sharedCost",
    "uan",
    "voicemail",
    "pager",
    "unknown",
]
_T, _U, _E, _D, _DT, _I, _B, _L, _O = Kind
_OPS, _ID, _CON, _MED = Privacy.OPERATIONAL, Privacy.IDENTITY, Privacy.CONTACT, Privacy.MEDICARE
_FIN, _HEA, _CALL = Privacy.FINANCIAL, Privacy.HEALTH, Privacy.CALL_CONTENT


def _enum(path: str, privacy: Privacy, options: list[str], about: str = "") -> Field:
    return Field(path, Kind.ENUM, privacy, tuple(options), about, max(map(len, options)))


_ALL: Final = (
    Field("event.type", _T, _OPS, about="customer.created, customer.updated or call.completed", length=16),
    Field("customer.id", _U, _OPS, about="careCycle customer ID", length=36),
    Field("customer.createdAt", _DT, _OPS, about="when the record was created"),
    Field("customer.updatedAt", _DT, _OPS, about="when the record was last updated"),
    Field("customer.externalId", _T, _OPS, about="your own identifier for the customer"),
    _enum("customer.status", _OPS, ["Lead", "Active", "Inactive"], "lifecycle status"),
    Field("customer.carrierAssignedCustomerId", _T, _MED, about="the carrier's identifier for the customer"),
    Field("customer.testCustomer", _B, _OPS, about="true for test records"),
    Field("customer.firstName", _T, _ID),
    Field("customer.middleName", _T, _ID),
    Field("customer.lastName", _T, _ID),
    Field("customer.salutation", _T, _ID),
    Field("customer.suffix", _T, _ID),
    Field("customer.preferredName", _T, _ID),
    Field("customer.phoneNumber", _T, _CON, about="primary phone number, E.164", length=16),
    _enum("customer.lineType", _OPS, _LINE_TYPES, "the carrier's line type"),
    Field("customer.email", _T, _CON),
    Field("customer.dateOfBirth", _D, _ID, about="a date, not a timestamp"),
    Field("customer.language", _T, _OPS, about="ISO 639-1 code", length=2),
    Field("customer.ethnicity", _T, _ID),
    _enum("customer.gender", _ID, ["Male", "Female", "Non-Binary", "Other", "Prefer Not to Say"]),
    _enum(
        "customer.maritalStatus", _ID, ["Single", "Married", "Divorced", "Widowed", "Separated", "Domestic Partnership"]
    ),
    Field("customer.address", _T, _CON),
    Field("customer.address2", _T, _CON),
    Field("customer.city", _T, _CON),
    Field("customer.county", _T, _CON),
    Field("customer.state", _T, _CON, about="2-letter US abbreviation", length=2),
    Field("customer.postalCode", _T, _CON),
    Field("customer.timezone", _T, _OPS, about="IANA time zone"),
    Field("customer.mbiNumber", _T, _MED, about="Medicare Beneficiary Identifier"),
    Field("customer.medicareCard", _B, _MED),
    Field("customer.medicarePartADate", _D, _MED),
    Field("customer.medicarePartBDate", _D, _MED),
    Field("customer.hasMedicaid", _B, _MED),
    Field("customer.medicaidNumber", _T, _MED),
    Field("customer.socialSecurityDisability", _B, _HEA),
    Field("customer.veteran", _B, _HEA),
    Field("customer.vaNumber", _T, _MED),
    Field("customer.householdIncome", _I, _FIN, about="whole US dollars"),
    Field("customer.annualIncome", _I, _FIN, about="whole US dollars"),
    Field("customer.filingStatus", _T, _FIN),
    Field("customer.dependentCount", _I, _FIN),
    Field("customer.subsidyEligible", _B, _FIN),
    Field("customer.subsidyAmount", _I, _FIN, about="whole US dollars a month"),
    Field("customer.agentName", _T, _OPS),
    Field("customer.agentNpn", _T, _OPS),
    Field("customer.assignedUser", _O, _OPS, about="the careCycle member assigned, or null"),
    Field("customer.assignedUser.id", _U, _OPS, length=36),
    Field("customer.assignedUser.name", _T, _OPS),
    Field("customer.assignedUser.email", _T, _OPS),
    Field("customer.assignedUser.npn", _T, _OPS),
    Field("customer.assignedUser.role", _T, _OPS),
    Field("customer.assignedUser.licensedStates", _L, _OPS, about="2-letter US state codes"),
    *(Field(f"customer.{flag}", _B, _OPS, about="contact suppression flag: must be respected") for flag in FLAGS),
    Field("customer", _O, _OPS, about="the customer; null if the call is not linked to one"),
    Field("call.id", _U, _OPS, about="careCycle call ID", length=36),
    Field("call.createdAt", _DT, _OPS),
    Field("call.phoneNumber", _T, _CON, about="the customer's phone number, E.164", length=16),
    Field("call.callSid", _T, _OPS),
    _enum("call.direction", _OPS, ["inbound", "outbound"]),
    Field("call.disposition", _T, _OPS, about="final outcome, free text"),
    Field("call.durationMs", _I, _OPS, about="milliseconds"),
    Field("call.startTime", _DT, _OPS),
    Field("call.endTime", _DT, _OPS),
    Field("call.endedReason", _T, _OPS, about="why the call ended, free text: completed, no-answer, busy, ..."),
    Field("call.summary", _T, _CALL, about="AI-generated summary"),
    Field("call.transcript", _T, _CALL, about="full transcript"),
    Field("call.recordingUrl", _T, _CALL, about="the recording; from careCycle's API, after the call"),
    Field("campaign", _O, _OPS, about="the campaign the call belonged to, or null"),
    Field("campaign.id", _U, _OPS, length=36),
    Field("campaign.name", _T, _OPS),
    Field("campaign.slug", _T, _OPS),
    Field("campaign.description", _T, _OPS),
    Field("campaign.status", _T, _OPS),
    Field("campaign.vertical", _T, _OPS),
    Field("campaign.suite", _T, _OPS),
    Field("campaign.direction", _T, _OPS),
    Field("campaign.kind", _T, _OPS),
    Field("campaign.tags", _L, _OPS),
    Field("campaign.startDate", _DT, _OPS),
    Field("campaign.endDate", _DT, _OPS),
)
FIELDS: Final[Mapping[str, Field]] = {field.path: field for field in _ALL}

# Where each event keeps the parts of the vocabulary: () is the payload itself.
_PLACES: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "customer.created": {"customer": ()},
    "customer.updated": {"customer": ()},
    "call.completed": {"call": (), "campaign": ("campaign",), "customer": ("customer",)},
}
EVENTS: Final = tuple(_PLACES)

Reader = Callable[[Mapping[str, Any]], Any]
"""payload -> the field's value; None if careCycle has none, ABSENT if the payload does not contain it."""


def carried_by(path: str) -> frozenset[str]:
    """List the event types whose payload has this field."""
    head = path.split(".", 1)[0]
    if head == "event":
        return frozenset(EVENTS)
    return frozenset(event for event, places in _PLACES.items() if head in places)


@cache
def steps(path: str, event_type: str) -> tuple[str, ...]:
    """Return the keys that lead to a field in an event's payload; KeyError if the event does not carry it."""
    if path == "event.type":
        return ("event_type",)
    head, _, rest = path.partition(".")
    return (*_PLACES[event_type][head], *(rest.split(".") if rest else ()))


@cache
def reader(path: str, event_type: str) -> Reader:
    """Compile a reader of one field. If an object around it is null, it reads as null."""
    match steps(path, event_type):
        case ():
            return lambda payload: payload
        case (key,):
            return lambda payload: payload.get(key, ABSENT)
        case keys:
            return lambda payload: walk(payload, keys)


def walk(value: Any, keys: tuple[str, ...]) -> Any:
    """Follow keys into nested objects: None if an object on the way is null, ABSENT if a key is missing."""
    for key in keys:
        if not isinstance(value, Mapping):
            return None if value is None else ABSENT
        value = value.get(key, ABSENT)
    return value


def unknown_fields(payload: Mapping[str, Any], event_type: str) -> dict[str, Any]:
    """Return what a payload contains beyond the catalogue: place in the payload -> value."""
    if event_type not in _PLACES:
        return dict(payload)
    known = {steps(path, event_type): field.kind for path, field in FIELDS.items() if event_type in carried_by(path)}
    return dict(_unknown_in(payload, (), known))


def _unknown_in(
    part: Mapping[str, Any], outer: tuple[str, ...], known: Mapping[tuple[str, ...], Kind]
) -> Iterator[tuple[str, Any]]:
    for name, value in part.items():
        keys = (*outer, name)
        if keys not in known:
            yield ".".join(keys), value
        elif known[keys] is Kind.OBJECT and isinstance(value, Mapping):
            yield from _unknown_in(value, keys, known)


_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:?\d\d)\Z")


def parse_time(text: str) -> datetime:
    """Parse an ISO 8601 timestamp with an offset; ValueError for anything else."""
    if not _TIME.match(text):
        raise ValueError("not an ISO 8601 timestamp with an offset")
    return datetime.fromisoformat(text)


@lru_cache(maxsize=128)  # the times of one event are asked for several times
def epoch_ms(text: str) -> int:
    """Convert an ISO 8601 timestamp to whole milliseconds since 1970 UTC."""
    moment = parse_time(text)
    return round(moment.timestamp() * 1000)
