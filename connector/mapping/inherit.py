"""Merge a file into the one it `extends`.

Blocks merge by key; `remove: [..]` drops. A field with a source replaces the inherited field, a field with modifiers
alone adjusts it. Keys, conditions and lists replace the inherited ones whole; tests are never inherited.
"""

from __future__ import annotations

from typing import Final

from connector.mapping.diagnostics import Report, Severity
from connector.mapping.schema_sources import SOURCES
from connector.mapping.tree import Loc, Node

_MERGED: Final = frozenset({"consent", "flags", "withhold", "skip", "raise", "tables", "records", "fields"})
_NOT_INHERITED: Final = ("extends", "tests")


def merge(base: Node, own: Node, report: Report) -> Node:
    """Merge the tree of `own` into that of the file it extends."""
    inherited = {key: entry for key, entry in base.items.items() if key not in _NOT_INHERITED}
    removed = _removed(own)
    return _merge(_without(Node(inherited, base.place), removed), own, (), report)


def _removed(own: Node) -> set[str]:
    """List the records and fields a file drops, as `record` and `record.Field`."""
    records = own.get("records") or own
    dropped = set(_names(records.get("remove")))
    for name, (_, record) in records.items.items():
        lists = (record.get("remove"), (record.get("fields") or record).get("remove"))
        dropped |= {f"{name}.{field}" for names in lists for field in _names(names)}
    return dropped


def _names(node: Node | None) -> list[str]:
    return [item.text for item in node.value] if node and isinstance(node.value, list) else []


def _without(base: Node, removed: set[str]) -> Node:
    """Return the inherited file without the dropped names in its consent section."""
    consent = base.get("consent")
    if consent is None or not removed:
        return base
    entries = dict(consent.items)
    for section in ("withhold", "skip"):
        if section in entries:
            key, lists = entries[section]
            kept = {flag: (k, _kept(names, removed)) for flag, (k, names) in lists.items.items()}
            entries[section] = key, Node(kept, lists.place)
    top = dict(base.items)
    top["consent"] = top["consent"][0], Node(entries, consent.place)
    return Node(top, base.place)


def _kept(names: Node, removed: set[str]) -> Node:
    if not isinstance(names.value, list):
        return names
    kept = [item for item in names.value if item.text not in removed and item.text.split(".")[0] not in removed]
    return Node(kept, names.place)


def _merge(base: Node, own: Node, loc: Loc, report: Report) -> Node:
    if not isinstance(base.value, dict) or not isinstance(own.value, dict):
        return own
    merged = dict(base.value)
    _drop(merged, own, loc, report)
    for key, (key_node, node) in own.value.items():
        if key == "remove" and isinstance(node.value, list):
            continue
        below = (*loc, key)
        inherited = merged.get(key)
        merged[key] = key_node, _merge_entry(inherited[1], node, below, report) if inherited else node
    return Node(merged, own.place)


def _merge_entry(base: Node, own: Node, loc: Loc, report: Report) -> Node:
    if _is_field(loc):
        return _adjusted(base, own)
    return _merge(base, own, loc, report) if _merges(loc) else own


def _merges(loc: Loc) -> bool:
    """Whether the block at a location merges by key: a section, a table, a record."""
    return loc[-1] in _MERGED or (len(loc) == 2 and loc[0] in ("tables", "records"))


def _is_field(loc: Loc) -> bool:
    return len(loc) == 4 and loc[0] == "records" and loc[2] == "fields"


def _adjusted(base: Node, own: Node) -> Node:
    if not isinstance(own.value, dict) or any(source in own.value for source in SOURCES):
        return own
    if isinstance(base.value, dict):
        return Node(base.value | own.value, own.place)
    return Node({"from": (Node("from", base.place, "from"), base)} | own.value, own.place)


def _copied_fields(record: dict[str, tuple[Node, Node]]) -> dict[str, tuple[Node, Node]]:
    """Replace a record's fields by a copy and return it, so that dropping one leaves the base file as it is."""
    key, node = record.get("fields", (None, None))
    if key is None or node is None or not isinstance(node.value, dict):
        return {}
    copied = dict(node.value)
    record["fields"] = key, Node(copied, node.place)
    return copied


def _drop(merged: dict[str, tuple[Node, Node]], own: Node, loc: Loc, report: Report) -> None:
    """Drop what a block's `remove` names; in a record, its fields too."""
    remove = own.get("remove")
    if remove is None or not isinstance(remove.value, list):
        return
    fields = _copied_fields(merged) if len(loc) == 2 else {}
    for item in remove.value:
        if item.text in fields:
            del fields[item.text]
        elif item.text in merged:
            del merged[item.text]
        else:
            hint = report.suggest(item.text, [*fields, *merged])
            weight = Severity.ERROR if hint else Severity.WARNING  # a typo would keep sending what should be dropped
            report.add(item.place, "M110", f"nothing called '{item.text}' is inherited here", hint, weight)
