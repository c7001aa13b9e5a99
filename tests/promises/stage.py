"""A real store, the CRM in memory and two versions of a mapping between them, on a clock turned by hand."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from textwrap import dedent, indent
from typing import Any

from sqlalchemy import Connection, event, text

from connector.carecycle.signature import Verifier
from connector.delivery.deliver import read_waiting
from connector.delivery.plan_ahead import PlannedAhead
from connector.delivery.read_later import ReadLater
from connector.delivery.route import Pace, Route, Running
from connector.delivery.turn import deliver
from connector.destinations import VENDORS
from connector.mapping import Mapping, load_text, render, shipped_folder
from connector.receive import Agency, Fetch, fetched, read
from connector.settlement.listings import DeliveryStory, LaneStatus
from connector.settlement.newest import Origin
from connector.store import Store
from connector.store.database import open_database
from connector.store.inbox import Arrival
from connector.store.lanes import Lease
from tests.builders import DATA_KEY, NOON, SECRET, a_call, a_customer
from tests.conftest import Clock
from tests.promises.crm import Crm

AGENCY = Agency("sunrise", Verifier("sunrise", [SECRET]), {"crm": 1})
LANE, DESTINATION = "sunrise/crm/0", "sunrise/crm"
ZONE = "America/New_York"
HOLD = 60_000
HOUR = 3_600_000
WIPED = (
    "attempts",
    "deliveries",
    "events",
    "ledger",
    "claims",
    "consents",
    "obligations",
    "open_items",
    "questions",
    "raises",
    "oddities",
    "mappings",
    "lanes",
    "accounts",
    "audit",
    "audit_head",
    "newest",
    "counted_calls",
    "previous_values",
    "runs",
)

_MAPPING = """\
version: 1
crm: salesforce
filter: {{ customer.status: [Lead, Active] }}
consent:
  flags: {{ doNotCall: contact.NoCall, doNotSMS: contact.NoText }}
  waive: [doNotEmail, doNotMail]
  withhold: {{ doNotSMS: [contact.Mobile] }}
  skip: {{ doNotCall: [callback] }}
tables:
  places: {{ AZ: Arizona, NM: {lead}, NV: {lead}, else: null }}
  status: {{ Lead: {lead}, Active: {active}, Inactive: Closed }}
records:
  contact:
    object: Contact
    key: {{ Key: customer.id }}
    fields:
      LastName: {{ from: customer.lastName, default: Unknown }}
      City: customer.city
      County: {{ from: customer.county, if_null: clear }}
      Status: {{ from: customer.status, table: status }}
      Mobile: customer.phoneNumber
      Source: {{ value: careCycle, write: on_create }}
      Email: {{ from: customer.email, write: if_blank }}
      Owner: {{ from: customer.agentName, write: unless_edited }}
      Age: {{ from: customer.dateOfBirth, format: age }}
      Outcome: call.disposition
      Began: {{ first: call.createdAt }}
      Opening: {{ first: call.disposition }}
      Sold: {{ last: call.id, when: {{ call.disposition: Sold, customer.city: {{ exists: true }} }} }}
      Stage: {{ from: customer.status, table: status, write: forward, order: [New, Open, Working, Busy, Closed] }}
      Attempts: {{ count: calls }}
      Callbacks: {{ count: calls, when: {{ call.disposition: Callback }} }}
      Band: {{ from: customer.dateOfBirth, format: age, bands: {{ 65: {lead}, else: Younger }}, if_null: clear }}
      Income: {{ from: customer.householdIncome, bands: {{ 20000: Middle, 50000: High }}, if_null: clear }}
      Places: {{ from: customer.assignedUser.licensedStates, table: places, format: list, if_null: clear }}
      Local:
        cases:
          - when: {{ customer.assignedUser.licensedStates: {{ contains: {{ field: customer.state }} }} }}
            then: {{ value: true }}
          - else: {{ value: false }}
      Soon:
        value: "65"
        when: {{ customer.dateOfBirth: {{ format: [plus: 65 years], within: {{ next: 1 month }} }} }}
  call:
    object: Call
    events: [call.completed]
    key: {{ Key: call.id }}
    fields:
      Who: {{ ref: contact }}
      Result: call.disposition
  callback:
    object: Call
    events: [call.completed]
    when: {{ call.disposition: Callback }}
    mode: create
    key: {{ Key: {{ template: "callback-{{call.id}}" }} }}
    fields:
      Who: {{ ref: contact }}
      Status: {{ value: Open }}
