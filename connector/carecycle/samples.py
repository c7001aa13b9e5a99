"""Make sample people and traffic as careCycle would send them. No one is real; the same seed gives the same people."""

from __future__ import annotations

import itertools
import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

_FIRST: Final = (
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
    "Lupe",
    "Moses",
    "Nadia",
    "Otis",
    "Pearl",
)
_LAST: Final = (
    "Delacroix",
    "Nguyen",
    "O'Brien",
    "Ramírez",
    "Washington",
    "Kowalski",
    "Begay",
    "Okafor",
    "Smith-Jones",
    "Yamamoto",
    "Castillo",
)
_STREETS: Final = ("Westbrook Ave", "E Camelback Rd", "Cactus Wren Ln", "Main St", "Avenida del Sol", "County Road 12")
_PLACES: Final = (
    ("Mesa", "Maricopa", "AZ", "85204", "America/Phoenix", "480"),
    ("Las Cruces", "Doña Ana", "NM", "88001", "America/Denver", "575"),
    ("El Paso", "El Paso", "TX", "79901", "America/Denver", "915"),
    ("Tampa", "Hillsborough", "FL", "33602", "America/New_York", "813"),
    ("Boston", "Suffolk", "MA", "02134", "America/New_York", "617"),
)
_AGENTS: Final = (("Priya Raman", "priya@youragency.com", "8419302"), ("Tom Alvarez", "tom@youragency.com", "7719204"))
_GENDERS: Final = ("Male", "Female", "Non-Binary", "Other", "Prefer Not to Say")
_MARITAL: Final = ("Single", "Married", "Divorced", "Widowed", "Separated", "Domestic Partnership")
_ENDINGS: Final = (
    ("completed", "Enrolled", 247_000),
    ("completed", "Callback", 95_000),
    ("completed", "Not Interested", 41_000),
    ("no-answer", "No Answer", 0),
    ("busy", "Busy", 0),
    ("failed", "Failed", 0),
)
_OLDEST: Final = datetime(1936, 1, 1, tzinfo=UTC)
_FLAGS: Final = ("doNotCall", "doNotSMS", "doNotEmail", "doNotMail")


@dataclass(frozen=True, slots=True)
class Message:
    """One message to send. note: what it demonstrates."""

    message_id: str
    payload: dict[str, Any]
    note: str


