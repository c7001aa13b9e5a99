"""Is it in the CRM? Every record compared by `connector reconcile crm`, after people did eight kinds of things to some.

    python -m benchmarks.crm [--records 50000] [--differences 500] [--kills 3] [--crm hubspot]

Four of five records are customers, the fifth is a call. People then delete, merge, change, clear, reformat and double
contacts, take opt-outs back, and part calls from contacts. The command runs as people run it, against a sandbox over
HTTP, and is killed (kill -9) at random while it compares and while it repairs. Prints what was found, missed and
invented, what is left after the repair, and the requests, the time and the most memory of the command.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Final

from benchmarks.completeness import resident
from benchmarks.databases import KEY
from benchmarks.drain import AUTH, LANE, SHIPPED
from benchmarks.load import SIGNED_WITH
from connector.carecycle.signature import Verifier
from connector.delivery.route import Pace, Route
from connector.delivery.turn import deliver
from connector.receive import Agency, read
from connector.running import bootstrap
from connector.running.config import read_agencies
from connector.sandbox.hubspot import HubSpotSandbox
from connector.sandbox.salesforce import SalesforceSandbox
from connector.settlement.verification import Difference, Held
from connector.store import Store, open_store
from connector.telemetry import configure

AGENCY: Final = Agency("bench", Verifier("bench", [SIGNED_WITH]), {"crm": 1})
FLAGS: Final = ("doNotCall", "doNotSMS", "doNotEmail", "doNotMail")
AT: Final = "2026-06-18T12:00:00.000Z"
STEP: Final = 2000

Found = set[tuple[str, str, str, tuple[str, ...]]]
"""Object, id, difference and fields."""


@dataclass(frozen=True, slots=True)
class Names:
    """What a CRM calls the things that people touch."""

    people: str
    calls: str
    key: str
    last: str
    city: str
    state: str
    phone: str
    link: str


NAMES: Final = {
    "hubspot": Names("contacts", "calls", "carecycle_id", "lastname", "city", "state", "phone", "contacts"),
    "salesforce": Names(
        "Contact", "Task", "careCycle_Id__c", "LastName", "MailingCity", "MailingState", "Phone", "WhoId"
    ),
}


def identity(number: int, kind: str = "0000") -> str:
    """The id of a customer, or of the call of one."""
    return f"{number:08x}-{kind}-4000-8000-000000000000"


def payloads(records: int) -> Iterator[dict[str, Any]]:
    """Four customers to one call; every twentieth customer has opted out of calls."""
    calls = records // 5
    for number in range(records - calls):
        person: dict[str, Any] = {
            "id": identity(number),
            "createdAt": AT,
            "updatedAt": AT,
            "status": "Active",
            "testCustomer": False,
            "firstName": "Ada",
            "lastName": f"Delacroix {number}",
            "email": f"c{number}@example.com",
            "phoneNumber": f"+1312{2_000_000 + number:07d}",
            "city": "Mesa",
            "state": "AZ",
            "address": "1 Main St",
            **dict.fromkeys(FLAGS, False),
        }
        person["doNotCall"] = number % 20 == 0
        yield {"event_type": "customer.updated", **person}
        if number < calls:
            times = {"createdAt": AT, "startTime": AT, "endTime": AT}
            yield {"event_type": "call.completed", "id": identity(number, "1111"), **times, "customer": person}


@dataclass
class World:
    """A sandbox with what was written to it, and what people did there since."""

    crm: str
    sandbox: Any
    store: Store
    route: Route
    expected: Found = field(default_factory=set)

    @property
    def names(self) -> Names:
        return NAMES[self.crm]

    def write(self, records: int) -> None:
        """Deliver everybody."""
        arriving = (
            read(AGENCY, f"m-{number}", json.dumps(body).encode(), 0) for number, body in enumerate(payloads(records))
        )
        while some := list(islice(arriving, STEP)):
            self.store.inbox.accept(some)
            self.drain()

    def drain(self) -> None:
        """Deliver what is due."""
        lease = self.store.lanes.lease("bench", [LANE], 600_000)
        assert lease is not None
        while deliver(self.store, self.route, lease, Pace(hold_ms=600_000)):
            continue
        self.store.lanes.release(lease)

    def held(self) -> list[Held]:
        """Return every record that was written."""
        after, found = ("", ""), list[Held]()
        while some := self.store.verifications.walk(self.route.name, after, 5000):
            found += some
            after = some[-1].object, some[-1].key
        return found

    def links(self) -> set[str]:
        """Return the calls that are linked to a contact."""
        if self.crm == "hubspot":
            return {link[1] for link in self.sandbox.associations if link[0] == self.names.calls}
        return {task["Id"] for task in self.sandbox.records(self.names.calls) if task.get("WhoId")}

    def change(self, kind: str, crm_id: str, **values: Any) -> None:
        """Edit a record."""
        if self.crm == "hubspot":
            self.sandbox.change(
                kind, crm_id, **{name: "" if value is None else value for name, value in values.items()}
            )
        else:
            self.sandbox.change(crm_id, **values)

    def expect(self, one: Held, difference: Difference, *fields: str) -> None:
        """Note what has to be found."""
        self.expected.add((one.object, one.crm_id, difference.value, fields))


class People:
    """What people do in a CRM: each method does it to one record."""

    def __init__(self, world: World) -> None:
        self.world, self.names, self.sandbox = world, world.names, world.sandbox
        mapping = world.route.mapping
        self.flags = [mapping.flag_fields(self.names.people, flag)[0] for flag in sorted(mapping.flags)]
        self.numbers = {
            str(record.get("id") or record.get("Id")): str(record[self.names.phone])[-10:]
            for record in self.sandbox.records(self.names.people)
        }

    def _of_kind(self) -> list[str]:
        return [self.names.people] if self.world.crm == "hubspot" else []

    def _put(self, **more: str) -> str:
        made = self.sandbox.put(self.names.people, **{self.names.last: "By hand", **more})
        return str(made if self.world.crm == "hubspot" else made["Id"])

    def missing(self, one: Held) -> None:
        """Delete a contact."""
        self.sandbox.delete(*self._of_kind(), one.crm_id)
        self.world.expect(one, Difference.MISSING)

    def merged(self, one: Held) -> None:
        """Merge a contact into another."""
        self.sandbox.merge(*self._of_kind(), one.crm_id, self._put())
        self.world.expect(one, Difference.MERGED)

    def changed(self, one: Held) -> None:
        """Edit a field."""
        self.world.change(one.object, one.crm_id, **{self.names.city: "elsewhere"})
        self.world.expect(one, Difference.CHANGED, self.names.city)

    def cleared(self, one: Held) -> None:
        """Empty a field."""
        self.world.change(one.object, one.crm_id, **{self.names.state: None})
        self.world.expect(one, Difference.CHANGED, self.names.state)

    def reformatted(self, one: Held) -> None:
        """Write the same number in another way."""
        number = self.numbers[one.crm_id]
        text = f"({number[:3]}) {number[3:6]}-{number[6:]}"
        self.world.change(one.object, one.crm_id, **{self.names.phone: text})
        self.world.expect(one, Difference.REFORMATTED, self.names.phone)

    def twin(self, one: Held) -> None:
        """Give a contact's key to another."""
        self.world.change(one.object, one.crm_id, **{one.key_field: None})
        self._put(**{one.key_field: str(one.customer_id)})
        self.world.expect(one, Difference.TWIN, one.key_field)

    def lowered(self, one: Held) -> None:
        """Take an opt-out back."""
        flags = [name for name in self.flags if name in one.entry.fields]
        self.world.change(one.object, one.crm_id, **dict.fromkeys(flags, "false" if self._of_kind() else False))
        self.world.expect(one, Difference.LOWERED, *flags)

    def unlinked(self, one: Held) -> None:
        """Part a call from its contact."""
        if self.world.crm == "hubspot":
            links = self.sandbox.state.links
            links -= {link for link in links if one.crm_id in (link[1], link[3])}
        else:
            self.world.change(one.object, one.crm_id, WhoId=None)
        self.world.expect(one, Difference.UNLINKED, self.names.link)

    def at_work(self, differences: int, chance: random.Random) -> None:
        """Do each kind of thing to as many records, of which no two concern one another."""
        each, held = differences // 8, self.world.held()
        calls = {one.customer_id: one for one in held if one.object == self.names.calls}
        people = [one for one in held if one.object == self.names.people]
        opted_out = [one for one in people if any(name in one.entry.fields for name in self.flags)]
        ids = {one.crm_id for one in opted_out}
        others = [one for one in people if one.crm_id not in ids]
        chance.shuffle(others)
        kinds: list[Callable[[Held], None]] = [
            *(self.missing, self.merged, self.changed, self.cleared, self.reformatted, self.twin)
        ]
        before = self.world.links()
        for kind in kinds:
            for one in (others.pop() for _ in range(each)):
                kind(one)
        parted = before - self.world.links()  # by HubSpot itself, with the contact
        for call in calls.values():
            if call.crm_id in parted:
                self.world.expect(call, Difference.UNLINKED, self.names.link)
        for one in chance.sample(opted_out, min(each, len(opted_out))):
            self.lowered(one)
        untouched = [calls[one.customer_id] for one in others if one.customer_id in calls]
        for one in chance.sample(untouched, min(each, len(untouched))):
            self.unlinked(one)