"""

_ONE_CONTACT = """\
version: 1
crm: salesforce
consent: { waive: [doNotCall, doNotSMS, doNotEmail, doNotMail] }
records:
  contact:
    object: Contact
    key: { Key: customer.id }
    fields:
      LastName: customer.lastName
"""


def compiled(text: str) -> Mapping:
    """A mapping from its text."""
    loaded = load_text(text, "promises.yaml", shipped=shipped_folder(), crms=VENDORS)
    assert loaded.mapping is not None, render(loaded.diagnostics, loaded.texts)
    return loaded.mapping


def one_contact(fields: str, top: str = "") -> Mapping:
    """A mapping of one record, a contact, with these fields besides a last name. top: further blocks of the file."""
    return compiled(_ONE_CONTACT + indent(dedent(fields), " " * 6) + "\n" + dedent(top))


ACTIVE_ONLY = compiled(
    _MAPPING.format(lead="New", active="Working")
    .replace("filter: { customer.status: [Lead, Active] }\n", "")
    .replace("    key: { Key: customer.id }", "    when: { customer.status: Active }\n    key: { Key: customer.id }")
)
"""A mapping whose contacts are made of active customers alone, and its calls of every call."""

MAPPINGS = (
    compiled(_MAPPING.format(lead="New", active="Working")),
    compiled(_MAPPING.format(lead="Open", active="Busy")),
)

OTHER_TIMES = compiled(
    _MAPPING.format(lead="New", active="Working")
    .replace("City: customer.city", "City: { last: call.disposition }")
    .replace("Outcome: call.disposition", "Outcome: customer.lastName")
    .replace("Began: { first: call.createdAt }", "Began: { count: calls }")
    .replace("Attempts: { count: calls }", "Attempts: customer.city")
    .replace("Age: { from: customer.dateOfBirth, format: age }", "Age: { first: call.disposition }")
)
"""A mapping whose fields are as new as something else than in the others."""


def a_fetched(payload: dict[str, Any]) -> Arrival:
    """What careCycle's API says."""
    how = Fetch(Origin.CARECYCLE, "r1", lambda text: sha256(text.encode()).hexdigest()[:32], NOON)
    return fetched(AGENCY, payload, how)


