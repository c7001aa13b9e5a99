"""Read a payload field by field: what can be read is used, what cannot is left out and reported by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Final

from connector.carecycle.catalogue import (
    ABSENT,
    EVENTS,
    FIELDS,
    FLAGS,
    Field,
    carried_by,
    epoch_ms,
    reader,
    steps,
    walk,
)
from connector.carecycle.coercions import COERCIONS
from connector.carecycle.kinds import EXPECTED, WORD, is_plain, json_type
from connector.errors import UnreadableEvent
from connector.model import Event

_DAY: Final = 86_400_000
_EARLIEST: Final = 946_684_800_000
"""2000-01-01. Before it lie only what programs have for no time at all: 1970-01-01, and the year 1."""
_AHEAD: Final = ("a time that has come", "one more than a day ahead")
_BEFORE_ALL: Final = ("a time since the year 2000", "an earlier one")
_CLOCKS: Final = {
    "customer.created": ("customer.updatedAt", "customer.createdAt"),
    "customer.updated": ("customer.updatedAt",),
    "call.completed": ("call.createdAt", "call.endTime", "call.startTime"),
}
"""What says when that was true which an event says."""


def credible(at: int, received_at: int) -> int:
    """The time of what was said (epoch ms); when it was received, where it gives none that can be believed.

    A time that is far ahead would keep out whatever is sent until then.

    >>> credible(1_790_000_000_000, 1_790_000_000_500), credible(4_102_444_800_000, 1_790_000_000_500)
    (1790000000000, 1790000000500)
    """
    return at if _EARLIEST <= at <= received_at + _DAY else received_at


@dataclass(frozen=True, slots=True)
class OddField:
    """A field that is not of the type careCycle documents. got: the JSON type that came, never the value.

    used: its value plainly means one of the expected type, and is used. Otherwise the field counts as absent.
    """

    path: str
    expected: str
    got: str
    used: bool = False

    @property
    def is_clock(self) -> bool:
        """Whether it is a time that was read, and does not count as the time of the event."""
        return (self.expected, self.got) in (_AHEAD, _BEFORE_ALL)

    def __str__(self) -> str:
        return f"{self.path}: expected {self.expected}, got {self.got}"


SHARED_ID: Final = OddField("message ID", "an ID of its own", "the ID of another body", used=True)
"""Of a message that is kept apart from the one whose ID it has."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What can be read of an event.

    payload: as sent, with harmless differences of type evened out and unreadable fields left out.
    source_time: epoch ms; None when the event does not say when it happened.
    raised: the consent flags its customer says true of.
    odd: in the order of the catalogue. call_id: None for the events that are of no call.
    """

    type: str
    customer_id: str | None
    source_time: int | None
    raised: frozenset[str]
    payload: Mapping[str, Any]
    odd: tuple[OddField, ...] = ()
    call_id: str | None = None

    @property
    def created(self) -> int | None:
        """When its customer or call was created, in epoch ms, if it says so."""
        time = self.payload.get("createdAt")
        return epoch_ms(time) if isinstance(time, str) else None

    @property
    def unread(self) -> tuple[OddField, ...]:
        """The odd fields that count as absent."""
        return tuple(field for field in self.odd if not field.used)

    @property
    def customer_lost(self) -> bool:
        """Whether there is a customer that could not be read."""
        return any(field.path == "customer" for field in self.unread)

    def wrong_clocks(self, now: int) -> tuple[OddField, ...]:
        """The times that do not count, because no event can be of then. now: epoch ms."""
        paths = dict.fromkeys(("customer.updatedAt", *_CLOCKS[self.type]))
        times = ((path, reader(path, self.type)(self.payload)) for path in paths)
        read = [(path, epoch_ms(time)) for path, time in times if isinstance(time, str)]
        return tuple(
            OddField(path, *(_AHEAD if at > now else _BEFORE_ALL)) for path, at in read if credible(at, now) != at
        )

    def event(self, agency: str, message_id: str, received_at: int) -> Event:
        """The event as mappings see it. received_at: epoch ms, used if the event gives no time of its own."""
        time = received_at if self.source_time is None else credible(self.source_time, received_at)
        return Event(agency, message_id, self.type, self.customer_id, time, received_at, self.payload)


def read(payload: Any, message: str) -> Reading | None:
    """Read a decoded body; None for an event type we do not know.

    Raises UnreadableEvent where it is no JSON object, or has no type or no id. message: how the error names it.
    """
    if not isinstance(payload, Mapping):
        raise UnreadableEvent(message, "the body is not a JSON object")
    event_type = payload.get("event_type")
    if not isinstance(event_type, str) or not WORD.match(event_type):
        raise UnreadableEvent(message, "event_type is missing or malformed")
    if event_type not in EVENTS:
        return None
    readable, odd = _readable(payload, event_type)
    of_call = event_type == "call.completed"
    own = "call.id" if of_call else "customer.id"
    own_id = reader(own, event_type)(readable)
    if not own_id:
        raise UnreadableEvent(message, f"{own} is missing or not an id")
    return Reading(
        type=event_type,
        customer_id=reader("customer.id", event_type)(readable) or None,
        source_time=_source_time(readable, event_type),
        raised=_raised(reader("customer", event_type)(readable)),
        payload=readable,
        odd=odd + _without_id(reader("customer", event_type)(readable), odd),
        call_id=own_id if of_call else None,
    )


def as_read(event: Event) -> Event | None:
    """A stored event as this version reads it, whatever the version that accepted it could read.

    None for an event type we do not know. Raises UnreadableEvent.
    """
    if event.unopened:
        raise UnreadableEvent(event.message_id, "its content cannot be decrypted")
    reading = read(event.payload, event.message_id)
    if reading is None:
        return None
    if event.fetched:  # it has no later time than it was given
        return replace(event, type=reading.type, customer_id=reading.customer_id, payload=reading.payload)
    read_again = reading.event(event.agency, event.message_id, event.received_at)
    return replace(read_again, again=event.again) if event.again else read_again


def _without_id(customer: Any, odd: tuple[OddField, ...]) -> tuple[OddField, ...]:
    """Return the id that a customer does not have, unless it is among the odd fields already."""
    identity = FIELDS["customer.id"]
    is_nobody = isinstance(customer, Mapping) and customer and not customer.get("id")
    if not is_nobody or any(field.path == identity.path for field in odd):
        return ()
    return (OddField(identity.path, EXPECTED[identity.kind], "nothing"),)


def _raised(customer: Any) -> frozenset[str]:
    return frozenset(flag for flag in FLAGS if isinstance(customer, Mapping) and customer.get(flag) is True)


def _source_time(payload: Mapping[str, Any], event_type: str) -> int | None:
    """When what the event says was true: of a call its end, of a customer its last update.

    An update that does not say when it was made is not as old as its customer's creation: it has no time.
    """
    times = (reader(path, event_type)(payload) for path in _CLOCKS[event_type])
    return next((at for time in times if time and (at := epoch_ms(time)) >= _EARLIEST), None)


def _readable(payload: Mapping[str, Any], event_type: str) -> tuple[Mapping[str, Any], tuple[OddField, ...]]:
    """The payload with every field as the catalogue has it, and the fields that were not."""
    readable, odd = payload, []
    for keys, fields in _fields_by_holder(event_type).items():
        for name, field in _odd_fields(walk(readable, keys), fields):
            value = walk(readable, (*keys, name))
            better = COERCIONS[field.kind](value, field)
            readable = _with(readable, keys, name, ABSENT if better is None else better)
            if better != value and not (field.options and isinstance(value, str)):
                got = json_type(value, field.kind)
                odd.append(OddField(field.path, EXPECTED[field.kind], got, used=better is not None))
    return readable, tuple(sorted(odd, key=lambda field: _ORDER[field.path]))


_ORDER: Final = {path: number for number, path in enumerate(FIELDS)}
_Checked = Mapping[str, tuple[Field, Callable[[Any], bool]]]
"""Name of a field -> the field, and the test that its value is as the catalogue has it."""


def _odd_fields(holder: Any, fields: _Checked) -> list[tuple[str, Field]]:
    if not isinstance(holder, Mapping):
        return []
    return [
        (name, fields[name][0])
        for name, value in holder.items()
        if value is not None and name in fields and not fields[name][1](value)
    ]


def _with(payload: Mapping[str, Any], keys: tuple[str, ...], name: str, value: Any) -> dict[str, Any]:
    """A copy in which one field of the object below these keys is another, or gone where it is ABSENT."""
    if keys:
        return {**payload, keys[0]: _with(payload[keys[0]], keys[1:], name, value)}
    rest = {other: there for other, there in payload.items() if other != name}
    return rest if value is ABSENT else {**rest, name: value}


@cache
def _fields_by_holder(event_type: str) -> Mapping[tuple[str, ...], _Checked]:
    """The fields of a payload by the object that holds them, outer objects first."""
    held: dict[tuple[str, ...], dict[str, tuple[Field, Callable[[Any], bool]]]] = {}
    for field in FIELDS.values():
        keys = steps(field.path, event_type) if event_type in carried_by(field.path) else ()
        if keys:
            held.setdefault(keys[:-1], {})[keys[-1]] = (field, is_plain(field))
    return dict(sorted(held.items(), key=lambda item: len(item[0])))
