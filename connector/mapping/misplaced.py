"""Say where something belongs that is written in another place, or under a name that nothing has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from connector.carecycle import catalogue
from connector.mapping import meant
from connector.mapping.diagnostics import Report
from connector.mapping.schema import File
from connector.mapping.schema_blocks import keys_of
from connector.mapping.tree import Loc, Node, find, find_key

_TOP: Final = frozenset(keys_of(File)) - {"filter", "events"}
_AT_THE_TOP: Final = "it belongs at the top: begin its line at the very left, and indent what is under it less"
_FALLBACKS: Final = frozenset({"default", "fallback", "otherwise", "if_missing"})
_ELSE: Final = {"lookup": "write it inside  lookup:", "cases": "write it as the last of the cases:  - else: ..."}
_LONGEST: Final = 80


def report(root: Node, loc: Loc, report: Report) -> bool:
    """Report what is all wrong because it is elsewhere, once; return whether it is."""
    if loc[:1] == ("records",) and len(loc) > 1 and loc[1] in _TOP and find(root, loc[:2]).get("object") is None:
        report.add(find_key(root, loc[:2]).place, "M110", f"'{loc[1]}' is no record", _AT_THE_TOP)
        return True
    return _is_parted(root, loc)


def key(root: Node, loc: Loc, known: Sequence[str]) -> str:
    """Where a key belongs that its block does not have; empty if that is not clear."""
    word, beside = str(loc[-1]), find(root, loc[:-1])
    if word == "else" and "table" in known:
        return next(
            (hint for name, hint in _ELSE.items() if name in beside.items), "write it inside  table:  or  bands:"
        )
    if word in _FALLBACKS and loc[-2] == "lookup":
        text = find(root, loc).text[:_LONGEST]
        return f"write  else: {{ value: {text or '...'} }}"
    return _AT_THE_TOP if word in _TOP and len(loc) > 1 else ""


def instead(root: Node, loc: Loc) -> str:
    """What to write in place of a value that is of another type than its place takes; empty if that is not clear."""
    node = find(root, loc)
    match loc[-2:]:
        case (_, "count"):
            return _counted(node, find(root, loc[:-1]))
        case ("lookup", "else") if node.text:
            return f"write  else: {{ value: {node.text[:_LONGEST]} }}"
        case ("consent", "skip" | "withhold") if isinstance(node.value, list):
            names = ", ".join(item.text for item in node.value)[:_LONGEST]
            return f"write  {loc[-1]}: {{ doNotCall: [{names}] }}"
    return ""


def _counted(written: Node, field: Node) -> str:
    """How the calls are counted that somebody named after `count:`."""
    if meant.word(written.text, ["calls"]):
        return ""
    if field.get("when"):
        return "write  count: calls"
    match list(written.items.items()):
        case [(path, (_, value))] if path in catalogue.FIELDS and value.text:
            which = f"{path}: {value.text[:_LONGEST]}"
        case _:
            which = f"{written.text if written.text in catalogue.FIELDS else 'call.disposition'}: ..."
    return f"write  count: calls  for all of them, or  count: calls, when: {{ {which} }}"


def inherited(root: Node, loc: Loc) -> str:
    """Which inherited record may be meant by one that has no `object`; empty if none is inherited."""
    if loc[:-1] != ("records",):
        return ""
    file, records = find_key(root, loc).place.file, find(root, loc[:-1]).items
    names = sorted(name for name, (key, _) in records.items() if key.place.file != file)
    if not names:
        return ""
    near = meant.word(str(loc[-1]), names)
    there = f"nothing called '{loc[-1]}' is inherited; there is: {', '.join(names)}"
    return f"did you mean '{near}'?" if near else there


def dash(root: Node, loc: Loc) -> str:
    """What to do with a case that only is the second half of the one above; empty if it is none."""
    return "remove the dash before  then:" if _half(root, loc, 0) == "then" and _half(root, loc, -1) == "when" else ""


def _is_parted(root: Node, loc: Loc) -> bool:
    """Whether it is the first half of a case; the second half is reported."""
    return _half(root, loc, 0) == "when" and _half(root, loc, 1) == "then"


def _half(root: Node, loc: Loc, further: int) -> str:
    """The only key of a case, or of the one this far below it."""
    if loc[-2:-1] != ("cases",) or not isinstance(loc[-1], int):
        return ""
    cases, number = find(root, loc[:-1]).value, loc[-1] + further
    items = cases[number].items if isinstance(cases, list) and 0 <= number < len(cases) else {}
    return next(iter(items)) if len(items) == 1 else ""
