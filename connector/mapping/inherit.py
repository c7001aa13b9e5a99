"""Merge a file with those it `extends`.

Blocks merge by key; `remove: [..]` drops. A field with a source replaces the inherited field, a field with modifiers
alone adjusts it. Keys, conditions and lists replace the inherited ones whole; tests are never inherited. A file that
extends a list adds to what is withheld and skipped, and of two in such a list neither replaces what the other wrote.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from connector.mapping.diagnostics import Place, Report, Severity
from connector.mapping.schema_sources import SOURCES
from connector.mapping.tree import Loc, Node, plain

_MERGED: Final = frozenset({"consent", "flags", "withhold", "skip", "raise", "tables", "records", "fields"})
_NOT_INHERITED: Final = ("extends", "tests")
_WITHHELD: Final = (("consent", "withhold"), ("consent", "skip"))


@dataclass(frozen=True, slots=True)
class Layer:
    """A file of those that make up a mapping. name, named: what it is called, and where.

    over: the files it may change: those it extends, and the first one of a list it is in. adds: whether its lists of
    what is withheld add to the inherited ones.
    """

    tree: Node
    name: str
    named: Place
    over: frozenset[str]
    adds: bool


def merge(layers: Sequence[Layer], report: Report) -> Node:
    """Merge files, each laid over those before it. Report what two of them write that are not for one another."""
    merged, clashes = layers[0].tree, list[tuple[Loc, Layer, str]]()
    names = {layer.tree.place.file: layer.name for layer in layers}
    for layer in layers[1:]:
        merging = _Merging(layer, report)
        merged = merging.onto(merged)
        clashes += ((loc, layer, names[file]) for loc, file in merging.clashes.items())
    for loc, layer, other in clashes:
        last = _exactly(merged, loc)
        if last is not None and last.place.file == layer.tree.place.file:  # no later file has decided
            what = f"{loc[1]}.{loc[3]}" if _is_field(loc) else ".".join(map(str, loc))
            message = f"'{other}' and '{layer.name}' both set {what}"
            report.add(layer.named, "M222", message, "set it in this file, or extend only one of them")
    return merged


def _exactly(node: Node | None, loc: Loc) -> Node | None:
    for part in loc:
        node = node.get(str(part)) if node else None
    return node


def _removed(own: Node) -> set[str]:
    """List the records and fields a file drops, as `record` and `record.Field`."""
    records = own.get("records")
    if records is None:
        return set()
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


@dataclass(slots=True)
class _Merging:
    """Lays one file over what it extends. clashes: what it sets that a file did which it may not change."""

    layer: Layer
    report: Report
    clashes: dict[Loc, str] = field(default_factory=dict)

    def onto(self, base: Node) -> Node:
        """Merge the tree of the file into that of those before it."""
        inherited = {key: entry for key, entry in base.items.items() if key not in _NOT_INHERITED}
        removed = _removed(self.layer.tree)
        return self._merge(_without(Node(inherited, base.place), removed), self.layer.tree, ())

    def _merge(self, base: Node, own: Node, loc: Loc) -> Node:
        if not isinstance(base.value, dict) or not isinstance(own.value, dict):
            return own
        merged = dict(base.value)
        _drop(merged, own, loc, self.report)
        for key, (key_node, node) in own.value.items():
            if key == "remove" and isinstance(node.value, list):
                continue
            inherited = merged.get(key)
            merged[key] = key_node, self._entry(inherited[1], node, (*loc, key)) if inherited else node
        return Node(merged, own.place)

    def _entry(self, base: Node, own: Node, loc: Loc) -> Node:
        if _merges(loc):
            return self._merge(base, own, loc)
        if self.layer.adds and loc[:-1] in _WITHHELD:
            return _together(base, own)
        if base.place.file not in self.layer.over and plain(base) != plain(own):
            self.clashes[loc] = base.place.file
        return _adjusted(base, own) if _is_field(loc) else own


def _together(base: Node, own: Node) -> Node:
    """Two lists of what is withheld as one."""
    if not isinstance(base.value, list) or not isinstance(own.value, list):
        return own
    listed = {item.text for item in base.value}
    return Node([*base.value, *(item for item in own.value if item.text not in listed)], own.place)


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


def _of_a_record(name: str, merged: dict[str, tuple[Node, Node]]) -> str:
    """Where a record is dropped, whose name is not among these keys but inside their `records`."""
    records = merged.get("records")
    return f"write  records: {{ remove: [{name}] }}" if records and name in records[1].items else ""


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
            hint = _of_a_record(item.text, merged) or report.suggest(item.text, [*fields, *merged])
            weight = Severity.ERROR if hint else Severity.WARNING  # a typo would keep sending what should be dropped
            report.add(item.place, "M110", f"nothing called '{item.text}' is inherited here", hint, weight)
