"""A unique value for every field of every event, and every way one could be written somewhere it must not be."""

from __future__ import annotations

import base64
import re
import uuid
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import quote, quote_plus

from connector.carecycle import catalogue
from connector.carecycle.catalogue import Field, Kind, Privacy

STRANGE = {"Canary Key Strange": "canary-strange-text", "nested": {"deep": ["canary-strange-deep"]}}
PHONE = "+1312847"
_WORDS = (Kind.OBJECT, Kind.BOOLEAN, Kind.ENUM)
_TOLD = {"event.type", "customer.id", "customer.createdAt", "customer.updatedAt", "call.id", "call.createdAt"}
"""What is kept in columns and shown as it is: ids, kinds and the times of the source."""


def planted(field: Field) -> Any:
    """The value of one field: nothing else anywhere looks like it."""
    number = list(catalogue.FIELDS).index(field.path)
    match field.kind:
        case Kind.BOOLEAN:
            return field.path.endswith(("veteran", "doNotSMS"))
        case Kind.INTEGER:
            return 910_000_000 + number
        case Kind.DATE:
            return f"1931-{number % 12 + 1:02}-{number % 28 + 1:02}"
        case Kind.DATETIME:
            return f"1977-03-04T05:06:07.{number:03}Z"
        case Kind.LIST:
            return [f"canary-{number}-item"]
        case Kind.ENUM:
            return field.options[0]  # a word of everybody's: what is unknown is planted apart
        case Kind.UUID:
            return str(uuid.uuid5(uuid.NAMESPACE_OID, field.path))
        case _:
            return _text(field, number)


def _text(field: Field, number: int) -> str:
    if field.length == 2:
        return "AZ"
    if field.path.endswith("phoneNumber"):
        return f"{PHONE}{1900 + number}"
    return f"canary-{number}@canary.example" if "email" in field.path.lower() else f"Canary-{number} text"


def event(event_type: str, customer_id: str, **changes: Any) -> dict[str, Any]:
    """An event with every field planted, and fields no catalogue knows. `changes` are of the payload itself."""
    made: dict[str, Any] = {}
    for path, field in catalogue.FIELDS.items():
        if event_type in catalogue.carried_by(path) and field.kind is not Kind.OBJECT:
            *way, last = catalogue.steps(path, event_type)
            part = made
            for step in way:
                part = part.setdefault(step, {})
            part[last] = planted(field)
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    person = made["customer"] if event_type == "call.completed" else made
    person |= {"id": customer_id, "createdAt": now, "updatedAt": now, **STRANGE}
    return {**made, "event_type": event_type, "createdAt": now, **changes}


def needles(*, private: bool = False) -> list[str]:
    """Everything planted that must be nowhere; `private`: that no masked page may show."""
    hidden = (one for one in catalogue.FIELDS.values() if not private or one.privacy is not Privacy.OPERATIONAL)
    found = [planted(one) for one in hidden if one.path not in _TOLD and one.kind not in _WORDS]
    told = [str(part) for value in found for part in (value if isinstance(value, list) else [value])]
    beyond = ["canary-strange", "Canary Key Strange"] + ([] if private else ["canary-odd"])
    return [one for one in dict.fromkeys(told) if len(one) > 2] + beyond


def _spelt(value: str) -> Iterator[str]:
    yield value
    yield quote(value, safe="")
    yield quote_plus(value)
    yield value.encode().hex()
    if value.startswith(PHONE):
        area, office, line = value[2:5], value[5:8], value[8:]
        yield from (
            value[1:],
            value[2:],
            f"({area}) {office}-{line}",
            f"{area}-{office}-{line}",
            f"{area} {office} {line}",
        )
    if len(value) == 10 and value.startswith("1931"):
        day = date.fromisoformat(value)
        yield from (f"{day:%m/%d/%Y}", f"{day:%Y%m%d}", f"{day:%d.%m.%Y}")
        yield str(int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1000))


def _encoded(value: str) -> Iterator[bytes]:
    """What is left of a value in the base64 of a text around it, at each of its three alignments."""
    for before in range(3):
        text = base64.b64encode(b"\0" * before + value.encode())
        yield text[(before * 8 + 5) // 6 : -4]


def _holds(content: bytes, form: bytes) -> bool:
    """Whether it stands there; a few digits inside a digest or a random id are there by chance."""
    if not form.isdigit() or len(form) > 12:
        return form in content
    runs = re.finditer(rb"[0-9a-f]*" + form + rb"[0-9a-f]*", content) if form in content else ()
    return any(len(run[0]) < 16 or run[0].isdigit() for run in runs)


def finds(values: Iterable[str], places: Mapping[str, bytes]) -> list[str]:
    """Which value, in which of its spellings, stands in which place."""
    lower = {name: content.lower() for name, content in places.items()}
    found = []
    for value in values:
        for spelt in dict.fromkeys(_spelt(value)):
            for form in (spelt.lower().encode(), spelt.lower().encode("utf-16-le")):
                found += [f"{spelt} in {name}" for name, content in lower.items() if _holds(content, form)]
        for form in _encoded(value):
            found += [f"{value} as base64 in {name}" for name, content in places.items() if form in content]
    return found
