"""map: the records a mapping would make of one event's file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from connector.carecycle import catalogue, recognise
from connector.cli.check import TIMEZONE, existing_file, schema_option
from connector.cli.options import json_option, show_json
from connector.errors import FixConfiguration
from connector.mapping import target
from connector.mapping.planning import plan
from connector.model import Event, Lookup, Plan, Ref, Write
from connector.running import bootstrap


@click.command("map")
@click.argument("mapping_file", metavar="MAPPING", type=existing_file)
@click.argument("event_file", metavar="EVENT.json", type=existing_file)
@schema_option
@json_option
def map_(mapping_file: Path, event_file: Path, schema: Path | None, as_json: bool) -> None:
    """Print the records a mapping would make of one event, what is withheld and why."""
    known = target.load(schema) if schema else None
    compiled = bootstrap.load_mapping(mapping_file, known)
    planned = plan(_event(event_file), compiled, timezone=TIMEZONE)
    if as_json:
        show_json(_as_data(planned))
        return
    click.echo(_as_text(planned))


def _event(path: Path) -> Event:
    try:
        payload = json.loads(path.read_bytes())
    except ValueError:
        raise FixConfiguration(str(path), "is not JSON") from None
    reading = recognise.read(payload, str(path))
    if reading is None:
        raise FixConfiguration(
            str(path), "is an event of no known type", f"event_type is one of {', '.join(catalogue.EVENTS)}"
        )
    for problem in reading.problems:
        click.echo(f"left out: {problem}", err=True)
    return reading.event("example", path.name, 0)


def _as_data(planned: Plan) -> dict[str, Any]:
    names = {write.key: write.name for write in planned.writes}
    return {
        "records": [
            {
                "record": write.name,
                "object": write.key.object,
                "mode": write.mode,
                "key": {write.key.field: write.key.value},
                "fields": _fields(write, names),
                "rules": {name: one.rule for name, one in write.fields.items() if one.rule != "always"},
                "associate": [names[key] for key in write.links if key in names],
                "also_match": [dict(step) for step in write.also_match],
                "unsubscribe": write.unsubscribe,
            }
            for write in planned.writes
        ],
        "withheld": [{"record": one.record, "field": one.field, "by": one.flag} for one in planned.withheld],
        "reason": planned.reason,
    }


def _fields(write: Write, names: dict[Any, str]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name, one in write.fields.items():
        match one.value:
            case Ref(key):
                fields[name] = f"(the id of {names.get(key, key.object)})"
            case Lookup() as lookup:
                fields[name] = f"({lookup.returns} of the {lookup.object} whose {lookup.match} is {lookup.value})"
            case value:
                fields[name] = value
    return fields | dict.fromkeys(write.flags.values(), True)


_READS = {
    "on_create": "only on a new record: costs one look",
    "if_blank": "only where the CRM holds nothing: costs one look",
    "unless_edited": "only while the CRM holds what we last wrote: costs one look",
}


def _as_text(planned: Plan) -> str:
    lines = []
    for record in _as_data(planned)["records"]:
        ((key, value),) = record["key"].items()
        lines.append(f"{record['record']}: {record['mode']} {record['object']} by {key} = {value}")
        for name, sent in record["fields"].items():
            rule = _READS.get(record["rules"].get(name, ""), "")
            lines.append(f"  {name} = {json.dumps(sent, ensure_ascii=False)}" + (f"   [{rule}]" if rule else ""))
        lines += [f"  associated with {other}" for other in record["associate"]]
        lines += [f"  adopts a record whose {' and '.join(step)} agree" for step in record["also_match"]]
        if record["unsubscribe"]:
            lines.append("  the address is opted out through the CRM's subscription service too")
    for one in planned.withheld:
        lines.append(f"withheld by {one.flag}: {one.record}{'.' + one.field if one.field else ' (the whole record)'}")
    if planned.reason:
        lines.append(f"nothing is written: {planned.reason}")
    return "\n".join(lines or ["nothing is written"])