@dataclass(frozen=True, slots=True)
class Said:
    """What the command said. mb: the most memory it had. kills: before that, because it may have been done sooner."""

    found: Found
    kills: int
    seconds: float
    mb: int
    requests: int


def run(command: Sequence[str], environment: dict[str, str], world: World, after: Sequence[float] = ()) -> Said:
    """Run the command to its end, after it was killed after so many seconds each time."""
    most, kills, began, before = 0, 0, time.monotonic(), len(world.sandbox.calls())
    for seconds in (*after, float("inf")):
        with tempfile.TemporaryFile() as output:
            started = time.monotonic()
            process = subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.DEVNULL)
            while process.poll() is None and time.monotonic() - started < seconds:
                most = max(most, resident(process.pid))
                time.sleep(0.05)
            kills += process.poll() is None
            process.kill()
            process.wait()
            output.seek(0)
            text = output.read()
    (said,) = json.loads(text)
    found = {
        (record["object"], record["crm_id"], kind, tuple(fields))
        for record in said["records"]
        for kind, fields in record["differences"].items()
    }
    took = round(time.monotonic() - began, 1)
    return Said(found, kills, took, most, len(world.sandbox.calls()) - before)


def opened(crm: str, folder: Path, closing: ExitStack) -> tuple[World, list[str], dict[str, str]]:
    """Return a world, the command that compares it, and the command's environment."""
    sandbox: Any = SalesforceSandbox(daily_limit=1_000_000) if crm == "salesforce" else HubSpotSandbox(index_lag=0.0)
    url, file = closing.enter_context(sandbox), folder / "agency.yaml"
    settings = {"mapping": SHIPPED[crm], "auth": AUTH[crm], "endpoint": url}
    whole = {"agency": "bench", "webhook": {"secrets": [SIGNED_WITH]}, "destinations": {"crm": settings}}
    file.write_text(json.dumps(whole))  # JSON is YAML
    environment = {**os.environ, "CONNECTOR_DATABASE_URL": f"sqlite:///{folder}/connector.db", **KEY}
    store = open_store(environment["CONNECTOR_DATABASE_URL"], environment)
    closing.callback(store.close)
    store.lanes.open({LANE: "bench/crm"})
    (read_file,) = read_agencies([file], environment)
    route = bootstrap.open_route(read_file, "crm")
    closing.callback(route.destination.close)
    command = [sys.executable, "-m", "connector", "reconcile", "crm", "-c", str(file), "--all", "--json"]
    return World(crm, sandbox, store, route), command, environment


