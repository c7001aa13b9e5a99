"""How long a mapping takes: 25 fields (20 paths, 2 tables, 2 conditions, 1 join) of a customer.updated event.

    python -m benchmarks.mapping [--rounds 41] [--node-modules DIR] [--before COMMIT]

Compared in the same run, taking turns and giving the same output: a function written by hand, an older version of ours,
and the engines of peers/package.json, the last two each in its own process that times its own loop. mapping-kit also
runs without tables and comparisons, which it writes in Liquid; that is its fastest case.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.figures import Beside, Failed, Figure, table
from benchmarks.sides import Older, Side, prepared
from connector.carecycle.catalogue import ABSENT, FLAGS
from connector.destinations import VENDORS
from connector.mapping import Mapping as CompiledMapping
from connector.mapping import load_text, shipped_folder
from connector.mapping.example_events import EXAMPLES
from connector.mapping.planning import plan
from connector.model import Event

PATHS = {
    "externalId": "External_Id__c", "salutation": "Salutation", "firstName": "FirstName", "middleName": "MiddleName",
    "lastName": "LastName", "suffix": "Suffix", "preferredName": "Nickname__c", "email": "Email",
    "phoneNumber": "Phone", "city": "MailingCity", "county": "County__c", "state": "MailingState",
    "postalCode": "MailingPostalCode",
    "timezone": "Timezone__c", "dateOfBirth": "Birthdate", "householdIncome": "Household_Income__c",
    "gender": "Gender__c", "agentName": "Agent__c", "agentNpn": "Agent_NPN__c", "veteran": "Veteran__c",
}  # fmt: skip
STATUS = {"Lead": "Open - Not Contacted", "Active": "Working", "Inactive": "Closed"}
LANGUAGE = {"en": "English", "es": "Spanish"}
BETWEEN = "\n      "
MAPPING = f"""
version: 1
crm: salesforce
consent: {{ waive: [{", ".join(FLAGS)}] }}
tables:
  status: {json.dumps(STATUS)}
  language: {json.dumps(LANGUAGE | {"else": "Other"})}
records:
  contact:
    object: Contact
    events: [customer.updated]
    key: {{ careCycle_Id__c: customer.id }}
    fields:
      {BETWEEN.join(f"{target}: customer.{name}" for name, target in PATHS.items())}
      Status__c: {{ from: customer.status, table: status }}
      Language__c: {{ from: customer.language, table: language }}
      MobilePhone: {{ from: customer.phoneNumber, when: {{ customer.lineType: mobile }} }}
      HomePhone: {{ from: customer.phoneNumber, when: {{ customer.lineType: landline }} }}
      MailingStreet: {{ join: [customer.address, customer.address2], with: ", " }}
"""
KIT_PATHS: dict[str, Any] = {target: {"@path": f"$.{name}"} for name, target in PATHS.items()} | {
    "Status__c": {"@path": "$.status"},
    "Language__c": {"@path": "$.language"},
    "MobilePhone": {"@if": {"exists": {"@path": "$.lineType"}, "then": {"@path": "$.phoneNumber"}}},
    "HomePhone": {"@if": {"blank": {"@path": "$.lineType"}, "then": {"@path": "$.phoneNumber"}}},
    "MailingStreet": {"@template": "{{address}}, {{address2}}"},
}


def _liquid_table(name: str, table: Mapping[str, str], otherwise: str) -> dict[str, str]:
    tests = [f'if {name} == "{key}" %}}{value}' for key, value in table.items()]
    return {"@liquid": f"{{% {'{% els'.join(tests)}{{% else %}}{otherwise}{{% endif %}}"}


def _liquid_phone(line: str) -> dict[str, str]:
    return {"@liquid": f'{{% if lineType == "{line}" %}}{{{{ phoneNumber }}}}{{% endif %}}'}


KIT_EQUAL = KIT_PATHS | {
    "Status__c": _liquid_table("status", STATUS, ""),
    "Language__c": _liquid_table("language", LANGUAGE, "Other"),
    "MobilePhone": _liquid_phone("mobile"),
    "HomePhone": _liquid_phone("landline"),
}


def _json_template() -> str:
    """Write the mapping in RudderStack's JSON template language, which has conditions but no tables."""
    fields = {target: f".{name}" for name, target in PATHS.items()} | {
        "Status__c": " : ".join(f'.status === "{key}" ? "{value}"' for key, value in STATUS.items()) + " : undefined",
        "Language__c": " : ".join(f'.language === "{key}" ? "{value}"' for key, value in LANGUAGE.items())
        + ' : "Other"',
        "MobilePhone": '.lineType === "mobile" ? .phoneNumber : undefined',
        "HomePhone": '.lineType === "landline" ? .phoneNumber : undefined',
        "MailingStreet": '[.address, .address2].filter(lambda ?0).join(", ")',
    }
    return f"{{{', '.join(f'{json.dumps(target)}: {value}' for target, value in fields.items())}}}"


