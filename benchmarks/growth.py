"""What history costs: accepting, draining, each list and page, and retention with 1,000 and 1,000,000 events stored.

    python -m benchmarks.growth [--sizes 1000 1000000] [--rounds 15] [--database SQLite|PostgreSQL]

Each size has its own store, filled with settled history over 89 days and 200 deliveries of today. The sizes take turns
in rounds that each start with a different size, so that noise on the machine affects all alike. The median of each size
is compared with that of the smallest.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import cached_property
from itertools import product
from typing import Any

from sqlalchemy import text

from benchmarks.databases import KEY, Databases, databases
from benchmarks.figures import Beside, Figure, table
from benchmarks.pages import Pages, paths
from connector.carecycle.signature import Verifier
from connector.crm import CrmAccount
from connector.delivery.plan_ahead import PlannedAhead
from connector.delivery.route import Pace, Route, Running
from connector.delivery.turn import deliver
from connector.destinations.base import Outcome, Row, Verdict, as_text
from connector.destinations.salesforce.vendor import SALESFORCE
from connector.insight.overview import overview
from connector.insight.problems import find_causes
from connector.mapping import shipped_folder
from connector.mapping.target import TargetSchema
from connector.receive import Agency, read
from connector.running.bootstrap import load_mapping
from connector.running.roles import collect_rarely
from connector.store import Store, open_store
from connector.store.desk import Filter
from connector.store.tables import attempts, deliveries, events
from connector.telemetry import configure

LANE, DESTINATION = "bench/crm/0", "bench/crm"
AGENCY = Agency("bench", Verifier("bench", ["whsec_YmVuY2htYXJr"]), {"crm": 1})
DAY, TODAY, CHUNK = 86_400_000, 200, 20_000
STATES = (*["delivered"] * 83, *["superseded"] * 6, *["skipped"] * 10, "ignored")
CODES = {"superseded": "SUPERSEDED", "skipped": "SKIPPED", "ignored": "UNKNOWN_TYPE"}
DEAD = 50
WANTED = "<= 1.3"
READS = ("problems by cause", "overview", "story", "status")
"""Besides the lists, the operations measured several times per round."""


class Sink:
    """An in-memory CRM that accepts everything at once, so that only the connector and its database are measured."""

    crm, batch = SALESFORCE, 200
    usage, date = None, ""

    def provisioner(self) -> Any:
        raise NotImplementedError

    def bench(self) -> Any:
        raise NotImplementedError

    def account(self) -> CrmAccount:
        return CrmAccount("00D000000000001")

    def serve(self, account: CrmAccount) -> None: ...

    def write(self, rows: Sequence[Row]) -> list[Outcome]:
        return [Outcome(Verdict.DELIVERED, id=row.key.value) for row in rows]

    def find(self, object: str, field: str, values: Sequence[str], read: Any, narrow: Any = None) -> dict[str, Any]:
        return {value: [] for value in values}

    def find_phones(self, object: str, field: str, numbers: Sequence[str], read: Any) -> dict[str, Any]:
        return {number: [] for number in numbers}

    def survivors(self, object: str, ids: Sequence[str]) -> dict[str, str | None]:
        return {}

    def current(self, object: str, ids: Sequence[str], fields: Any) -> dict[str, Any]:
        return {}

    def linked(self, object: str, ids: Sequence[str], other: str) -> dict[str, frozenset[str]]:
        return {}

    def may_have_twins(self, object: str, field: str) -> bool:
        return False

    def comparing(self, object: str, field: str) -> None: ...

    def recall(self, kept: TargetSchema) -> None: ...

    def normal(self, value: Any) -> str:
        return as_text(value)

    def describe(self, objects: Any) -> TargetSchema:
        return TargetSchema(crm=self.crm)

    def close(self) -> None: ...


def customer(number: str) -> dict[str, Any]:
    return {
        "event_type": "customer.updated", "id": f"c-{number}", "createdAt": "2026-06-01T00:00:00.000Z",
        "updatedAt": "2026-06-18T12:00:00.000Z", "status": "Lead", "firstName": "Marcus", "lastName": f"No. {number}",
        "phoneNumber": "+13128471928", "doNotCall": False, "doNotSMS": False, "doNotEmail": False, "doNotMail": False,
        "testCustomer": False,
    }  # fmt: skip


class Grown:
    """A store with this much history, and the operations measured on it."""

    def __init__(self, address: str, size: int) -> None:
        self.store: Store = open_store(address, KEY)
        self.size, self.now, self.turn = size, int(time.time() * 1000), 0
        mapping = load_mapping(shipped_folder() / "salesforce-contact.yaml")
        self.route = Route(DESTINATION, Sink(), Running(mapping), "America/New_York")
        self.store.lanes.open({LANE: DESTINATION})
        self.fill()
        self.pages = Pages(self.store)

    def fill(self) -> None:
        """Store settled deliveries over 89 days, `DEAD` of them dead, and the same number of today at every size."""
        body = self.store.database.seal.close(b"{}" + b" " * 1200, "bench")
        for start in range(0, self.size, CHUNK):
            numbers = range(start + 1, min(start + CHUNK, self.size) + 1)
            with self.store.database.transaction() as connection:
                connection.execute(events.insert(), [self.event(n, body) for n in numbers])
                connection.execute(deliveries.insert(), [self.delivery(n) for n in numbers])
                connection.execute(attempts.insert(), [self.attempt(n) for n in numbers])
        if self.store.database.engine.dialect.name == "postgresql":
            with self.store.database.transaction() as connection:
                for name in ("events", "deliveries"):
                    connection.execute(text(f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), {self.size})"))
                connection.execute(text("ANALYZE"))

    def at(self, n: int) -> int:
        """Return the time of event n: the newest are of today, the others spread over the days before."""
        left = self.size - n
        return self.now - left if left < TODAY else self.now - DAY - (88 * DAY * left) // self.size

    def event(self, n: int, body: bytes) -> dict[str, Any]:
        return {
            "id": n, "agency": "bench", "message_id": f"msg_{n * 2654435761 % 2**32:08x}{n}",
            "type": "call.completed" if n % 5 == 4 else "customer.updated", "customer_id": f"c-{n % (self.size // 4)}",
            "source_time": self.at(n), "received_at": self.at(n), "payload": body if n > self.size * 2 // 3 else None,
            "digest": "0" * 32,
        }  # fmt: skip

    def delivery(self, n: int) -> dict[str, Any]:
        state = "dead" if n % (self.size // DEAD) == 0 else STATES[n % 100]
        code = f"CAUSE_{n % 5}" if state == "dead" else CODES.get(state, "")
        return {
            "id": n, "event_id": n, "destination": DESTINATION, "lane": LANE, "state": state, "priority": 0,
            "attempts": 1, "accepted_at": self.at(n), "due_at": self.at(n), "settled_at": self.at(n), "code": code,
        }  # fmt: skip

    def attempt(self, n: int) -> dict[str, Any]:
        return {
            "delivery_id": n, "at": self.at(n), "outcome": "delivered", "code": "", "records": "[]", "request_id": "",
            "duration_ms": 1, "mapping_version": "",
        }  # fmt: skip

    def accept(self) -> None:
        self.turn += 1
        self.store.inbox.accept(self.arrivals(64, "accept"))

    def arrivals(self, count: int, why: str) -> list[Any]:
        stamp = f"{why}{self.turn}-{time.monotonic_ns()}"
        # New people: with more events stored their history would be longer, and the work would not be the same.
        bodies = [json.dumps(customer(f"t{self.turn * 1000 + n}")).encode() for n in range(count)]
        return [read(AGENCY, f"{stamp}-{n}", body, self.now) for n, body in enumerate(bodies)]

    def lease(self) -> None:
        lease = self.store.lanes.lease("bench", [LANE], 60_000)
        assert lease is not None
        self.store.inbox.due(LANE, 50)
        self.store.lanes.next_due_ms([LANE], 60_000)
        self.store.lanes.release(lease)

    def drain(self) -> None:
        lease = self.store.lanes.lease("bench", [LANE], 600_000)
        assert lease is not None
        ahead = PlannedAhead()
        while deliver(self.store, self.route, lease, Pace(batch=500), ahead):
            continue
        self.store.lanes.release(lease)

    def listing(self, **wanted: Any) -> Callable[[], None]:
        return lambda: self.store.desk.deliveries(Filter(**wanted)) and None

    def overview(self) -> None:
        self.store.desk.lanes()
        self.store.desk.dead()
        self.store.desk.states(self.now - DAY // 2)
        self.store.desk.waiting()

    def story(self) -> None:
        assert self.store.desk.story(self.middle)

    @property
    def middle(self) -> str:
        """The message id of an event in the middle of the history."""
        return str(self.event(self.size // 2, b"")["message_id"])

    @cached_property
    def shown(self) -> dict[str, Callable[[], None]]:
        """List the pages under names that are the same at every size."""
        day = f"{datetime.fromtimestamp((self.now - DAY) / 1000, UTC):%Y-%m-%d}"
        cause = find_causes(self.store)[0].id
        named = zip(paths(self.middle, "c-7", cause, day), paths("MESSAGE", "CUSTOMER", "CAUSE", "DAY"), strict=True)
        return self.pages.measures(dict(named))

    def retention(self) -> None:
        self.store.retention.give_up("bench", self.now - 90 * DAY)
        self.store.retention.purge("bench", self.now - 90 * DAY)
        self.store.retention.forget("bench", self.now - 90 * DAY)

    def purge(self) -> None:
        """Purge and forget ten old events."""
        with self.store.database.transaction() as connection:
            old = self.arrivals(10, "old")
            rows = [
                {**self.event(n + 1, b"x"), "id": None, "message_id": event.message_id} for n, event in enumerate(old)
            ]
            for row in rows:
                del row["id"]
            connection.execute(events.insert(), [{**row, "received_at": 1, "payload": b"x"} for row in rows])
        began = time.perf_counter()
        assert self.store.retention.purge("bench", 2) == 10
        assert self.store.retention.forget("bench", 2) == 10
        self.spent = time.perf_counter() - began

    def measures(self) -> dict[str, Callable[[], None]]:
        """List the operations in the order of each round: later ones lease and drain what `accept` added."""
        return {
            "accept 64": self.accept,
            "lease and due": self.lease,
            "accept 436 more": lambda: self.store.inbox.accept(self.arrivals(436, "more")) and None,
            "drain 500": self.drain,
            "list: newest": self.listing(),
            "list: time": self.listing(since=self.now - DAY, until=self.now),
            "list: state": self.listing(state="skipped"),
            "list: type": self.listing(type="call.completed"),
            "list: customer": self.listing(customer_id="c-7"),
            "list: cause": self.listing(code="CAUSE_0"),
            "problems by cause": lambda: self.store.desk.dead() and None,
            "overview": self.overview,
            "story": self.story,
            "status": lambda: overview(self.store, self.store.database.moment()) and None,
            **self.shown,
            "retention, nothing due": self.retention,
            "retention, ten due": self.purge,
        }


def measured(stores: Sequence[Grown], rounds: int) -> dict[str, list[list[float]]]:
    """Time each operation on each store, in ms. The first round is a warm-up and is left out."""
    names = list(stores[0].measures())
    spent: dict[str, list[list[float]]] = {name: [[] for _ in stores] for name in names}
    for turn in range(rounds + 1):
        for name, nth in product(names, range(len(stores))):
            place = (turn + nth) % len(stores)  # otherwise garbage collection hits the same store every time
            times = _times(stores[place], name)
            if turn:
                spent[name][place] += times
    return spent


def _times(store: Grown, name: str) -> list[float]:
    times, act = [], store.measures()[name]
    for _ in range(3 if name.startswith("page") else 7 if "list" in name or name in READS else 1):
        began = time.perf_counter()
        act()
        took = store.spent if name == "retention, ten due" else time.perf_counter() - began
        times.append(took * 1000)
    return times


def figures(sizes_of: Mapping[str, Sequence[int]], rounds: int) -> list[Figure]:
    """Compare each operation at the largest size with the smaller ones. sizes_of: database -> events stored."""
    configure("error")
    collect_rarely()
    with databases() as engines:
        return [figure for kind, sizes in sizes_of.items() for figure in _figures(kind, sizes, rounds, engines)]


def _figures(kind: str, sizes: Sequence[int], rounds: int, engines: Databases) -> list[Figure]:
    with ExitStack() as closing:
        stores = [Grown(engines.made(f"growth{kind}{size}".lower())[kind], size) for size in sizes]
        for grown in stores:
            closing.callback(grown.store.close)
        spent = measured(stores, rounds)
    group = f"Growth: {sizes[-1]:,} events stored on {kind}"
    results = []
    for name, times in spent.items():
        wanted = [WANTED, *[""] * (len(sizes) - 2)]
        smaller = zip(sizes[:-1], times[:-1], wanted, strict=True)
        beside = [Beside(f"with {size:,} stored", runs, bound) for size, runs, bound in smaller]
        results.append(Figure(group, name, "ms", times[-1], beside))
    return results


def main() -> None:
    """Print one section."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--sizes", type=int, nargs="+", default=[1_000, 1_000_000])
    arguments.add_argument("--rounds", type=int, default=15)
    arguments.add_argument("--database", default="SQLite", choices=["SQLite", "PostgreSQL"])
    chosen = arguments.parse_args()
    print(table(figures({chosen.database: chosen.sizes}, chosen.rounds)))


if __name__ == "__main__":
    main()
