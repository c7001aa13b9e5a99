"""What a backfill costs: API calls for a file of new customers, scaled to 1,000,000 rows.

    python -m benchmarks.backfill [--rows 20000]

`connector backfill` reads a file of that many customers whom no CRM knows, and `connector run` delivers them. The
calls for people do not depend on the number of rows once there are many batches, so a million of them is not measured.
Other calls are made once, or now and then, and are not scaled: to describe the org and to look for its users.
The same is done with a mapping that writes no field `unless_edited`, of which nothing has to be read back.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote_plus

from benchmarks.databases import databases
from benchmarks.figures import Figure, table
from benchmarks.latency import CRMS, Sandboxed, writes
from benchmarks.product import Product, until
from benchmarks.sides import OURS
from connector.carecycle.samples import Samples
from connector.sandbox.wire import Seen

MILLION = 1_000_000
WANTED = "<= 1100"
PLAIN = """\
version: 1
extends: salesforce-contact
records: { contact: { remove: [OwnerId] } }
"""
"""A mapping that writes no field `unless_edited`."""

QUIET = 3.0
"""Seconds without a call to Salesforce after which no record is left to read back."""

CAUSES = ("to write", "to look for them first", "to read back")


def file_of(folder: Path, rows: int) -> Path:
    """Write a file of customers, one a line."""
    samples, path = Samples(random.Random(7), datetime(2026, 6, 1, tzinfo=UTC)), folder / "customers.ndjson"
    with path.open("w", encoding="utf-8") as file:
        for _ in range(rows):
            event = samples.created(samples.person())
            file.write(json.dumps({name: value for name, value in event.items() if name != "event_type"}) + "\n")
    return path


def cause(seen: Seen) -> str:
    """Return what a call to Salesforce is made for; empty if it is not for people's records."""
    requests = seen.body.get("compositeRequest", ()) if isinstance(seen.body, dict) else ()
    asked = [unquote_plus(text) for text in (seen.path, *(request["url"] for request in requests))]
    if writes(seen):
        return CAUSES[0]
    if any(" FROM Contact WHERE careCycle_Id__c IN " in text for text in asked):
        return CAUSES[1]
    return CAUSES[2] if any(" FROM Contact WHERE Id IN " in text for text in asked) else ""


@dataclass(frozen=True, slots=True)
class Filled:
    """What a backfill took. calls: by CRM. causes: of the calls to Salesforce. rates: rows a second."""

    calls: dict[str, float]
    causes: dict[str, float]
    stored: float
    delivered: float


def filled(rows: int, mapping: str = "") -> Filled:
    """Deliver a file of customers. mapping: for Salesforce; the shipped one if empty."""
    with ExitStack() as closing:
        address = closing.enter_context(databases()).made("backfill")["SQLite"]
        path = file_of(Path(closing.enter_context(tempfile.TemporaryDirectory())), rows)
        sandboxes = Sandboxed(closing)
        product = Product(closing, OURS, address, {"bench": sandboxes.url})
        (file,) = product.files
        if mapping:
            (file.parent / "mapping.yaml").write_text(mapping, "utf-8")
            file.write_text(file.read_text("utf-8").replace("mapping: salesforce-contact", "mapping: mapping.yaml"))
        command = ("backfill", "-c", str(file), "--from", str(path), "--json")
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
            until(lambda: time.sleep(0.5) is None and not sandboxes.arrived("salesforce", time.monotonic() - QUIET))
            calls = {crm: [seen for seen in sandboxes.arrived(crm, 0) if "/oauth" not in seen.path] for crm in CRMS}
    causes = Counter(map(cause, calls["salesforce"]))
    others = causes.pop("", 0)
    scaled = {name: causes[name] * MILLION / rows for name in CAUSES}
    whole = {"salesforce": sum(scaled.values()) + others, "hubspot": len(calls["hubspot"]) * MILLION / rows}
    return Filled(whole, {**scaled, "for everything else, not scaled": others}, rows / stored, rows / delivered)


def figures(rows: int) -> list[Figure]:
    """Count each CRM's calls; also how many rows a second are stored and delivered."""
    shipped, plain = filled(rows), filled(rows, PLAIN)
    group = f"Backfill of {rows:,} new customers from a file, scaled to {MILLION:,}"
    return [
        *_of_salesforce(group, shipped, "", WANTED),
        *_of_salesforce(group, plain, ", without `unless_edited`", ""),
        Figure(group, "calls of hubspot", "calls", [shipped.calls["hubspot"]]),
        Figure(group, "read and stored", "rows/s", [shipped.stored]),
        Figure(group, "delivered to both CRMs", "rows/s", [shipped.delivered]),
    ]


def _of_salesforce(group: str, taken: Filled, how: str, wanted: str) -> Iterator[Figure]:
    yield Figure(group, f"calls of salesforce{how}", "calls", [taken.calls["salesforce"]], wanted=wanted)
    for name, many in taken.causes.items():
        yield Figure(group, f"calls of salesforce {name}{how}", "calls", [many])


def main() -> None:
    """Print one section."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--rows", type=int, default=20_000)
    print(table(figures(arguments.parse_args().rows)))


if __name__ == "__main__":
    main()
