"""What a backfill costs: API calls for a file of new customers, scaled to 1,000,000 rows.

    python -m benchmarks.backfill [--rows 20000]

`connector backfill` reads a file of that many customers whom no CRM knows, and `connector run` delivers them. The
calls per row do not depend on the number of rows once there are many batches, so a million of them is not measured.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import tempfile
import time
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.databases import databases
from benchmarks.figures import Figure, table
from benchmarks.latency import CRMS, Sandboxed
from benchmarks.product import Product, until
from benchmarks.sides import OURS
from connector.carecycle.samples import Samples

MILLION = 1_000_000
WANTED = {"salesforce": "<= 1100"}


def file_of(folder: Path, rows: int) -> Path:
    """Write a file of customers, one a line."""
    samples, path = Samples(random.Random(7), datetime(2026, 6, 1, tzinfo=UTC)), folder / "customers.ndjson"
    with path.open("w", encoding="utf-8") as file:
        for _ in range(rows):
            event = samples.created(samples.person())
            file.write(json.dumps({name: value for name, value in event.items() if name != "event_type"}) + "\n")
    return path


def figures(rows: int) -> list[Figure]:
    """Count each CRM's calls; also how many rows a second are stored and delivered."""
    with ExitStack() as closing:
        address = closing.enter_context(databases()).made("backfill")["SQLite"]
        path = file_of(Path(closing.enter_context(tempfile.TemporaryDirectory())), rows)
        sandboxes = Sandboxed(closing)
        product = Product(closing, OURS, address, {"bench": sandboxes.url})
        command = ("backfill", "-c", str(product.files[0]), "--from", str(path), "--json")
        began = time.perf_counter()
        reading = OURS.started("connector", *command, env=product.environment, stdout=subprocess.DEVNULL)
        reading.wait()
        stored = time.perf_counter() - began
        assert reading.returncode == 0, f"connector backfill: exit status {reading.returncode}"
        with product:
            began, since = time.perf_counter(), time.monotonic()
            until(lambda: product.waiting() > 0 or bool(sandboxes.written("hubspot", since)))
            until(lambda: time.sleep(0.5) is None and product.waiting() == 0, 900)
            delivered = time.perf_counter() - began
            calls = {crm: [seen for seen in sandboxes.arrived(crm, 0) if "/oauth" not in seen.path] for crm in CRMS}
    group = f"Backfill of {rows:,} new customers from a file, scaled to {MILLION:,}"
    return [
        *(Figure(group, f"calls of {crm}", "calls", [len(calls[crm]) * MILLION / rows], wanted=WANTED.get(crm, ""))
          for crm in CRMS),
        Figure(group, "read and stored", "rows/s", [rows / stored]),
        Figure(group, "delivered to both CRMs", "rows/s", [rows / delivered]),
    ]  # fmt: skip


def main() -> None:
    """Print one section."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--rows", type=int, default=20_000)
    print(table(figures(arguments.parse_args().rows)))


if __name__ == "__main__":
    main()
