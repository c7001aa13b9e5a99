"""Builders of small mappings, events and plans; every default is valid."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from connector import mapping
from connector.carecycle import recognise
from connector.destinations import VENDORS
from connector.mapping import target
from connector.mapping.example_events import example
from connector.mapping.planning import plan
from connector.model import Event, Plan

HERE = Path(__file__).parent
SHARED = HERE / "shared"
SHIPPED = HERE.parent.parent / "mappings"
SCHEMAS = {crm: target.load(HERE / f"{crm}.describe.json") for crm in ("salesforce", "hubspot")}
ZONE = "America/Chicago"

WAIVED = "{ waive: [doNotCall, doNotSMS, doNotEmail, doNotMail] }"
CALL = """\
call:
  object: Task
  events: [call.completed]
  key: { careCycle_Call_Id__c: call.id }
  fields:
    Status: { value: Completed }
"""


def mapping_text(*fields: str, top: str = "", consent: str = WAIVED, record: str = "", records: str = "") -> str:
    """A Salesforce mapping of one contact: line 6 is the key, line 8 the last name, the first extra field line 9."""
    lines = ["version: 1", "crm: salesforce", f"consent: {consent}", "records:"]
    lines += [
        "  contact:",
        "    key: { careCycle_Id__c: customer.id }",
        "    fields:",
        "      LastName: customer.lastName",
    ]
    lines += [f"      {field}" for field in fields]
    lines += ["    object: Contact", *(f"    {line}" for line in record.splitlines())]
    lines += [f"  {line}" for line in records.splitlines()]
    return "\n".join([*lines, *top.splitlines()]) + "\n"


def load(text: str, *, schema: str | None = "salesforce", shipped: Path = SHARED) -> mapping.Loaded:
    return mapping.load_text(text, "it.yaml", schema=SCHEMAS[schema] if schema else None, shipped=shipped, crms=VENDORS)


def findings(text: str, *, schema: str | None = "salesforce") -> list[tuple[str, int, int]]:
    """What a mapping is told: (code, line, column)."""
    return [(d.code, d.line, d.col) for d in load(text, schema=schema).diagnostics]


def found_and_marked(text: str, **how: str | None) -> tuple[list[tuple[str, int, int]], list[tuple[int, int]]]:
    """What a mapping is told, and the places its text marks with a paragraph sign."""
    marked = []
    while "§" in text:
        before, _, after = text.partition("§")
        marked.append((before.count("\n") + 1, len(before) - before.rfind("\n")))
        text = before + after
    return findings(text, **how), marked


def compiled(text: str, *, schema: str | None = "salesforce") -> mapping.Mapping:
    loaded = load(text, schema=schema)
    assert loaded.mapping is not None, mapping.render(loaded.diagnostics, loaded.texts)
    return loaded.mapping


def an_event(type: str = "customer.updated", *, message_id: str = "msg_1", **given: Any) -> Event:
    """The catalogue's example with some fields changed; `customer__status` stands for customer.status."""
    payload = example(type, {name.replace("__", "."): value for name, value in given.items()})
    return event_of(payload, type, message_id)


def event_of(payload: dict[str, Any], type: str, message_id: str = "msg_1") -> Event:
    reading = recognise.read(payload, message_id)
    assert reading is not None
    return reading.event("acme", message_id, reading.source_time or 0)


def planned(text: str, event: Event, *, schema: str | None = "salesforce", timezone: str = ZONE) -> Plan:
    return plan(event, compiled(text, schema=schema), timezone=timezone)


def sent(text: str, event: Event, *, schema: str | None = "salesforce", timezone: str = ZONE) -> dict[str, Any]:
    """The values the one contact of a small mapping is sent."""
    (write,) = planned(text, event, schema=schema, timezone=timezone).writes
    return {name: field.value for name, field in write.fields.items()}