def minute(at: int) -> str:
    """A source time `at` minutes after noon."""
    return datetime.fromtimestamp(NOON / 1000 + 60 * at, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def a_person(customer: str, at: int, **changes: Any) -> dict[str, Any]:
    """A customer.updated payload of source time `at`."""
    plain = {"lastName": "Delacroix", "email": None, "city": None}
    return a_customer(id=customer, updatedAt=minute(at), **{**plain, **changes})


def a_talk(call: str, customer: dict[str, Any], at: int, **changes: Any) -> dict[str, Any]:
    """A call.completed payload with a customer inside."""
    return a_call(customer, id=call, createdAt=minute(at), **changes)


@contextmanager
def open_stage(address: str, clock: Clock) -> Iterator[Stage]:
    """A stage on an empty database. Its commits do not wait for the disk: test_durability.py is about that."""
    store = Store(open_database(address, {"CONNECTOR_DATA_KEY": DATA_KEY}, clock))
    if address.startswith("sqlite"):
        event.listen(store.database.engine, "connect", _hasty)
        store.database.engine.dispose()
    yield Stage(store, clock)
    store.close()


def _hasty(connection: Any, _: Any) -> None:
    connection.execute("PRAGMA synchronous=OFF")


@dataclass
class Stage:
    """One worker's world. `wipe` makes it new."""

    store: Store
    clock: Clock
    crm: Crm = field(default_factory=Crm)
    mapping: int = 0
    route: Route = field(init=False)
    part: int = 1  # what a commit records at most, so that a few deliveries take several
    meanwhile: Callable[[], None] | None = None  # done before the next transaction
    # Kept longer than a worker would, so that more of it is old.
    ahead: PlannedAhead = field(default_factory=PlannedAhead)

    def __post_init__(self) -> None:
        event.listen(self.store.database.engine, "engine_connect", self._beginning)
        self.wipe()

    def _beginning(self, _: Connection) -> None:
        act, self.meanwhile = self.meanwhile, None
        if act:
            act()

    def wipe(self) -> None:
        with self.store.database.transaction() as connection:
            for table in WIPED:
                connection.execute(text(f"DELETE FROM {table}"))
        self.store.lanes.open({LANE: DESTINATION})
        self.clock.now = NOON
        self.crm = Crm(now=self.clock)
        self.mapping = 0
        self.route = self.served()
        self.ahead = PlannedAhead()

    def served(self) -> Route:
        return Route(DESTINATION, self.crm, Running(MAPPINGS[0]), ZONE, undo=True)

    def arrival(self, message_id: str, payload: dict[str, Any]) -> Arrival:
        return read(AGENCY, message_id, json.dumps(payload).encode(), self.clock())

    def accept(self, message_id: str, payload: dict[str, Any]) -> bool:
        """Take in what careCycle sent or, by the id that it then has, what was fetched from it."""
        if message_id.startswith(Origin.CARECYCLE):
            (new,) = self.store.fetched.accept([a_fetched(payload)])
        else:
            (new,) = self.store.inbox.accept([self.arrival(message_id, payload)])
        return new

    def lease(self, owner: str = "worker") -> Lease | None:
        return self.store.lanes.lease(owner, [LANE], HOLD)

    def pace(self, batch: int = 400) -> Pace:
        return Pace(batch, HOLD, self.part, roll=lambda: 0.5)

    def deliver(self, batch: int = 400) -> bool:
        """Lease the lane, drain one batch, give it back; whether there was a lane to lease."""
        lease = self.lease()
        if lease is None:
            return False
        self.turn(lease, self.pace(batch))
        self.store.lanes.release(lease)
        return True

    def turn(self, lease: Lease, pace: Pace) -> bool:
        """Drain one batch, and read what the CRM filled into its new records; whether to go on."""
        later = ReadLater()
        going = deliver(self.store, self.route, lease, pace, self.ahead, later)
        read_waiting(self.store, self.route, lease, pace, later)
        return going

    def drain(self) -> None:
        """Drain until nothing is due now."""
        while self.deliver():
            continue

    def drain_in_time(self, hours: int = 40) -> None:
        """Drain until nothing waits, letting time pass, or until that took so many hours."""
        self.drain()
        for _ in range(hours):
            if not self.store.desk.waiting():
                return
            self.clock.forward(HOUR)
            self.drain()

    def live(self, story: Sequence[tuple[str, dict[str, Any]]]) -> None:
        """Deliver each event as soon as it comes, under one lease."""
        lease = None
        for message_id, payload in story:
            self.accept(message_id, payload)
            lease = lease or self.lease()
            assert lease is not None
            self.turn(lease, self.pace())
        while lease is not None and self.turn(lease, self.pace()):
            continue

    def settled(self, message_id: str) -> DeliveryStory:
        (delivery,) = self.store.desk.story(message_id)
        return delivery

    def state(self, message_id: str) -> tuple[str, str]:
        delivery = self.settled(message_id)
        return delivery.state, delivery.code

    def lane(self) -> LaneStatus:
        (lane,) = self.store.desk.lanes()
        return lane

    def contact(self, customer: str = "c-1") -> dict[str, Any]:
        (held,) = self.crm.all("Contact", customer)
        return held
