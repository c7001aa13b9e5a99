"""map: the records a mapping makes from an event file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, TypedDict

import click

from connector.carecycle import catalogue, recognise
from connector.cli.options import existing_file, json_option, mapping_file, schema_option, show_json
from connector.errors import FixConfiguration
from connector.mapping import target
from connector.mapping.examples import ZONE
from connector.mapping.planning import plan
from connector.mapping.regular import read_file
from connector.model import Event, Lookup, Plan, Ref, Write
from connector.running import bootstrap


class _Record(TypedDict):
    """A record that would be written. fields: by name. rules: of fields that are not always written."""

    record: str
    object: str
    mode: str
    key: dict[str, Any]
    fields: dict[str, Any]
    rules: dict[str, str]
    associate: list[str]
    also_match: list[dict[str, Any]]
    unsubscribe: str | None
    lacking: list[str]


class _WithheldField(TypedDict):
    record: str
    field: str
    by: str


_MOST: Final = 64 * 1024 * 1024
_UntranslatedField = TypedDict("_UntranslatedField", {"record": str, "field": str, "from": str})


class _Planned(TypedDict):
    records: list[_Record]
    spoken: list[str]
    withheld: list[_WithheldField]
    untranslated: list[_UntranslatedField]
    reason: str


@click.command("map")
@click.argument("mapping", metavar="MAPPING", type=mapping_file)
@click.argument("event_file", metavar="EVENT.json", type=existing_file)
@schema_option
@json_option(_Planned)
def map_(mapping: Path, event_file: Path, schema: Path | None, as_json: bool) -> None:
    """Print the records a mapping makes from one event, and what consent withholds."""
    known = target.load(schema) if schema else None
    compiled = bootstrap.load_mapping(mapping, known)
    planned = plan(_event(event_file), compiled, timezone=ZONE)
    if as_json:
        show_json(_as_data(planned))
        return
    click.echo(_as_text(planned))


def _event(path: Path) -> Event:
    try:
        payload = json.loads(read_file(path, _MOST))
    except OSError as error:
        raise FixConfiguration(str(path), f"cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise FixConfiguration(str(path), "is not JSON") from None
    reading = recognise.read(payload, str(path))
    if reading is None:
        raise FixConfiguration(
            str(path), "is not an event of a known type", f"event_type must be one of {', '.join(catalogue.EVENTS)}"
        )
    for field in reading.unread:
        click.echo(f"left out: {field}", err=True)
    return reading.event("example", path.name, 0)


def _as_data(planned: Plan) -> _Planned:
    names = {write.key: write.name for write in planned.writes}
    return {
        "records": [
            {
                "record": write.name,
                "object": write.key.object,
                "mode": write.mode,
                "key": {write.key.field: write.key.value},
                "fields": _fields(write, names),
                "rules": {name: field.rule for name, field in write.fields.items() if field.rule != "always"},
                "associate": [names[key] for key in write.links if key in names],
                "also_match": [{fact.field: fact.value for fact in step} for step in write.also_match],
                "unsubscribe": write.unsubscribe,
                "lacking": list(write.lacking),
            }
            for write in planned.writes
        ],
        "spoken": sorted(planned.spoken),
        "withheld": [{"record": item.record, "field": item.field, "by": item.flag} for item in planned.withheld],
        "untranslated": [
            {"record": value.record, "field": value.field, "from": value.path} for value in planned.untranslated
        ],
        "reason": planned.reason,
    }


def _fields(write: Write, names: dict[Any, str]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name, field in write.fields.items():
        match field.value:
            case Ref(key):
                fields[name] = f"(the id of {names.get(key, key.object)})"
            case Lookup() as lookup:
                fields[name] = f"({lookup.described()})"
            case value:
                fields[name] = value
    return fields | dict.fromkeys(write.flags.values(), True)


_READS = {
    "on_create": "only on a new record: costs one lookup",
    "if_blank": "only if the field is empty in the CRM: costs one lookup",
    "forward": "only if it is further along its list than the CRM's value: costs one lookup",
    "unless_edited": "only if the CRM still holds what we last wrote: costs one lookup",
}


def _as_text(planned: Plan) -> str:
    lines = [line for record in _as_data(planned)["records"] for line in _record_lines(record)]
    if planned.spoken:
        lines.append(f"raised by this event itself: {', '.join(sorted(planned.spoken))}")
    for item in planned.withheld:
        what = f".{item.field}" if item.field else " (the whole record)"
        lines.append(f"withheld by {item.flag}: {item.record}{what}")
    for value in planned.untranslated:
        lines.append(f"not translated: {value.record}.{value.field}, a value of {value.path}")
    if planned.reason:
        lines.append(f"nothing is written: {planned.reason}")
    return "\n".join(lines or ["nothing is written"])


def _record_lines(record: _Record) -> Iterator[str]:
    ((key, value),) = record["key"].items()
    yield f"{record['record']}: {record['mode']} {record['object']} by {key} = {value}"
    for name, sent in record["fields"].items():
        rule = _READS.get(record["rules"].get(name, ""), "")
        yield f"  {name} = {json.dumps(sent, ensure_ascii=False)}" + (f"   [{rule}]" if rule else "")
    yield from (f"  associated with {other}" for other in record["associate"])
    yield from (
        f"  adopts a record your team created with the same {' and '.join(step)}" for step in record["also_match"]
    )
    if record["also_match"]:
        yield "    if the names agree and it is the only one; otherwise you are asked"
    for name in record["lacking"]:
        yield f"  {name} is required and has no value: not written until an event has one"
    if record["unsubscribe"]:
        yield "  the address is also opted out through the CRM's subscription service"
