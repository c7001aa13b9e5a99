"""Consent, row by row: every flag, every order of events, into both CRMs over HTTP, whatever goes wrong on the way.

Each row is a customer of its own. The customers of one world live through the same trouble at the same time, in a real
store and a real sandbox; then each row is compared with what the CRM holds of its customer.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import pytest

from connector.carecycle.catalogue import FLAGS
from connector.delivery.route import Pace, Route, Running
from connector.delivery.turn import deliver
from connector.destinations.base import Destination, Outcome, Row
from connector.mapping import Mapping
from connector.receive import read
from connector.sandbox.hubspot.faults import HubSpotFaults
from connector.sandbox.hubspot.limits import Tier
from connector.store import Store
from connector.store.desk import Filter
from tests.builders import a_customer
from tests.conftest import Clock
from tests.destinations import hubspot_fixtures, salesforce_fixtures
from tests.promises.crm import Killed
from tests.promises.stage import AGENCY, DESTINATION, HOLD, HOUR, LANE, ZONE, compiled, minute, open_stage

SAYS: Final = {"raised": True, "lowered": False, "silent": None}
TROUBLES: Final = ("none", "refused", "throttled", "killed")
POINTS: Final = {"doNotCall": "phone", "doNotEmail": "email", "doNotSMS": "mobile", "doNotMail": "street"}
"""flag -> the contact point it withholds."""

NAMES: Final = {
    "salesforce": {
        "object": "Contact", "key": "careCycle_Id__c",
        "doNotCall": "DoNotCall", "doNotEmail": "HasOptedOutOfEmail",
        "doNotSMS": "Do_Not_Text__c", "doNotMail": "Do_Not_Mail__c",
        "phone": "Phone", "email": "Email", "mobile": "MobilePhone", "street": "MailingStreet",
    },
    "hubspot": {
        "object": "contacts", "key": "carecycle_id",
        "doNotCall": "do_not_call", "doNotEmail": "do_not_email", "doNotSMS": "do_not_text", "doNotMail": "do_not_mail",
        "phone": "phone", "email": "email", "mobile": "mobilephone", "street": "address",
    },
}  # fmt: skip
_MAPPING: Final = """\
version: 1
crm: {crm}
extends: {shipped}
consent:
  withhold: {{ {withhold} }}
  withheld: {withheld}
records: {{ contact: {{ also_match: [], {suffix} }} }}
"""
_REFUSABLE: Final = {
    "salesforce": "fields: { Suffix: customer.suffix }",
    "hubspot": "fields: { hs_language: customer.suffix }",
}
_MENDED: Final = {"salesforce": "remove: [Suffix]", "hubspot": "fields: {}"}
"""Where the suffix goes: into a field that refuses it when it is too long, or not offered; and nowhere."""

Story = tuple[tuple[str, int], ...]
"""What a customer's events say, in the order they arrive: (word of SAYS, source time)."""

STORIES: Final[list[Story]] = [
    tuple((said[place], place + 1) for place in order)
    for count in (2, 3)
    for said in itertools.permutations(SAYS, count)
    for order in itertools.permutations(range(count))
]
CUSTOMERS: Final = {f"{flag}-{number}": (flag, story) for flag in FLAGS for number, story in enumerate(STORIES)}


def told(customer: str) -> str:
    flag, story = CUSTOMERS[customer]
    return f"{flag} " + " then ".join(f"{said}@{at}" for said, at in story)


def mapping(crm: str, withheld: str, suffix: str) -> Mapping:
    names = NAMES[crm]
    withhold = ", ".join(f"{flag}: [contact.{names[point]}]" for flag, point in POINTS.items())
    shipped = "hubspot" if crm == "hubspot" else "salesforce-contact"
    return compiled(_MAPPING.format(crm=crm, shipped=shipped, withhold=withhold, withheld=withheld, suffix=suffix))


def points(customer: str, at: int) -> dict[str, str]:
    """The contact points the event of this source time holds."""
    number = f"+1312847{1000 + at}"
    return {"phone": number, "mobile": number, "email": f"{customer.lower()}.{at}@example.com", "street": f"{at} Elm"}


def event(customer: str, place: int, trouble: str) -> dict[str, Any]:
    flag, story = CUSTOMERS[customer]
    said, at = story[place]
    held = points(customer, at)
    refused = "x" * 300 if trouble == "refused" and said == "raised" else None
    return a_customer(
        id=customer,
        updatedAt=minute(at),
        phoneNumber=held["phone"],
        email=held["email"],
        address=held["street"],
        suffix=refused,
        **{flag: SAYS[said]},
    )


@dataclass
class Dying:
    """A destination whose worker's process ends once the CRM has written."""

    real: Destination

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    def write(self, rows: Sequence[Row]) -> list[Outcome]:
        self.real.write(rows)
        raise Killed


