"""How long a mapping takes: 25 fields (20 paths, 2 tables, 2 conditions, 1 join) of one customer.updated.

    python benchmarks/mapping.py [--rounds 41] [--node-modules DIR]

Beside it, turn by turn in one run: a function written by hand for the same output, and Segment's mapping-kit
(`npm install --prefix DIR @segment/actions-core liquidjs`, then `--node-modules DIR/node_modules`): once with equal
output, its tables and comparisons written in Liquid as it wants them, once without them, as cheap as it gets.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Any

from connector.catalogue import ABSENT, FLAGS
from connector.mapping import Mapping as CompiledMapping
from connector.mapping import load_text, shipped_folder
from connector.mapping.example_events import EXAMPLES
from connector.model import Event
from connector.plan import plan

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
RUNNER = """
const { transform } = require('@segment/actions-core')
const [mapping, payload] = [process.argv[1], process.argv[2]].map(JSON.parse)
console.log(JSON.stringify(transform(mapping, payload)))
require('readline').createInterface({ input: process.stdin }).on('line', (count) => {
  const began = process.hrtime.bigint()
  for (let i = 0; i < Number(count); i++) transform(mapping, payload)
  console.log(String(process.hrtime.bigint() - began))
})
"""


def by_hand(payload: Mapping[str, Any]) -> dict[str, Any]:
    """The same output, as somebody would write it without a mapping language."""
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
    """The fields alone of the compiled mapping: no key, no consent, no watermarks."""
    fields = [(one.target, one.get) for one in mapping.programs["customer.updated"].records[0].fields]
    zone: tzinfo = UTC

    def made(payload: Mapping[str, Any]) -> dict[str, Any]:
        out: dict[str, Any] = {}
        for target, get in fields:
            value = get(payload, zone)
            if value is not None and value is not ABSENT:
                out[target] = value
        return out

    return made


class Kit:
    """Segment's mapping-kit in a Node process of its own; only the work inside is timed."""

    def __init__(self, modules: Path, mapping: Mapping[str, Any], payload: Mapping[str, Any]) -> None:
        command = ["node", "-e", RUNNER, json.dumps(mapping), json.dumps(payload)]
        environment = {**os.environ, "NODE_PATH": str(modules.resolve())}
        self.node = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        assert self.node.stdout is not None
        self.made = {name: value for name, value in json.loads(self.node.stdout.readline()).items() if value}

    def __call__(self, count: int) -> float:
        assert self.node.stdin is not None
        assert self.node.stdout is not None
        self.node.stdin.write(f"{count}\n")
        return int(self.node.stdout.readline()) / count / 1e3

    def stop(self) -> None:
        self.node.kill()
        self.node.communicate()


def timed(work: Callable[[], object]) -> Callable[[int], float]:
    """count -> microseconds of one run."""

    def run(count: int) -> float:
        began = time.perf_counter_ns()
        for _ in range(count):
            work()
        return (time.perf_counter_ns() - began) / count / 1e3

    return run


def contestants(payload: Mapping[str, Any]) -> dict[str, Callable[[int], float]]:
    mapping = load_text(MAPPING, "benchmark.yaml", shipped=shipped_folder()).mapping
    assert mapping is not None
    fields, event = fields_of(mapping), Event("a", "m", "customer.updated", "c", 0, 0, payload)
    assert fields(payload) == by_hand(payload)
    body = json.dumps(payload)
    return {
        "by hand": timed(lambda: by_hand(payload)),
        "mapping: fields alone": timed(lambda: fields(payload)),
        "mapping: whole plan": timed(lambda: plan(event, mapping, timezone="America/New_York")),
        "for scale: json.loads of the body": timed(lambda: json.loads(body)),
    }


def kits_of(modules: Path, payload: Mapping[str, Any]) -> dict[str, Kit]:
    equal = Kit(modules, KIT_EQUAL, payload)
    assert equal.made == {name: value for name, value in by_hand(payload).items() if value}
    return {
        "mapping-kit: equal output": equal,
        "mapping-kit: its own directives": Kit(modules, KIT_PATHS, payload),
    }


def main() -> None:
    asked = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    asked.add_argument("--rounds", type=int, default=41)
    asked.add_argument("--node-modules", type=Path, help="where @segment/actions-core is installed")
    given = asked.parse_args()
    payload = dict(EXAMPLES["customer.updated"])
    runs: dict[str, Callable[[int], float]] = contestants(payload)
    installed = shutil.which("node") and given.node_modules and (given.node_modules / "@segment/actions-core").is_dir()
    kits = kits_of(given.node_modules, payload) if installed else {}
    runs |= kits
    took: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(given.rounds + 3):  # three to warm up
        for name, run in runs.items():
            microseconds = run(200 if name in kits else 1000)
            if turn >= 3:
                took[name].append(microseconds)
    for kit in kits.values():
        kit.stop()
    show(took, given.rounds)
    if not kits:
        print("Segment's mapping-kit: not installed.")
        print("npm install --prefix DIR @segment/actions-core liquidjs, then --node-modules DIR/node_modules")


def show(took: Mapping[str, list[float]], rounds: int) -> None:
    base = statistics.median(took["by hand"])
    print(f"{rounds} interleaved rounds, Python {sys.version.split()[0]}; microseconds an event")
    print(f"{'':36}{'median':>8}{'  quartiles':>18}{'by hand = 1':>14}")
    for name, times in took.items():
        low, middle, high = statistics.quantiles(times, n=4)
        print(f"{name:36}{middle:8.2f}{low:9.2f} -{high:7.2f}{middle / base:13.2f}x")


if __name__ == "__main__":
    main()
