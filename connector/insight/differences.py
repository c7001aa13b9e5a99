"""How two mappings differ over one event: what each would say of every record, field by field. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field as attribute  # a class below has a field of its own called 'field'
from typing import Any

from connector.model import Plan, Write

WHOLE = "(the whole record)"
"""The field of a change that is about a whole record."""


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. kind: added, removed or changed; field: WHOLE for a record, `(key)`, `(mode)`... for its frame.

    was, would_be: what either mapping says, for a caller that masks it. line: where the new mapping says so, 0 where
    it does not.
    """

    record: str
    field: str
    kind: str
    was: Any = attribute(default=None, repr=False)
    would_be: Any = attribute(default=None, repr=False)
    line: int = 0


def compare(was: Plan, would_be: Plan) -> list[Change]:
    """Every difference between two plans of one event, in the order of the records."""
    old = {write.name: write for write in was.writes}
    new = {write.name: write for write in would_be.writes}
    return [change for name in dict.fromkeys([*old, *new]) for change in _record(name, old.get(name), new.get(name))]


def _record(name: str, was: Write | None, would_be: Write | None) -> Iterator[Change]:
    if was is None or would_be is None:
        yield Change(name, WHOLE, "added" if was is None else "removed")
        return
    lines = {target: one.line for target, one in would_be.fields.items()}
    old, new = _said(was), _said(would_be)
    for target in dict.fromkeys([*old, *new]):
        one, other = old.get(target), new.get(target)
        if one != other:
            kind = "added" if one is None else "removed" if other is None else "changed"
            yield Change(name, target, kind, one and one[-1], other and other[-1], lines.get(target, 0))


def _said(write: Write) -> dict[str, tuple[Any, ...]]:
    """Everything a write says, by field; the last of each is the value. The type counts: 1, 1.0 and true differ."""
    frame = {
        "(object)": write.key.object,
        "(key)": (write.key.field, write.key.value),
        "(mode)": write.mode,
        "(links)": write.links or None,
        "(also_match)": write.also_match or None,
        "(unsubscribe)": write.unsubscribe,
    }
    said: dict[str, tuple[Any, ...]] = {name: (part,) for name, part in frame.items() if part is not None}
    for name, one in write.fields.items():
        said[name] = (one.rule, one.guards, type(one.value), one.value)
    for target in write.flags.values():
        said[target] = (bool, True)
    return said
