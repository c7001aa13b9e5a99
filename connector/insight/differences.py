"""Compare what two mappings make of one event, field by field. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field as attribute  # a class below has a field of its own called 'field'
from typing import Any

from connector.model import Plan, Write

WHOLE = "(the whole record)"
"""The field name of a change that concerns the whole record."""


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. kind: added, removed or changed; field: a CRM field, WHOLE, or a property such as `(key)`.

    was, would_be: the two values, which the caller must mask. line: the new mapping's line for the field, 0 if none.
    """

    record: str
    field: str
    kind: str
    was: Any = attribute(default=None, repr=False)
    would_be: Any = attribute(default=None, repr=False)
    line: int = 0


def compare(was: Plan, would_be: Plan) -> list[Change]:
    """List the differences between two plans of one event, in the order of the records."""
    old = {write.name: write for write in was.writes}
    new = {write.name: write for write in would_be.writes}
    return [change for name in dict.fromkeys([*old, *new]) for change in _record(name, old.get(name), new.get(name))]


def _record(name: str, was: Write | None, would_be: Write | None) -> Iterator[Change]:
    if was is None or would_be is None:
        yield Change(name, WHOLE, _kind(was, would_be))
        return
    lines = {target: written.line for target, written in would_be.fields.items()}
    before, after = _contents(was), _contents(would_be)
    for target in dict.fromkeys([*before, *after]):
        old, new = before.get(target), after.get(target)
        if old != new:
            yield Change(name, target, _kind(old, new), old and old[-1], new and new[-1], lines.get(target, 0))


def _kind(old: object | None, new: object | None) -> str:
    if old is None:
        return "added"
    return "removed" if new is None else "changed"


def _contents(write: Write) -> dict[str, tuple[Any, ...]]:
    """List everything a write sets, by field, the value last. The type is included because 1 == 1.0 == True."""
    properties = {
        "(object)": write.key.object,
        "(key)": (write.key.field, write.key.value),
        "(mode)": write.mode,
        "(links)": write.links or None,
        "(also_match)": write.also_match or None,
        "(unsubscribe)": write.unsubscribe,
    }
    contents: dict[str, tuple[Any, ...]] = {name: (part,) for name, part in properties.items() if part is not None}
    for name, written in write.fields.items():
        contents[name] = (written.rule, written.guards, type(written.value), written.value)
    for target in write.flags.values():
        contents[target] = (bool, True)
    return contents