def figures(crm: str, records: int, differences: int, kills: int, folder: Path) -> Iterator[tuple[str, object]]:
    """Yield the name and value of each figure."""
    chance = random.Random(20)
    with ExitStack() as closing:
        world, command, environment = opened(crm, folder, closing)
        began = time.monotonic()
        world.write(records)
        yield "records written", f"{len(world.held()):,} in {time.monotonic() - began:.0f} s"
        untouched = run(command, environment, world)
        yield "compared, nobody did anything", outcome(untouched, set())
        People(world).at_work(differences, chance)
        times = [untouched.seconds * chance.uniform(0.2, 0.9) for _ in range(kills)]
        compared = run(command, environment, world, times)
        yield f"compared, killed {compared.kills} times", outcome(compared, world.expected)
        repaired = run([*command, "--repair"], environment, world, times)
        world.drain()
        left = run(command, environment, world)
        lost = {one for one in world.expected if one[2] in (Difference.MISSING, Difference.LOWERED)}
        cost = f"{repaired.requests:,} requests, {repaired.seconds} s, {repaired.mb} MB"
        yield f"repaired, killed {repaired.kills} times", f"{len(lost - left.found)} of {len(lost)}; {cost}"
        # A call that HubSpot parted from a deleted contact is linked to the new one.
        again = {one for one in world.expected - left.found if one[2] == Difference.UNLINKED}
        yield "compared after the repair", outcome(left, world.expected - lost - again)
        yield "left, being people's", dict(Counter(kind for _, _, kind, _ in left.found))
        keys = Counter(record.get(world.names.key) for record in world.sandbox.records(world.names.people))
        yield "twins", sum(count - 1 for key, count in keys.items() if key)


def outcome(said: Said, expected: Found) -> str:
    """Return what was found, in words."""
    found, missed, false = len(said.found & expected), len(expected - said.found), len(said.found - expected)
    cost = f"{said.requests:,} requests, {said.seconds} s, {said.mb} MB"
    return f"found {found:,} of {len(expected):,}, missed {missed}, false {false}; {cost}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=50_000)
    parser.add_argument("--differences", type=int, default=500)
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--crm", choices=sorted(NAMES), default="hubspot")
    asked = parser.parse_args()
    configure("error")
    with tempfile.TemporaryDirectory() as folder:
        for name, value in figures(asked.crm, asked.records, asked.differences, asked.kills, Path(folder)):
            print(f"{name}: {value}", flush=True)


if __name__ == "__main__":
    main()
