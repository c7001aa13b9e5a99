"""A mapping file as a tree that knows the line and column of every node."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from connector.mapping.diagnostics import Place

Scalar = str | int | float | bool | None
Loc = tuple[str | int, ...]
"""A location: the keys and list positions that lead to a node."""


@dataclass(slots=True, eq=False)
class Node:
    """One node: a scalar (with its text as written), a list, or a block: key text -> (key node, value node)."""

    value: Scalar | list[Node] | dict[str, tuple[Node, Node]]
    place: Place
    text: str = ""

    @property
    def items(self) -> dict[str, tuple[Node, Node]]:
        """Return the entries of a block; empty for any other node."""
        return self.value if isinstance(self.value, dict) else {}

    def get(self, key: str) -> Node | None:
        """Return the value under a key of a block."""
        entry = self.items.get(key)
        return entry[1] if entry else None


def plain(node: Node) -> Any:
    """Return the tree as plain lists, dictionaries and scalars."""
    match node.value:
        case dict() as entries:
            return {text: plain(value) for text, (_, value) in entries.items()}
        case list() as items:
            return [plain(item) for item in items]
        case value:
            return value


def find(node: Node, loc: Loc) -> Node:
    """Find the node at a location; parts that are not in the file are skipped, so it may be one around it."""
    for part in loc:
        match node.value:
            case dict() as entries if part in entries:
                node = entries[str(part)][1]
            case list() as items if isinstance(part, int) and part < len(items):
                node = items[part]
            case _:
                continue
    return node


def find_key(node: Node, loc: Loc) -> Node:
    """Find the key node of an entry, or the nearest node around it."""
    parent = find(node, loc[:-1])
    entry = parent.items.get(str(loc[-1])) if loc else None
    return entry[0] if entry else find_key(node, loc[:-1]) if len(loc) > 1 else parent