def _jsonata() -> str:
    fields = {target: name for name, target in PATHS.items()} | {
        "Status__c": f"$lookup({json.dumps(STATUS)}, status)",
        "Language__c": f'($found := $lookup({json.dumps(LANGUAGE)}, language); $found ? $found : "Other")',
        "MobilePhone": 'lineType = "mobile" ? phoneNumber',
        "HomePhone": 'lineType = "landline" ? phoneNumber',
        "MailingStreet": '$join([address, address2][$ != ""], ", ")',
    }
    return f"{{{', '.join(f'{json.dumps(target)}: {value}' for target, value in fields.items())}}}"


PEERS = {
    "mapping-kit (Segment)": ("mapping-kit", json.dumps(KIT_EQUAL)),
    "json-template-engine (RudderStack)": ("json-template", _json_template()),
    "workflow-engine (RudderStack)": ("workflow", _json_template()),
    "JSONata": ("jsonata", _jsonata()),
}
CHEAPEST = "mapping-kit, its own directives alone"


def by_hand(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Produce the same output as one function, the way a programmer would without a mapping language."""
    made: dict[str, Any] = {}
    for name, target in PATHS.items():
        value = payload.get(name)
        if value is not None and value != "":
            made[target] = value
    if (status := STATUS.get(payload.get("status") or "")) is not None:
        made["Status__c"] = status
    if language := payload.get("language"):
        made["Language__c"] = LANGUAGE.get(language, "Other")
    phone, line = payload.get("phoneNumber"), payload.get("lineType")
    if phone and line == "mobile":
        made["MobilePhone"] = phone
    if phone and line == "landline":
        made["HomePhone"] = phone
    if street := ", ".join(part for part in (payload.get("address"), payload.get("address2")) if part):
        made["MailingStreet"] = street
    return made


def fields_of(mapping: CompiledMapping) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """Return a function that fills only the fields of the compiled mapping: no key, no consent, no watermarks."""
    record, zone = mapping.programs["customer.updated"].records[0], UTC
    if hasattr(record, "readings"):
        field_reader = importlib.import_module("connector.mapping.field_reader")  # which an older version does not have
        read = field_reader.reader([reading._replace(usual=None) for reading in record.readings])
        return lambda payload: read(payload, zone, (), {}, [])
    if hasattr(record, "read"):  # as the older version compiles it
        return lambda payload: record.read(payload, zone)
    fields = [(field.target, field.get) for field in record.fields]  # or one older still

    def made(payload: Mapping[str, Any]) -> dict[str, Any]:
        out: dict[str, Any] = {}
        for target, get in fields:
            value = get(payload, zone)
            if value is not None and value is not ABSENT:
                out[target] = value
        return out

    return made


class Peer:
    """An engine in its own process, where only the mapping is timed: a count goes in, nanoseconds come out."""

    def __init__(self, start: Callable[..., subprocess.Popen[str]]) -> None:
        self._process = start(stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        assert self._process.stdout is not None
        self.made = {name: value for name, value in json.loads(self._process.stdout.readline()).items() if value}

    def __call__(self, count: int) -> float:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{count}\n")
        return int(self._process.stdout.readline()) / count / 1e3

    def stop(self) -> None:
        self._process.kill()
        self._process.communicate()


def in_node(modules: Path, engine: str, mapping: str, payload: Mapping[str, Any]) -> Peer:
    """Start an engine of another product."""
    command = ["node", str(Path(__file__).parent / "peers/mapping.js"), engine, mapping, json.dumps(payload)]
    return Peer(partial(subprocess.Popen, command, env={**os.environ, "NODE_PATH": str(modules.resolve())}))


def serve(name: str) -> None:
    """Be a peer: time ours in this version."""
    payload = dict(EXAMPLES["customer.updated"])
    run = ours(payload)[name]
    print(json.dumps(by_hand(payload)), flush=True)
    for line in sys.stdin:
        print(int(run(int(line)) * int(line) * 1e3), flush=True)


def timed(work: Callable[[], object]) -> Callable[[int], float]:
    """Return a function that runs the work `count` times and returns microseconds per run."""

    def run(count: int) -> float:
        began = time.perf_counter_ns()
        for _ in range(count):
            work()
        return (time.perf_counter_ns() - began) / count / 1e3

    return run


def ours(payload: Mapping[str, Any]) -> dict[str, Callable[[int], float]]:
    """List what runs in this process. Raises AssertionError where outputs differ."""
    mapping = load_text(MAPPING, "benchmark.yaml", shipped=shipped_folder(), crms=VENDORS).mapping
    assert mapping is not None
    fields, event = fields_of(mapping), Event("a", "m", "customer.updated", "c", 0, 0, payload)
    assert fields(payload) == by_hand(payload)
    body = json.dumps(payload)
    return {
        HAND: timed(lambda: by_hand(payload)),
        FIELDS: timed(lambda: fields(payload)),
        PLAN: timed(lambda: plan(event, mapping, timezone="America/New_York")),
        LOADS: timed(lambda: json.loads(body)),
    }


WANTED_FIELDS, WANTED_PLAN = "<= 1.3", "<= 8"
HAND, FIELDS, PLAN, LOADS = "a function written by hand", "fields alone", "whole plan", "json.loads of the body"


def peers_of(modules: Path, payload: Mapping[str, Any]) -> dict[str, Peer]:
    """Start every engine and check that its output equals ours; add the fastest case, which does less."""
    made = {name: in_node(modules, *how, payload) for name, how in PEERS.items()}
    expected = {name: value for name, value in by_hand(payload).items() if value}
    for name, peer in made.items():
        assert peer.made == expected, f"{name} gives a different output"
    return made | {CHEAPEST: in_node(modules, "mapping-kit", json.dumps(KIT_PATHS), payload)}


def figures(rounds: int, modules: Path | None, before: Side | None) -> list[Figure | Failed]:
    """Measure in turns, in microseconds per event. Without a folder of Node modules there are no peers."""
    payload = dict(EXAMPLES["customer.updated"])
    peers = peers_of(modules, payload) if modules and shutil.which("node") else {}
    runs: dict[str, Callable[[int], float]] = {**ours(payload), **peers}
    took: dict[str, list[float]] = {name: [] for name in runs}
    older, old = Older(before), dict[str, Peer]()

    def turn_before(side: Side) -> dict[str, list[float]]:
        for name in (FIELDS, PLAN):
            if name not in old:
                old[name] = Peer(partial(side.started, "benchmarks.mapping", "--serve", name))
                old[name](3000)
        return {name: [peer(1000)] for name, peer in old.items()}

    for turn in range(rounds + 3):  # three to warm up
        for name, run in runs.items():
            microseconds = run(200 if name in peers else 1000)
            if turn >= 3:
                took[name].append(microseconds)
        older.take(turn_before)
    for peer in (*peers.values(), *old.values()):
        peer.stop()
    group, unit = "Mapping: 25 fields of one customer.updated", "µs"
    beside = [Beside(HAND, took[HAND], WANTED_FIELDS), *(Beside(name, took[name]) for name in peers)]
    whole = [Beside(HAND, took[HAND], WANTED_PLAN), Beside(LOADS, took[LOADS])]
    return [
        Figure(group, FIELDS, unit, took[FIELDS], beside + older.beside(FIELDS)),
        Figure(group, PLAN, unit, took[PLAN], whole + older.beside(PLAN)),
        *older.failures(group),
    ]


def main() -> None:
    """Print one section."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--rounds", type=int, default=41)
    arguments.add_argument("--node-modules", type=Path, help="where peers/package.json is installed")
    arguments.add_argument("--serve", choices=[FIELDS, PLAN], help=argparse.SUPPRESS)
    arguments.add_argument("--before", metavar="COMMIT", help="an older version to compare with")
    chosen = arguments.parse_args()
    if chosen.serve:
        serve(chosen.serve)
        return
    print(table(figures(chosen.rounds, chosen.node_modules, prepared(chosen.before) if chosen.before else None)))


if __name__ == "__main__":
    main()
