"""The connector beside n8n, a product that a user would pick instead, on the same traffic and the same sandbox.

    python -m benchmarks.rival [--events 2000] [--people 50] [--folder .venv/n8n]

Each program runs as in production (benchmarks.programs), on a database of its own in the same PostgreSQL. The
Salesforce sandbox is in this process, so that what it has in the end is what counts: who is missing, what is there
twice, which value stayed, and who of those that opted out can be contacted. n8n is measured twice, because its
workflow's author decides when it answers. The sender sends again what was not acknowledged, as careCycle does.
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from benchmarks.databases import databases
from benchmarks.drain import backlog
from benchmarks.figures import Beside, Figure, table
from benchmarks.load import SIGNED_WITH
from benchmarks.programs import Connector, N8n, Program, install
from connector.carecycle.samples import Samples
from connector.carecycle.signature import sign
from connector.sandbox.salesforce import SalesforceSandbox
from connector.telemetry import configure

FOLDER: Final = Path(".venv/n8n")
CROWD, LATENCY = 32, 0.05
QUIET, STALLED = 8.0, 120.0
"""Seconds without a call after which a program is done; n8n's queue notices a crash after 90."""

OUTAGE: Final = 40.0
"""Seconds: twice as long as n8n's tries last."""

_TEXT: Final = "do_not_text__c"
Person = dict[str, Any]
Steps = list[dict[str, Any]]
Record = Mapping[str, Any]
Message = tuple[str, dict[str, Any]]


