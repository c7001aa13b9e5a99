"""What the roles hold in memory, each and together, while few and while many events wait.

    python -m benchmarks.memory [--waiting 20000 1000000] [--seconds 20] [--database SQLite|PostgreSQL]

`connector run` starts with that many deliveries due for each of two CRMs at 100 ms a call, and is watched while it
delivers them: the figures are the most that was seen. The events are put into the tables directly: to receive them
would take as long as all other benchmarks together. Resident pages that several processes share are divided among
them (PSS, Linux).
"""

from __future__ import annotations

import argparse
import json
import re
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from sqlalchemy import text

from benchmarks.databases import KEY, Databases, databases
from benchmarks.drain import Sandboxes
from benchmarks.figures import Beside, Figure, table
from benchmarks.growth import CHUNK, customer
from benchmarks.product import Product, until
from benchmarks.sides import OURS
from connector.store import Store, open_store
from connector.store.tables import deliveries, events

CRMS = ("salesforce", "hubspot")
DATABASES, WANTED_GROWTH = ("SQLite", "PostgreSQL"), "<= 1.1"
SUPERVISOR = "supervisor"


def fill(store: Store, waiting: int) -> None:
    """Have this many customers' events wait, each for both CRMs."""
    store.lanes.open({f"bench/{crm}/0": f"bench/{crm}" for crm in CRMS})
    now = store.database.moment()
    for start in range(1, waiting + 1, CHUNK):
        numbers = range(start, min(start + CHUNK, waiting + 1))
        happened = [
            {
                "id": n, "agency": "bench", "message_id": f"waiting-{n}", "type": "customer.updated",
                "customer_id": f"c-{n}", "source_time": now, "received_at": now, "digest": f"{n:032x}",
                "payload": store.database.seal.close(json.dumps(customer(str(n))).encode(), f"bench/waiting-{n}"),
            }
            for n in numbers
        ]  # fmt: skip
        due = [
            {
                "event_id": n, "destination": f"bench/{crm}", "lane": f"bench/{crm}/0", "state": "ready", "priority": 1,
                "attempts": 0, "accepted_at": now, "due_at": now, "code": "",
            }
            for n in numbers
            for crm in CRMS
        ]  # fmt: skip
        with store.database.transaction() as connection:
            connection.execute(events.insert(), happened)
            connection.execute(deliveries.insert(), due)
    if store.database.engine.dialect.name == "postgresql":
        with store.database.transaction() as connection:
            connection.execute(text(f"SELECT setval(pg_get_serial_sequence('events', 'id'), {waiting})"))
            connection.execute(text("ANALYZE"))


def by_role(pids: Sequence[int]) -> dict[str, float]:
    """Return what each process holds, in MB, by the name of its role."""
    held = {}
    for pid in pids:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
        name = SUPERVISOR if pid == pids[0] else Path(f"/proc/{pid}/comm").read_text().strip()
        held[name] = sum(int(size) for size in re.findall(r"^Pss: +(\d+) kB", rollup, re.M)) * 1024 / 1e6
    return held


def most(product: Product, seconds: float) -> dict[str, float]:
    """Return the most that each role held at a time while it delivered, and all of them together."""
    peak: dict[str, float] = {}
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        assert product.waiting(), "the backlog was drained before the end"
        held = by_role(product.roles())
        for name, size in {**held, "all roles": sum(held.values())}.items():
            peak[name] = max(peak.get(name, 0.0), size)
        time.sleep(0.5)
    return peak


def measured(address: str, waiting: int, seconds: float) -> dict[str, float]:
    """Watch the roles deliver this many waiting events."""
    store = open_store(address, KEY)
    fill(store, waiting)
    store.close()
    with ExitStack() as closing:
        sandboxes = closing.enter_context(Sandboxes(0.1))
        product = closing.enter_context(Product(closing, OURS, address, {"bench": sandboxes.url}))
        until(lambda: product.began(2 * waiting), 120)
        return most(product, seconds)


def figures(waiting: Sequence[int], seconds: float, kinds: Sequence[str] = DATABASES) -> list[Figure]:
    """Compare what is held with the most events waiting and with fewer."""
    with databases() as engines:
        return [figure for kind in kinds for figure in _figures(kind, waiting, seconds, engines)]


def _figures(kind: str, waiting: Sequence[int], seconds: float, engines: Databases) -> list[Figure]:
    held = [measured(engines.made(f"memory{kind}{many}".lower())[kind], many, seconds) for many in waiting]
    group = f"Memory while {waiting[-1]:,} events wait and some are delivered, on {kind}"
    results = []
    for name, size in held[-1].items():
        bound = WANTED_GROWTH if name == "all roles" else ""
        beside = [
            Beside(f"while {many:,} wait", [own[name]], bound) for many, own in zip(waiting[:-1], held, strict=False)
        ]
        results.append(Figure(group, name, "MB", [size], beside))
    return results


def main() -> None:
    """Print what was measured."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--waiting", type=int, nargs="+", default=[20_000, 1_000_000])
    arguments.add_argument("--seconds", type=float, default=20.0, help="how long to watch the roles deliver")
    arguments.add_argument("--database", choices=DATABASES, action="append")
    chosen = arguments.parse_args()
    print(table(figures(chosen.waiting, chosen.seconds, chosen.database or DATABASES)))


if __name__ == "__main__":
    main()
