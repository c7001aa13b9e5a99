"""Undo a version of a mapping on many records, of which people edited some and newer events changed others.

    python -m benchmarks.undo [--records 10000] [--edits 500] [--newer 2000] [--crm salesforce]

Every record exists before and has a value of its own. A wrong version of the mapping writes over it; then people edit
some records in the CRM, and newer events come for others, half of them while the wrong version still runs. Afterwards
each record is compared with what it must have: its former value, the person's, or the newer event's.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from typing import Any

from benchmarks.drain import AUTH, DESTINATION, LANE, SHIPPED
from connector import destinations
from connector.carecycle.signature import Verifier
from connector.delivery.route import Pace, Route, Running
from connector.delivery.turn import deliver
from connector.destinations import VENDORS
from connector.mapping import Mapping, load_text, shipped_folder
from connector.receive import Agency, read
from connector.running.undos import undo
from connector.sandbox.hubspot import HubSpotSandbox
from connector.sandbox.salesforce import SalesforceSandbox
from connector.store import Store, open_store
from connector.store.previous import Whose
from connector.telemetry import configure

NAMES = {
    "salesforce": ("Contact", "careCycle_Id__c", "MailingCity", {"LastName": "Known"}),
    "hubspot": ("contacts", "carecycle_id", "city", {}),
}
AGENCY = Agency("bench", Verifier("bench", ["whsec_YmVuY2htYXJr"]), {"crm": 1})
PACE = Pace(hold_ms=600_000)


def mapping(crm: str, source: str) -> Mapping:
    """Return a version of the mapping that writes the city from this source."""
    field = NAMES[crm][2]
    text = f"extends: {SHIPPED[crm]}\nrecords: {{contact: {{fields: {{{field}: {source}}}}}}}"
    loaded = load_text(text, "bench.yaml", shipped=shipped_folder(), crms=VENDORS)
    assert loaded.mapping is not None
    return loaded.mapping


class World:
    """A sandbox that has every record, and a route into it. calls: to the CRM, so far."""

    def __init__(self, crm: str, records: int, closing: ExitStack) -> None:
        self.crm, self.calls, self.numbers = crm, 0, iter(range(10**9))
        self.sandbox: Any = SalesforceSandbox() if crm == "salesforce" else HubSpotSandbox(index_lag=0.0)
        url = closing.enter_context(self.sandbox)
        settings = destinations.read_settings({"mapping": SHIPPED[crm], "auth": AUTH[crm], "endpoint": url})
        account = destinations.connect(VENDORS[crm], settings, self._count)
        closing.callback(account.close)
        folder = closing.enter_context(tempfile.TemporaryDirectory())
        self.store: Store = open_store(f"sqlite:///{folder}/bench.db", {})
        closing.callback(self.store.close)
        self.store.lanes.open({LANE: DESTINATION})
        self.wrong, self.right = mapping(crm, "customer.lastName"), mapping(crm, "customer.city")
        self.route = Route(DESTINATION, account, Running(self.wrong), "America/New_York", undo=True)
        kind, key, city, more = NAMES[crm]
        for number in range(records):
            self.sandbox.put(kind, **{key: f"c-{number}", city: f"Before {number}", **more})

    def _count(self, *_: object) -> None:
        self.calls += 1

    def send(self, numbers: list[int], minute: int, word: str) -> None:
        """Deliver an event of each of these customers."""
        at = f"2026-06-18T12:{minute:02d}:00.000Z"
        bodies = [
            {
                "event_type": "customer.updated",
                "id": f"c-{number}",
                "createdAt": at,
                "updatedAt": at,
                "status": "Active",
                "firstName": "Ada",
                "lastName": f"{word} {number}",
                "city": f"{word} city {number}",
                "doNotCall": False,
                "doNotSMS": False,
                "doNotEmail": False,
                "doNotMail": False,
                "testCustomer": False,
            }
            for number in numbers
        ]
        self.store.inbox.accept(
            [read(AGENCY, f"m{next(self.numbers)}", json.dumps(body).encode(), 0) for body in bodies]
        )
        lease = self.store.lanes.lease("bench", [LANE], 600_000)
        assert lease is not None
        while deliver(self.store, self.route, lease, PACE):
            continue
        self.store.lanes.release(lease)

    def edit(self, numbers: set[int]) -> None:
        """Let people edit the city of these customers' records."""
        kind, key, city, _ = NAMES[self.crm]
        for record in self.sandbox.records(kind):
            number = int(record[key].removeprefix("c-"))
            if number in numbers:
                edited = {city: f"By hand {number}"}
                if self.crm == "salesforce":
                    self.sandbox.change(record["Id"], **edited)
                else:
                    self.sandbox.change(kind, record["id"], **edited)

    def cities(self) -> dict[int, str]:
        """Return the city of each customer's record."""
        kind, key, city, _ = NAMES[self.crm]
        return {int(record[key].removeprefix("c-")): record.get(city) for record in self.sandbox.records(kind)}


def run(crm: str, records: int, edits: int, newer: int) -> dict[str, object]:
    """Return what became of the records, how long the undo took and what it cost."""
    configure("error")
    with ExitStack() as closing:
        world = World(crm, records, closing)
        everybody, since = [*range(records)], world.calls
        began = time.monotonic()
        world.send(everybody, 0, "Wrong")
        written_in, written_calls = time.monotonic() - began, world.calls - since
        edited = set(range(0, records, max(1, records // edits)))
        changed = [number for number in everybody if number % 5 == 1][:newer]
        by_wrong, by_right = changed[: newer // 2], changed[newer // 2 :]
        world.edit(edited)
        world.send(by_wrong, 10, "Newer")
        world.route.running = Running(world.right)
        world.send(by_right, 20, "Newer")
        wanted = {number: f"Before {number}" for number in everybody}
        wanted |= {number: f"By hand {number}" for number in edited}
        wanted |= {number: f"Newer {number}" for number in by_wrong}
        wanted |= {number: f"Newer city {number}" for number in by_right}
        began, before = time.monotonic(), world.calls
        field = NAMES[crm][2]
        ends = Counter(
            end.what.value
            for portion in undo(world.store, world.route, 1, Whose(world.wrong.version), plan=False)
            for end in portion
            if end.field == field
        )
        took, cities = time.monotonic() - began, world.cities()
        return {
            "crm": crm,
            "records": records,
            "writing: seconds, calls": (round(written_in, 1), written_calls),
            "undo: seconds, calls": (round(took, 1), world.calls - before),
            "results": dict(ends),
            "edits lost": sum(cities[number] != wanted[number] for number in edited),
            "newer events lost": sum(cities[number] != wanted[number] for number in changed),
            "not restored": sum(cities[number] != wanted[number] for number in everybody),
            "peak memory, MB (with the sandbox)": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        }


def main() -> None:
    """Print the figures of one run."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--records", type=int, default=10_000)
    arguments.add_argument("--edits", type=int, default=500)
    arguments.add_argument("--newer", type=int, default=2000)
    arguments.add_argument("--crm", choices=sorted(NAMES), default="salesforce")
    given = arguments.parse_args()
    for name, value in run(given.crm, given.records, given.edits, given.newer).items():
        print(f"{name}: {value}")


if __name__ == "__main__":
    main()
