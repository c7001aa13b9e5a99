"""One agency's backlog beside another agency's single events: how long those wait, compared with an idle container.

    python -m benchmarks.fairness [--backlog 100000] [--events 60] [--database SQLite|PostgreSQL]

Both agencies are served by one `connector run`, each with its own Salesforce and HubSpot account at 100 ms a call. The
busy agency's accounts are in a process of their own, the quiet one's are in this process, so that a single clock times
both ends of an event.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import ExitStack

from benchmarks.acknowledge import fill
from benchmarks.databases import databases
from benchmarks.drain import Sandboxes
from benchmarks.figures import Beside, Figure, table
from benchmarks.latency import CRMS, Sandboxed, Taken, close_together, share
from benchmarks.product import Product
from benchmarks.sides import OURS

LATENCY, EVERY = 0.1, 0.4
BUSY, QUIET = "bench", "quiet"
WANTED = "<= 2"
IDLE = "with nothing waiting"


def waits(address: str, backlog: int, many: int) -> tuple[Taken, Taken]:
    """Time a quiet agency's events, by CRM and in ms: with nothing waiting, then beside the busy agency's backlog.

    Raises AssertionError if the backlog was drained before the last event came.
    """
    with ExitStack() as closing:
        busy, quiet = closing.enter_context(Sandboxes(LATENCY)), Sandboxed(closing, LATENCY)
        product = Product(closing, OURS, address, {BUSY: busy.url, QUIET: quiet.url})

        def timed(seed: int, number: int) -> Taken:
            return close_together(product, quiet, number, seed, EVERY, QUIET)

        with product:
            timed(1, 3)  # these log in and read the schema
            idle = timed(2, many)
        OURS.call(fill, address, backlog, BUSY)
        with product:
            timed(3, 3)
            loaded = timed(4, many)
            assert product.waiting(f"{BUSY}/"), "the backlog was drained before the last event came"
    return idle, loaded


def figures(backlog: int, many: int, kinds: Sequence[str] = ("SQLite", "PostgreSQL")) -> list[Figure]:
    """Compare medians and 99 of 100 on both databases."""
    group = f"Fairness: single events of one agency while {backlog:,} events of another wait"
    results = []
    with databases() as engines:
        for kind, address in engines.made("fairness").items():
            if kind not in kinds:
                continue
            idle, loaded = waits(address, backlog, many)
            for crm in CRMS:
                slow = [share(loaded[crm], 0.99)], [share(idle[crm], 0.99)]
                name = f"{kind}, {many} events, each to the write to {crm}"
                results += [
                    Figure(group, name, "ms", loaded[crm], [Beside(IDLE, idle[crm], WANTED)]),
                    Figure(group, f"{name}, 99 of 100 within", "ms", slow[0], [Beside(IDLE, slow[1], WANTED)]),
                ]
    return results


def main() -> None:
    """Print one section."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--backlog", type=int, default=100_000)
    arguments.add_argument("--events", type=int, default=60)
    arguments.add_argument("--database", nargs="+", default=["SQLite", "PostgreSQL"])
    chosen = arguments.parse_args()
    print(table(figures(chosen.backlog, chosen.events, chosen.database)))


if __name__ == "__main__":
    main()