class Samples:
    """Makes people and their events from a seeded random source and a starting time."""

    def __init__(self, chance: random.Random, start: datetime) -> None:
        self._chance, self._now = chance, start

    def _uuid(self) -> str:
        return str(uuid.UUID(int=self._chance.getrandbits(128), version=4))

    def _later(self, seconds: float) -> datetime:
        self._now += timedelta(seconds=seconds)
        return self._now

    def message(self, payload: dict[str, Any], note: str) -> Message:
        """Make a message with an id of its own."""
        return Message(f"msg_{self._chance.getrandbits(96):024x}", payload, note)

    def person(self) -> dict[str, Any]:
        """Make a customer with every field careCycle has, without an event type."""
        pick, chance = self._chance.choice, self._chance.random
        first, last = pick(_FIRST), pick(_LAST)
        city, county, state, postal_code, timezone, area = pick(_PLACES)
        identity = self._uuid()
        number = self._chance.randrange(200_0000, 999_9999)
        local = "".join(letter for letter in f"{first}.{last}".lower() if letter.isascii() and letter not in "'")
        created_at = _iso(self._later(self._chance.uniform(1, 600)))
        return {
            "id": identity,
            "createdAt": created_at,
            "updatedAt": created_at,
            "externalId": f"CRM-{self._chance.randrange(10_000, 99_999)}" if chance() < 0.3 else None,
            "status": "Lead",
            "firstName": first,
            "middleName": None,
            "lastName": last,
            "salutation": None,
            "suffix": "Jr." if chance() < 0.1 else None,
            "preferredName": None,
            "phoneNumber": f"+1{area}{number:07d}",
            "lineType": pick(("mobile", "mobile", "landline", "fixedVoip", "unknown")),
            "email": f"{local}.{identity[:4]}@example.com" if chance() < 0.9 else None,
            "dateOfBirth": _iso(_OLDEST + timedelta(days=self._chance.randrange(9000)))[:10],
            "language": pick(("en", "en", "en", "es", "vi")),
            "ethnicity": None,
            "gender": pick(_GENDERS),
            "maritalStatus": pick(_MARITAL),
            "address": f"{self._chance.randrange(100, 9999)} {pick(_STREETS)}",
            "address2": f"Apt {self._chance.randrange(1, 40)}B" if chance() < 0.3 else None,
            "city": city,
            "county": county,
            "state": state,
            "postalCode": postal_code,
            "timezone": timezone,
            **self._coverage(),
            "assignedUser": self._agent(state) if chance() < 0.8 else None,
            **dict.fromkeys(_FLAGS, False),
            "testCustomer": False,
        }

    def _agent(self, state: str) -> dict[str, Any]:
        name, email, npn = self._chance.choice(_AGENTS)
        person = {"id": self._uuid(), "name": name, "email": email, "npn": npn}
        return {**person, "role": "agent", "licensedStates": [state]}

    def _coverage(self) -> dict[str, Any]:
        income = self._chance.randrange(12, 90) * 1000
        return {
            "mbiNumber": f"1EG4TE5MK{self._chance.randrange(10, 99)}",
            "medicareCard": True,
            "medicarePartADate": "2023-05-01",
            "medicarePartBDate": "2023-05-01",
            "hasMedicaid": False,
            "medicaidNumber": None,
            "socialSecurityDisability": False,
            "veteran": self._chance.random() < 0.2,
            "vaNumber": None,
            "householdIncome": income,
            "annualIncome": income,
            "filingStatus": "married_joint",
            "dependentCount": 0,
            "subsidyEligible": income < 50_000,
            "subsidyAmount": 148 if income < 50_000 else None,
            "carrierAssignedCustomerId": None,
            "agentName": None,
            "agentNpn": None,
        }

    def created(self, person: dict[str, Any]) -> dict[str, Any]:
        """Make a customer.created payload."""
        return {"event_type": "customer.created", **person}

    def updated(self, person: dict[str, Any], **changes: Any) -> dict[str, Any]:
        """Make a customer.updated payload, a little later; this changes the person too."""
        person.update(changes, updatedAt=_iso(self._later(self._chance.uniform(30, 900))))
        return {"event_type": "customer.updated", **person}

    def call(self, person: dict[str, Any] | None, ending: int | None = None) -> dict[str, Any]:
        """Make a call.completed payload; without a person, a call that is not linked to a customer."""
        reason, disposition, duration = _ENDINGS[ending] if ending is not None else self._chance.choice(_ENDINGS)
        start = self._later(self._chance.uniform(30, 900))
        end = self._later(duration / 1000)
        return {
            "event_type": "call.completed",
            "id": self._uuid(),
            "createdAt": _iso(self._later(1)),
            "phoneNumber": person["phoneNumber"] if person else "+16025550147",
            "callSid": self._uuid(),
            "direction": self._chance.choice(("inbound", "outbound")),
            "disposition": disposition,
            "durationMs": duration,
            "startTime": _iso(start),
            "endTime": _iso(end),
            "endedReason": reason,
            "summary": "Caller asked about plans and prescriptions." if duration else None,
            "transcript": "Agent: Thanks for calling.\nCaller: Hi, I have a question." if duration else None,
            "campaign": self._campaign() if self._chance.random() < 0.8 else None,
            "customer": dict(person) if person else None,
        }

    def _campaign(self) -> dict[str, Any]:
        return {
            "id": "4f952597-5c04-4d2c-851e-30f518e2c761",
            "name": "MA Inbound Receptionist",
            "slug": None,
            "description": None,
            "status": "active",
            "vertical": "medicare",
            "suite": "receptionist",
            "direction": "inbound",
            "kind": "voice_ai",
            "tags": [],
            "startDate": "2026-03-06T00:11:35.256Z",
            "endDate": None,
        }

    def traffic(self, count: int) -> Iterator[Message]:
        """Make `count` messages over a few days: every kind of event, including awkward ones, each with a note."""
        return itertools.islice(itertools.chain.from_iterable(map(self._visit, itertools.count())), count)

    def _visit(self, number: int) -> Iterator[Message]:
        """Make one person's events: created, called, and perhaps changed, opted out, sent twice or late."""

        def every(turns: int, turn: int = 0) -> bool:
            return number % turns == turn

        person = self.person()
        if every(20, 7):
            person["testCustomer"] = True
            yield self.message(self.created(person), "test customer")
            return
        created = self.message(self.created(person), "created")
        if not every(5, 3):  # the others came by bulk import, which careCycle does not announce
            yield created
        if every(7, 1):
            yield Message(created.message_id, created.payload, "sent twice")
        if every(3):
            yield self.message(self.updated(person, status="Active"), "updated")
        if every(4, 2):
            flag = _FLAGS[number // 4 % len(_FLAGS)]
            yield self.message(self.updated(person, **{flag: True}), f"opt-out: {flag}")
        call = self.call(person, number % len(_ENDINGS))
        yield self.message(call, f"call: {call['endedReason']}")
        if every(8, 5):
            yield from self._late(person)
        if every(10, 4):
            yield self.message(self.call(None), "call without a customer")
        if every(9, 6):
            yield self.message({**self.updated(person), "loyaltyTier": "gold"}, "unknown extra field")

    def _late(self, person: dict[str, Any]) -> Iterator[Message]:
        older = self.updated(person, city="Yuma")
        newer = self.updated(person, city="Flagstaff")
        yield self.message(newer, "updated")
        yield self.message(older, "late, older than the previous event")


def sample(event_type: str, chance: random.Random, now: datetime) -> dict[str, Any]:
    """Make one payload of an event type. KeyError for a type careCycle does not send."""
    samples = Samples(chance, now)
    makers = {
        "customer.created": samples.created,
        "customer.updated": samples.updated,
        "call.completed": samples.call,
    }
    return makers[event_type](samples.person())


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