@dataclass
class Trial:
    """A program and the sandbox it writes to. numbers: what was measured, by the name of its row."""

    program: Program
    crm: SalesforceSandbox
    numbers: dict[str, float] = field(default_factory=dict)
    chance: random.Random = field(default_factory=lambda: random.Random(24))

    def samples(self) -> Samples:
        """Make people whom this sandbox has not seen."""
        return Samples(random.Random(self.chance.random()), datetime(2026, 6, 1, tzinfo=UTC))

    def settled(self, quiet: float = QUIET, enough: Callable[[], bool] = lambda: False) -> None:
        """Wait until the CRM has had no call for so many seconds, or enough."""
        since = time.monotonic()
        while time.monotonic() < max(since, self.last_call()) + quiet and not enough():
            time.sleep(0.1)

    def last_call(self) -> float:
        """When the CRM's newest call arrived, by the monotonic clock."""
        return self.crm.seen[-1].at if self.crm.seen else 0.0

    def message(self, payload: dict[str, Any]) -> Message:
        """Give a payload a message id of its own."""
        return f"rival-{self.chance.getrandbits(64)}", payload

    def contact(self, person: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Return a customer's record."""
        records = (row for row in self.crm.records("Contact") if row.get("careCycle_Id__c") == person["id"])
        return next(records, None)


def post(port: int, messages: Iterable[Message], crowd: int = CROWD) -> list[Message]:
    """Send over persistent connections, each signed as it is sent; return those that were not acknowledged."""
    waiting, lock, refused = iter(messages), threading.Lock(), []

    def worker() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        while True:
            with lock:
                message = next(waiting, None)
            if message is None:
                connection.close()
                return
            if not _accepted(connection, message):
                refused.append(message)

    crew = [threading.Thread(target=worker) for _ in range(crowd)]
    for member in crew:
        member.start()
    for member in crew:
        member.join()
    return refused


def _accepted(connection: http.client.HTTPConnection, message: Message) -> bool:
    message_id, payload = message
    body, now = json.dumps(payload), datetime.now(UTC)
    headers = {
        "content-type": "application/json",
        "svix-id": message_id,
        "svix-timestamp": str(int(now.timestamp())),
        "svix-signature": sign(SIGNED_WITH, message_id, now, body),
    }
    try:
        connection.request("POST", "/hooks/bench", body, headers)
        answer = connection.getresponse()
        answer.read()
    except (OSError, http.client.HTTPException):
        connection.close()
        return False
    return 200 <= answer.status < 300


def loaded(trial: Trial, many: int) -> None:
    """Start it, send mixed events and watch them arrive in the CRM: events per second, calls, memory."""
    trial.program.start()
    trial.numbers["memory, idle"] = trial.program.memory()
    messages = [(name, json.loads(body)) for name, body in backlog(many)]
    post(trial.program.port, messages[:CROWD])
    trial.settled()
    messages, calls = messages[CROWD:], len(trial.crm.calls("/services/data"))
    over, most = threading.Event(), [0.0]

    def watch() -> None:
        while not over.wait(0.5):
            most[0] = max(most[0], trial.program.memory())

    watching = threading.Thread(target=watch)
    watching.start()
    began = time.monotonic()
    refused = post(trial.program.port, messages)
    answered = time.monotonic() - began
    assert not refused, f"{len(refused)} were refused"
    trial.settled()
    over.set()
    watching.join()
    trial.numbers["acknowledged, 32 connections"] = len(messages) / answered
    trial.numbers["until all are in the CRM"] = len(messages) / (trial.last_call() - began)
    trial.numbers["calls of the CRM"] = (len(trial.crm.calls("/services/data")) - calls) * 1000 / len(messages)
    trial.numbers["memory, under this load"] = most[0]


def crashed(trial: Trial, many: int) -> None:
    """Kill the program (kill -9) amid customers and calls, start it again, send again what was not acknowledged."""
    samples = trial.samples()
    people = [samples.person() for _ in range(many)]
    payloads = [samples.call(each) if place % 2 else samples.created(each) for place, each in enumerate(people)]
    half, refused = threading.Event(), []

    def messages() -> Iterator[Message]:
        for place, payload in enumerate(payloads):
            if place == many // 2:
                half.set()
            yield trial.message(payload)

    sending = threading.Thread(target=lambda: refused.extend(post(trial.program.port, messages())))
    sending.start()
    half.wait()
    trial.program.kill()
    sending.join()
    trial.program.start()
    for _ in range(5):
        refused = post(trial.program.port, refused)
    assert not refused, f"{len(refused)} were refused"
    wanted = {("Task" if each["event_type"] == "call.completed" else "Contact", each["id"]) for each in payloads}
    keys = {"Contact": "careCycle_Id__c", "Task": "careCycle_Call_Id__c"}

    def there() -> Counter[tuple[str, str]]:
        return Counter((kind, str(row.get(key))) for kind, key in keys.items() for row in trial.crm.records(kind))

    trial.settled(STALLED, lambda: wanted <= set(there()))
    had = there()
    trial.numbers["lost after kill -9"] = sum(not had[each] for each in wanted)
    trial.numbers["there twice after kill -9"] = sum(had[each] > 1 for each in wanted)


def disordered(trial: Trial, many: int) -> None:
    """Send each customer's newer update before the older one; count whose older value is there."""
    samples = trial.samples()
    people = [samples.person() for _ in range(many)]
    payloads = [(samples.updated(each, city="Yuma"), samples.updated(each, city="Flagstaff")) for each in people]
    for place in (1, 0):
        post(trial.program.port, [trial.message(pair[place]) for pair in payloads])
        trial.settled()
    cities = Counter((trial.contact(each) or {}).get("MailingCity") for each in people)
    trial.numbers["an older value replaced a newer one"] = many - cities["Flagstaff"]


def lowered(samples: Samples, person: Person) -> Steps:
    """The flag is raised, and a newer event says false."""
    return [samples.updated(person, doNotCall=True), samples.updated(person, doNotCall=False)]


def late(samples: Samples, person: Person) -> Steps:
    """The event that raises the flag comes after a newer one."""
    raised = samples.updated(person, doNotCall=True)
    return [samples.updated(person, doNotCall=False), raised]


def spoken(samples: Samples, person: Person) -> Steps:
    """The customer says so in a call."""
    return [samples.created(person), {**samples.call(person, 0), "disposition": "Do Not Call"}]


def beside_refused(samples: Samples, person: Person) -> Steps:
    """The event that raises the flag also has a value that the CRM refuses."""
    return [samples.created(person), samples.updated(person, doNotCall=True, email="none")]


def beside_misshapen(samples: Samples, person: Person) -> Steps:
    """The event that raises the flag also has a field of another type."""
    return [samples.created(person), samples.updated(person, doNotCall=True, dateOfBirth={"year": 1950})]


def beside_read_only(samples: Samples, person: Person) -> Steps:
    """Two flags are raised, and the CRM's user may no longer write the other one."""
    return [samples.created(person), samples.updated(person, doNotCall=True, doNotSMS=True)]


def in_an_outage(samples: Samples, person: Person) -> Steps:
    """The CRM is down for 40 seconds when the flag is raised."""
    return [samples.created(person), samples.updated(person, doNotCall=True)]


def unclear(samples: Samples, person: Person) -> Steps:
    """The flag comes as a word instead of true or false: until that is clear, its number is held back."""
    return [samples.created(person | {"lineType": "mobile", "doNotSMS": "yes"})]


def called(contact: Record) -> bool:
    """Whether nothing on the record says not to call."""
    return not contact.get("DoNotCall")


def texted(contact: Record) -> bool:
    """Whether the record has a number for texts, and nothing on it says not to send any."""
    return bool(contact.get("MobilePhone")) and not contact.get("Do_Not_Text__c")


SITUATIONS: Final[Mapping[Callable[[Samples, Person], Steps], Callable[[Record], bool]]] = {
    **dict.fromkeys((lowered, late, spoken, beside_refused, beside_misshapen), called),
    **dict.fromkeys((beside_read_only, in_an_outage), called),
    unclear: texted,
}


def exposed(trial: Trial) -> None:
    """Play every situation; count those after which the CRM has the customer, and shows as reachable who is not."""
    samples = trial.samples()
    people = {situation: samples.person() for situation in SITUATIONS}
    played = {situation: iter(situation(samples, people[situation])) for situation in SITUATIONS}
    alone = in_an_outage, beside_read_only

    def step(*some: Callable[[Samples, Person], Steps]) -> list[Message]:
        payloads = [payload for situation in some for payload in [next(played[situation], None)] if payload]
        return post(trial.program.port, [trial.message(payload) for payload in payloads])

    def again(refused: list[Message]) -> None:
        trial.settled()
        if refused:
            post(trial.program.port, refused)
            trial.settled()

    again(step(*SITUATIONS))
    again(step(*(situation for situation in SITUATIONS if situation not in alone)))
    columns = trial.crm.org.table("Contact").columns
    writable = columns[_TEXT]
    columns[_TEXT] = replace(writable, marks=writable.marks | {"readonly"})
    again(step(beside_read_only))
    columns[_TEXT] = writable
    back = time.monotonic() + OUTAGE
    trial.crm.html_503(10**6)
    refused = step(in_an_outage)
    time.sleep(max(0.0, back - time.monotonic()))
    trial.crm.faults.clear()
    post(trial.program.port, refused)
    trial.settled(2 * OUTAGE, lambda: not called(trial.contact(people[in_an_outage]) or {}))
    records = {situation: trial.contact(person) for situation, person in people.items()}
    reachable = [each.__name__ for each, record in records.items() if record and SITUATIONS[each](record)]
    missing = [each.__name__ for each, record in records.items() if record is None]
    note = f"reachable: {', '.join(reachable) or 'nobody'}; without a record: {', '.join(missing) or 'nobody'}"
    print(f"{trial.program.name}: {note}", file=sys.stderr, flush=True)
    trial.numbers["opt-outs exposed"] = len(reachable)


def judged(trial: Trial, events: int, people: int) -> None:
    """Count what a program does wrong. Speed does not matter here."""
    trial.program.start()
    disordered(trial, people)
    exposed(trial)
    crashed(trial, events)


def trials(installed: Path, events: int, people: int) -> list[Trial]:
    """Measure each program's speed alone, then judge all at the same time, because they wait for most of it."""
    with ExitStack() as closing:
        engines, done = closing.enter_context(databases()), []
        for number in range(3):
            crm = SalesforceSandbox(latency=LATENCY, daily_limit=10**9)
            closing.enter_context(crm)
            folder = Path(closing.enter_context(tempfile.TemporaryDirectory()))
            program = _program(number, folder, installed, engines.made_postgres(f"rival{number}"), crm)
            closing.callback(program.close)
            done.append(Trial(program, crm))
            loaded(done[-1], events)
            program.kill()
        with ThreadPoolExecutor(len(done)) as side_by_side:
            for judging in [side_by_side.submit(judged, trial, events, people) for trial in done]:
                judging.result()
    return done


def _program(number: int, folder: Path, installed: Path, database: str, crm: SalesforceSandbox) -> Program:
    if number == 0:
        return Connector(folder, database, crm)
    return N8n(folder, installed, database, crm, answers_first=number == 1)


def figures(events: int, people: int, installed: Path = FOLDER) -> list[Figure]:
    """Measure all programs; ours first, n8n beside it. events: of a run. people: whose updates come out of order."""
    configure("error")
    install(installed)
    ours, *others = trials(installed, events, people)
    rows = {
        "acknowledged, 32 connections": ("events/s", ""),
        "until all are in the CRM": ("events/s", ""),
        "calls of the CRM": ("per 1,000 events", ""),
        "lost after kill -9": (f"of {events:,} events", "<= 0"),
        "there twice after kill -9": (f"of {events:,} records", "<= 0"),
        "an older value replaced a newer one": (f"of {people} customers", "<= 0"),
        "opt-outs exposed": (f"of {len(SITUATIONS)} situations", "<= 0"),
        "memory, idle": ("MB", ""),
        "memory, under this load": ("MB", ""),
    }
    return [
        Figure("Beside n8n in queue mode", name, unit, [ours.numbers[name]],
               [Beside(other.program.name, [other.numbers[name]]) for other in others], wanted)
        for name, (unit, wanted) in rows.items()
    ]  # fmt: skip


def main() -> None:
    """Print one section."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--events", type=int, default=2000, help="of each run")
    arguments.add_argument("--people", type=int, default=50, help="whose updates come out of order")
    arguments.add_argument("--folder", type=Path, default=FOLDER, help="where n8n is installed")
    chosen = arguments.parse_args()
    print(table(figures(chosen.events, chosen.people, chosen.folder)))


if __name__ == "__main__":
    main()
