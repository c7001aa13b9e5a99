"""Find lines that nobody finished: a key of the format with nothing after it. A field in braces looks like one."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import takewhile
from operator import itemgetter
from typing import Final

from connector.carecycle import catalogue
from connector.mapping.diagnostics import Report
from connector.mapping.schema_blocks import keys_of, model_at
from connector.mapping.schema_conditions import Comparison, Condition, ShortBlock
from connector.mapping.tree import Loc, Node, find, find_key

_MAY_BE_NULL: Final = frozenset({"value", "default"})
"""Fixed values; null is one, and what it does is checked elsewhere. So it is in tables, tests and comparisons."""


def report_unfinished(root: Node, report: Report) -> list[Loc]:
    """Report the unfinished lines of a file; return where they are."""
    places, swallowed = list(_unfinished(root, ())), list[Loc]()
    for loc in places:
        code = "M111" if _is_source(loc) or _is_source(loc[:-1]) else "M110"
        node = find(root, loc)
        if path := _in_braces(node):
            report.add(node.place, code, "a field of the event is written without braces", f"write  {path}")
        else:
            message = f"nothing is written after '{loc[-1]}:'"
            place, below = find_key(root, loc).place, _not_indented(root, loc)
            hint = "finish the line, or delete this line"
            if below:
                first = find_key(root, below[0]).place.line
                hint = f"write line {first} and what belongs to '{loc[-1]}:' two spaces further right"
            report.add(place, code, message, hint)
            swallowed += below
    return places + swallowed


def _not_indented(root: Node, loc: Loc) -> list[Loc]:
    """What is right below a key, in the same column, and belongs inside it."""
    outside, inside = _keys(loc[:-1]), _keys(loc)
    place = find_key(root, loc).place
    beside = {key.place: name for name, (key, _) in find(root, loc[:-1]).items.items()}
    below = sorted(at for at in beside if at.file == place.file and at.col == place.col and at.line > place.line)
    belongs = (beside[at] not in outside if outside else beside[at] in inside for at in below)
    return [(*loc[:-1], beside[at]) for at, _ in takewhile(itemgetter(1), zip(below, belongs, strict=True))]


def _keys(loc: Loc) -> tuple[str, ...]:
    block = model_at(loc)
    return keys_of(block) if block else ()


def _is_source(loc: Loc) -> bool:
    block = model_at(loc)
    return block is not None and issubclass(block, ShortBlock)


def _in_braces(node: Node) -> str:
    """The field that is alone in braces, where it is a key without a value; empty if none does."""
    for name, (key, inner) in node.items.items():
        if isinstance(key.value, dict):
            return _in_braces(key)
        if inner.value is None and name in catalogue.FIELDS:
            return name
    return ""


def _unfinished(node: Node, loc: Loc) -> Iterator[Loc]:
    match node.value:
        case dict() if _is_source(loc) and _in_braces(node):
            yield loc
        case dict() as entries:
            for key, (_, inner) in entries.items():
                if inner.value is None and inner.text[:1] != "*" and _needs_more(loc, key):
                    yield (*loc, key)
                yield from _unfinished(inner, (*loc, key))
        case list() as items:
            for number, inner in enumerate(items):
                yield from _unfinished(inner, (*loc, number))


def _needs_more(loc: Loc, key: str) -> bool:
    block = model_at(loc)
    if key in _MAY_BE_NULL or block is Comparison or (block is Condition and key not in ("any", "all", "not")):
        return False
    return block is not None or model_at((*loc, key)) is not None
