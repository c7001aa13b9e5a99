"""A book of business: customers and their calls in the shape of webhooks, made from their numbers when they are read.

No one is real. The same number is always the same person, so that 50,000 of them take hardly any memory.
"""

from __future__ import annotations

import random
from array import array
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

_FIRST: Final = (
    "Odessa",
    "Marcus",
    "Rosa",
    "Wei",
    "Dolores",
    "Earl",
    "Anh",
    "Fatima",
    "Gus",
    "Ingrid",
    "Jamal",
    "Keiko",
)
_LAST: Final = (
    "Quill",
    "Delacroix",
    "Nguyen",
    "O'Brien",
    "Ramírez",
    "Washington",
    "Kowalski",
    "Begay",
    "Okafor",
    "Castillo",
)
_PLACES: Final = (
    ("Mesa", "Maricopa", "AZ", "85204", "America/Phoenix", "480"),
    ("Las Cruces", "Doña Ana", "NM", "88001", "America/Denver", "575"),
    ("Tampa", "Hillsborough", "FL", "33602", "America/New_York", "813"),
)
_ENDINGS: Final = (
    ("completed", "Enrolled", 247_000),
    ("completed", "Bad Time", 41_000),
    ("no-answer", "Voicemail", 14_000),
)

FIRST_DAY: Final = datetime(2025, 1, 6, 15, tzinfo=UTC)
"""When customer number 0 was created; each later one a minute after the one before."""

Fields = dict[str, Any]


class Book:
    """Customers in the order in which they were created. calls_each: how many calls every third one has."""

    def __init__(self, customers: int = 0, *, calls_each: int = 1) -> None:
        self.order = array("q", range(customers))
        self._next, self._calls_each = customers, calls_each
        self._edits: dict[int, Fields] = {}
        self._calls: dict[int, list[Fields]] = {}

    def __len__(self) -> int:
        return len(self.order)

    def __iter__(self) -> Iterator[Fields]:
        return map(self._customer, self.order)

    def part(self, first: int, last: int) -> list[Fields]:
        """Customers by their places in the order of creation."""
        return [self._customer(number) for number in self.order[first:last]]

    def find(self, id: str) -> Fields | None:
        """One customer, unless there is none."""
        number = _number_of(id)
        return self._customer(number) if number is not None and number in self.order else None

    def add(self, **fields: Any) -> Fields:
        """Create a customer. Without an id among the fields, it gets the next one."""
        number, self._next = self._next, self._next + 1
        self.order.append(number)
        self._edits[number] = fields
        return self._customer(number)

    def change(self, id: str, **fields: Any) -> Fields:
        """Edit a customer; without updatedAt among the fields, a minute after the last time. KeyError if unknown."""
        customer = self.find(id)
        number = _number_of(id)
        if customer is None or number is None:
            raise KeyError(id)
        later = _iso(datetime.fromisoformat(customer["updatedAt"]) + timedelta(minutes=1))
        self._edits[number] = {**self._edits.get(number, {}), "updatedAt": later, **fields}
        return self._customer(number)

    def remove(self, id: str) -> None:
        """Delete a customer. KeyError or ValueError if unknown."""
        self.order.remove(int(id[:8], 16))

    def calls(self, id: str) -> list[Fields]:
        """A customer's calls, the oldest first."""
        number = _number_of(id)
        if number is None or self.find(id) is None:
            return []
        made = range(self._calls_each if number % 3 == 0 else 0)
        return [_call(number, place, self._customer(number)) for place in made] + self._calls.get(number, [])

    def add_call(self, id: str, **fields: Any) -> Fields:
        """A call with a customer. KeyError if unknown."""
        customer, number = self.find(id), _number_of(id)
        if customer is None or number is None:
            raise KeyError(id)
        call = {**_call(number, len(self.calls(id)), customer), **fields}
        self._calls.setdefault(number, []).append(call)
        return call

    def _customer(self, number: int) -> Fields:
        return {**_person(number), **self._edits.get(number, {})}


def _number_of(id: str) -> int | None:
    try:
        return int(id[:8], 16)
    except ValueError:
        return None


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _person(number: int) -> Fields:
    chance = random.Random(number)
    first, last = chance.choice(_FIRST), chance.choice(_LAST)
    city, county, state, postal_code, timezone, area = chance.choice(_PLACES)
    created_at = _iso(FIRST_DAY + timedelta(minutes=number))
    return {
        "id": f"{number:08x}-cafe-4000-8000-000000000000",
        "createdAt": created_at,
        "updatedAt": created_at,
        "externalId": None,
        "status": chance.choice(("Lead", "Active", "Inactive")),
        "firstName": first,
        "middleName": None,
        "lastName": last,
        "phoneNumber": f"+1{area}{2_000_000 + number:07d}",
        "lineType": "mobile",
        "email": f"person.{number}@example.com",
        "dateOfBirth": _iso(datetime(1936, 1, 1, tzinfo=UTC) + timedelta(days=chance.randrange(9000)))[:10],
        "language": "en",
        "gender": None,
        "maritalStatus": None,
        "address": f"{chance.randrange(1, 9999)} Main St",
        "city": city,
        "county": county,
        "state": state,
        "postalCode": postal_code,
        "timezone": timezone,
        "mbiNumber": None,
        "hasMedicaid": chance.random() < 0.2,
        "householdIncome": chance.randrange(12_000, 90_000, 500),
        "agentName": "Priya Raman",
        "agentNpn": "8419302",
        "assignedUser": None,
        "doNotCall": chance.random() < 0.05,
        "doNotSMS": chance.random() < 0.05,
        "doNotEmail": False,
        "doNotMail": False,
        "testCustomer": False,
    }


def _call(number: int, place: int, customer: Fields) -> Fields:
    reason, disposition, duration = _ENDINGS[(number + place) % len(_ENDINGS)]
    ended = datetime.fromisoformat(customer["createdAt"]) + timedelta(days=1 + place)
    return {
        "id": f"{number:08x}-ca11-4000-8000-{place:012x}",
        "createdAt": _iso(ended),
        "phoneNumber": customer["phoneNumber"],
        "callSid": None,
        "direction": "outbound",
        "disposition": disposition,
        "durationMs": duration,
        "startTime": _iso(ended - timedelta(milliseconds=duration)),
        "endTime": _iso(ended),
        "endedReason": reason,
        "summary": f"Sample call number {place + 1}.",
        "transcript": None,
        "campaign": None,
    }
