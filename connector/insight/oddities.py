"""What people are shown of careCycle's odd fields, and of values that no table translates: sentences, never values."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final, TypedDict

from connector.carecycle.catalogue import FLAGS
from connector.carecycle.recognise import SHARED_ID, OddField
from connector.settlement.oddities import Oddity

ODD_FIELD: Final = "ODD_FIELD"
NOT_TRANSLATED: Final = "NOT_TRANSLATED"
_FLAGS: Final = frozenset(f"customer.{flag}" for flag in FLAGS)
_WHOSE: Final = frozenset({"customer", "customer.id"})
_GOES_AWAY: Final = "This entry disappears once that has not happened for as long as payloads are kept."


def in_order(oddities: Sequence[Oddity]) -> list[Oddity]:
    """Sort: first what is not used, and of that the most common."""
    return sorted(oddities, key=lambda oddity: (oddity.used, -oddity.count, oddity.field))


def unused(oddities: Sequence[Oddity]) -> list[Oddity]:
    """List those that cost something: the field counts as absent, or the value is not written."""
    return [oddity for oddity in oddities if not oddity.used]


def hides_an_opt_out(oddity: Oddity) -> bool:
    """Whether an opt-out may be missing: a consent flag is unknown, or whose it is."""
    return oddity.field in _FLAGS | _WHOSE and not oddity.used and not oddity.destination


def what_came(field: OddField) -> str:
    """Say how one event's field came, and what follows.

    >>> what_came(OddField("customer.agentNpn", "text", "a number", used=True))
    'careCycle sent customer.agentNpn as a number; expected text. It is read as text.'
    >>> what_came(OddField("customer.subsidyAmount", "a whole number", "text"))
    'careCycle sent customer.subsidyAmount as text; expected a whole number. The field counts as absent.'
    """
    if field == SHARED_ID:
        return f"careCycle sent it with {field.got}; expected {field.expected}. It is kept as an event of its own."
    return f"careCycle sent {field.path} as {field.got}; expected {field.expected}. {_follows(field)}"


def _follows(field: OddField) -> str:
    if field.is_clock:
        return "The event counts as of when it was received."
    if field.used:
        return f"It is read as {field.expected}."
    if field.path in _FLAGS:
        return "The flag is unknown, so what it guards is withheld."
    return "The field counts as absent."


def code_of(oddity: Oddity) -> str:
    """Return the code that `problems` lists it under."""
    return NOT_TRANSLATED if oddity.destination else ODD_FIELD


def place_of(oddity: Oddity) -> str:
    """Return the destination whose mapping it concerns; else the agency."""
    return oddity.destination or oddity.agency


def what_comes(oddity: Oddity) -> str:
    """Say in a sentence what keeps coming.

    >>> what_comes(Oddity("sunrise", "customer.status", "sunrise/crm", "contact.Status"))
    'Nothing in the mapping translates or formats a value of customer.status for contact.Status.'
    """
    if oddity.destination:
        return f"Nothing in the mapping translates or formats a value of {oddity.field} for {oddity.target}."
    if oddity.field == SHARED_ID.path:
        return f"careCycle sends messages with {oddity.got}; expected {oddity.expected}."
    return f"careCycle sends {oddity.field} as {oddity.got}; expected {oddity.expected}."


def what_to_do(oddity: Oddity) -> str:
    """Say what follows, and what to do about it."""
    if oddity.destination:
        return (
            "The field is not written, and the CRM keeps what it has. Look up the value in careCycle, add it to the "
            "mapping's table (or `else:`), or choose another `format:`, then replay: "
            f"{_replay(oddity)}. A changed mapping starts the count again."
        )
    if oddity.field == SHARED_ID.path:
        return (
            "Each body is kept and delivered as an event of its own, under the message ID with a dot and digits added. "
            f"Report it to careCycle. {_GOES_AWAY}"
        )
    if oddity.used:
        return f"The value is used: it is read as {oddity.expected}. {_GOES_AWAY}"
    if OddField(oddity.field, oddity.expected, oddity.got).is_clock:
        return (
            "The value is written as it is, but these events count as of when they were received: no event of that "
            f"time can keep out what is sent later. A clock at careCycle is wrong: report it to careCycle. {_GOES_AWAY}"
        )
    if hides_an_opt_out(oddity) and oddity.field in _WHOSE:
        return (
            "The customer of these events is unknown, and an opt-out may be missing. Look up these calls in careCycle, "
            f"and report it to careCycle. {_GOES_AWAY}"
        )
    if hides_an_opt_out(oddity):
        return (
            "The flag is unknown in these events: what it guards is withheld, and an opt-out may be missing. Look up "
            f"these customers in careCycle, and report it to careCycle. {_GOES_AWAY}"
        )
    return (
        "The field counts as absent, and the CRM keeps what it has. Report it to careCycle; a newer version of the "
        f"connector that reads it can replay these events. {_GOES_AWAY}"
    )


def _replay(oddity: Oddity) -> str:
    day = datetime.fromtimestamp(oddity.since / 1000, UTC)
    return f"connector events replay --destination {oddity.destination} --state delivered --since {day:%Y-%m-%d}"


class OddityData(TypedDict):
    """An oddity as `problems --json` prints it."""

    destination: str
    code: str
    what: str
    do: str
    count: int
    since: int
    until: int
    message_id: str
    fields: list[str]
    target: str
    used: bool


def as_data(oddity: Oddity) -> OddityData:
    """An oddity as `problems --json` prints it, beside the causes of dead letters."""
    return {
        "destination": place_of(oddity),
        "code": code_of(oddity),
        "what": what_comes(oddity),
        "do": what_to_do(oddity),
        "count": oddity.count,
        "since": oddity.since,
        "until": oddity.until,
        "message_id": oddity.message_id,
        "fields": [oddity.field],
        "target": oddity.target,
        "used": oddity.used,
    }