@dataclass
class World:
    """One store, one sandbox, one trouble. before, after: what the CRM holds around the mending of dead letters."""

    crm: str
    trouble: str
    withheld: str
    store: Store
    clock: Clock
    sandbox: Any
    route: Route
    before: dict[str, dict[str, Any]] = field(default_factory=dict)
    after: dict[str, dict[str, Any]] = field(default_factory=dict)

    def live(self) -> None:
        for place in range(3):
            living = [one for one, (_, story) in CUSTOMERS.items() if place < len(story)]
            messages = {f"{one}-{place}": event(one, place, self.trouble) for one in living}
            self.store.inbox.accept(
                [read(AGENCY, name, json.dumps(body).encode(), self.clock()) for name, body in messages.items()]
            )
            self.suffer()
            self.drain()
        self.before = self.held()
        self.route.running = Running(mapping(self.crm, self.withheld, _MENDED[self.crm]))
        self.store.desk.replay(Filter(), "ana")
        self.drain()
        self.after = self.held()
        assert self.store.desk.states(0).keys() <= {"delivered", "superseded"}

    def suffer(self) -> None:
        if self.trouble == "killed":
            dying: Any = Dying(self.route.destination)
            with pytest.raises(Killed):
                self.deliver(replace(self.route, destination=dying))
            self.clock.forward(HOLD + 1)
        elif self.trouble == "throttled":
            busy = HubSpotFaults.rate_limited() if self.crm == "hubspot" else None
            self.sandbox.fault("/crm/", busy, times=9) if busy else self.sandbox.limit_403("concurrent", times=9)
            self.drain()
            assert self.store.desk.waiting(), "nothing was throttled"
            self.sandbox.faults.clear()
            self.clock.forward(HOUR)

    def deliver(self, route: Route) -> bool:
        lease = self.store.lanes.lease("worker", [LANE], HOLD)
        if lease is None:
            return False
        pace = Pace(400, HOLD, roll=lambda: 0.5)
        deliver(self.store, route, lease, pace)
        self.store.lanes.release(lease)
        return True

    def drain(self) -> None:
        while self.deliver(self.route):
            continue

    def held(self) -> dict[str, dict[str, Any]]:
        """Every customer's record, by the names of this page; True where a flag is up."""
        names = NAMES[self.crm]
        found = {}
        for record in self.sandbox.records(names["object"]):
            customer = record[names["key"]]
            assert customer not in found, "a twin"
            up = {flag: str(record.get(names[flag])).lower() == "true" for flag in FLAGS}
            found[customer] = up | {point: record.get(names[point]) or None for point in POINTS.values()}
        return found


@contextmanager
def open_world(address: str, crm: str, trouble: str, withheld: str) -> Iterator[World]:
    fixtures: Any = hubspot_fixtures if crm == "hubspot" else salesforce_fixtures
    roomy = {"tier": Tier(burst=2_000)} if crm == "hubspot" else {}  # each address is opted out by a call of its own
    clock = Clock()
    with open_stage(address, clock) as stage, fixtures.sandbox_and_destination(**roomy) as (sandbox, destination):
        route = Route(DESTINATION, destination, Running(mapping(crm, withheld, _REFUSABLE[crm])), ZONE)
        yield World(crm, trouble, withheld, stage.store, clock, sandbox, route)


WORLDS: Final = list(itertools.product(NAMES, TROUBLES, ("leave", "clear")))


@pytest.fixture(scope="module", params=WORLDS, ids=" ".join)
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder: Path = tmp_path_factory.mktemp("world")
    with open_world(f"sqlite:///{folder}/connector.db", *request.param) as world:
        world.live()
        yield world


class TestConsent:
    def test_is_kept_for_every_flag_and_order_of_events(self, world: World) -> None:
        """3,072 rows in all: 192 customers in each of 16 worlds."""
        failed = [f"{told(customer)}: {fault}" for customer in CUSTOMERS for fault in faults(world, customer)]
        assert failed == []


def faults(world: World, customer: str) -> Iterator[str]:
    """What the CRM holds of this customer and should not, before and after dead letters were replayed."""
    flag, story = CUSTOMERS[customer]
    wanted = {one: one == flag and any(said == "raised" for said, _ in story) for one in FLAGS}
    for when, held in (("before", world.before[customer]), ("after", world.after[customer])):
        if {one: held[one] for one in FLAGS} != wanted:
            yield f"the flags {when} the replay"
    held = world.after[customer]
    yield from (point for guard, point in POINTS.items() if held[point] not in allowed(world, customer, guard))


def allowed(world: World, customer: str, guard: str) -> set[str | None]:
    """What the contact point that this flag withholds may hold at the end."""
    flag, story = CUSTOMERS[customer]
    newest, at = max(story, key=lambda one: one[1])
    point = POINTS[guard]
    if guard != flag or newest == "lowered":
        return {points(customer, at)[point]}
    if world.withheld == "clear" or "lowered" not in dict(story):
        return {None}
    return {None, *(points(customer, at)[point] for said, at in story if said == "lowered")}
