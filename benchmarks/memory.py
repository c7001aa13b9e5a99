"""Memory of a container that drains while a few events wait, and while 1,000,000 do: a backlog must cost none.

    python -m benchmarks.memory [--few 20000] [--many 1000000] [--seconds 15]

Two containers with a database each, one after the other; each drains into both sandboxes at 100 ms a call. What counts
is the most memory of all roles in that time. The events are put into the tables directly: to receive them would take
as long as all other benchmarks together.
"""

from __future__ import annotations

import argparse
import json
import time
from contextlib import ExitStack

from sqlalchemy import text

from benchmarks.databases import KEY, databases
from benchmarks.drain import Sandboxes
from benchmarks.figures import Beside, Figure, table
from benchmarks.growth import CHUNK, customer
from benchmarks.product import Product, until
from benchmarks.sides import OURS
from connector.store import open_store
from connector.store.tables import deliveries, events

WANTED = "<= 1.1"
PEOPLE = 50_000
"""Whose events come again and again; to encrypt a million payloads would take as long as to store them."""

LANES = {f"bench/{crm}/0": f"bench/{crm}" for crm in ("salesforce", "hubspot")}


def fill(address: str, waiting: int) -> None:
    """Let this many events wait, for both CRMs."""
    store = open_store(address, KEY)
    store.lanes.open(LANES)
    now, number_of = int(time.time() * 1000) - waiting, range(min(PEOPLE, waiting))
    bodies = [store.database.seal.close(json.dumps(customer(f"m{n}")).encode(), "bench") for n in number_of]
    for start in range(0, waiting, CHUNK):
        numbers = range(start + 1, min(start + CHUNK, waiting) + 1)
        with store.database.transaction() as connection:
            connection.execute(events.insert(), [
                {"id": n, "agency": "bench", "message_id": f"memory-{n}", "type": "customer.updated",
                 "customer_id": f"c-m{n % len(bodies)}", "source_time": now + n, "received_at": now + n,
                 "payload": bodies[n % len(bodies)], "digest": "0" * 32} for n in numbers
            ])  # fmt: skip
            connection.execute(deliveries.insert(), [
                {"event_id": n, "destination": destination, "lane": lane, "state": "ready", "priority": 0,
                 "attempts": 0, "accepted_at": now + n, "due_at": now + n, "code": ""}
                for n in numbers for lane, destination in LANES.items()
            ])  # fmt: skip
    if store.database.engine.dialect.name == "postgresql":
        with store.database.transaction() as connection:
            connection.execute(text(f"SELECT setval(pg_get_serial_sequence('events', 'id'), {waiting})"))
            connection.execute(text("ANALYZE"))
    store.close()


def most(address: str, waiting: int, seconds: float) -> float:
    """Return the most memory in MB while this many events wait and some are delivered."""
    fill(address, waiting)
    with ExitStack() as closing:
        sandboxes = closing.enter_context(Sandboxes(0.1))
        product = closing.enter_context(Product(closing, OURS, address, {"bench": sandboxes.url}))
        until(lambda: product.waiting() < 2 * waiting - 100)
        until_when, held = time.monotonic() + seconds, [product.memory()]
        while time.monotonic() < until_when:
            time.sleep(0.5)
            held.append(product.memory())
        assert product.waiting(), "the backlog was drained before the end"
        return max(held)


def figures(few: int, many: int, seconds: float) -> list[Figure]:
    """Compare the most memory with many events waiting with that with few, on both databases."""
    results = []
    with databases() as engines:
        others = engines.made("few")
        for kind, address in engines.made("many").items():
            beside = Beside(f"while {few:,} wait", [most(others[kind], few, seconds)], WANTED)
            name = f"{kind}, the most while {many:,} wait and some are delivered"
            results.append(Figure("Memory while events wait", name, "MB", [most(address, many, seconds)], [beside]))
    return results


def main() -> None:
    """Print one section."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--few", type=int, default=20_000)
    arguments.add_argument("--many", type=int, default=1_000_000)
    arguments.add_argument("--seconds", type=float, default=15.0)
    chosen = arguments.parse_args()
    print(table(figures(chosen.few, chosen.many, chosen.seconds)))


if __name__ == "__main__":
    main()
