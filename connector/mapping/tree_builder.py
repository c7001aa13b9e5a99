"""Build a tree from the events of PyYAML's parser.

Scalars are read as YAML 1.2 core, and more strictly where YAML guesses: `no`, `07030`, `+13128471928`, `12:30:45` and
dates stay text. Aliases are never followed and nothing is constructed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any, Final

import yaml

from connector.mapping.diagnostics import Place, Report
from connector.mapping.slips import slip_in
from connector.mapping.tree import Node, Scalar

MAX_DEPTH: Final = 30
_WORDS: Final[Mapping[str, Scalar]] = {"": None, "~": None} | {
    spelling: value
    for word, value in (("null", None), ("true", True), ("false", False))
    for spelling in (word, word.capitalize(), word.upper())
}
_INTEGER = re.compile(r"-?(0|[1-9]\d{0,14})\Z", re.ASCII)
_FLOAT = re.compile(r"-?(0|[1-9]\d{0,14})(\.\d{1,15})?([eE][-+]?\d{1,3})?\Z", re.ASCII)
_OLD_BOOLEANS: Final = frozenset({"yes", "no", "on", "off"})


def scalar(text: str) -> Scalar:
    """Return the value of a plain scalar.

    >>> [scalar(text) for text in ("12", "1.5", "true", "~", "no", "07030", "+1312", "12:30:45", "2026-06-17")]
    [12, 1.5, True, None, 'no', '07030', '+1312', '12:30:45', '2026-06-17']
    """
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.match(text):
        return int(text)
    if _FLOAT.match(text) and isfinite(number := float(text)):
        return number
    return text


class RefusedError(Exception):
    """The text was reported and is not worth reading further."""


@dataclass(slots=True, eq=False)
class _Open:
    """A list or block that has not ended yet, and the key whose value comes next."""

    node: Node
    key: Node | None = None


class TreeBuilder:
    """Builds the tree from the parser's events."""

    def __init__(self, file: str, report: Report) -> None:
        self.file, self.report = file, report
        self.root: Node | None = None
        self.open: list[_Open] = []
        self.slips: list[tuple[Place, str]] = []
        self.by_type: dict[type, Callable[[Any], None]] = {
            yaml.ScalarEvent: self._scalar,
            yaml.MappingStartEvent: self._start,
            yaml.SequenceStartEvent: self._start,
            yaml.MappingEndEvent: self._end,
            yaml.SequenceEndEvent: self._end,
            yaml.AliasEvent: self._alias,
            yaml.DocumentStartEvent: self._document,
        }

    def build(self, events: Iterable[Any]) -> None:
        for event in events:
            take = self.by_type.get(type(event))
            if take:
                take(event)

    def check_depth(self, events: Iterable[Any]) -> None:
        """Raise RefusedError if the nesting limit is exceeded before the text stops being YAML."""
        depth = 0
        try:
            for event in events:
                depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
                if depth > MAX_DEPTH:
                    self._refuse_depth(event)
        except yaml.YAMLError:
            return

    def _refuse_depth(self, event: Any) -> None:
        self.report.add(self._place(event), "Y004", f"nested deeper than {MAX_DEPTH} levels", "no mapping needs this")
        raise RefusedError

    def _place(self, event: Any) -> Place:
        mark = event.start_mark
        return Place(self.file, mark.line + 1, mark.column + 1)

    def _document(self, event: Any) -> None:
        if self.root is not None:
            self.report.add(self._place(event), "Y001", "a second document starts here", "keep one mapping per file")
            raise RefusedError

    def _scalar(self, event: Any) -> None:
        text, place = event.value, self._place(event)
        plain = not event.style
        if plain and text.lower() in _OLD_BOOLEANS and self._value_expected():
            hint = "write true or false, or quote it to keep the text"
            self.report.add(place, "Y003", f"'{text}' is read as text, not as true/false", hint)
        if plain and slip_in(text):
            self.slips.append((place, text))
        self._refuse_extras(event, place)
        self._attach(Node(scalar(text) if plain else text, place, text))

    def _start(self, event: Any) -> None:
        place = self._place(event)
        self._refuse_extras(event, place)
        node = Node({} if type(event) is yaml.MappingStartEvent else [], place)
        if len(self.open) >= MAX_DEPTH:
            self._refuse_depth(event)
        self._attach(node)
        self.open.append(_Open(node))

    def _end(self, _: Any) -> None:
        self.open.pop()

    def _alias(self, event: Any) -> None:
        place = self._place(event)
        self.report.add(place, "Y004", f"'*{event.anchor}': aliases are not part of the language", "write it out")
        self._attach(Node(None, place, f"*{event.anchor}"))

    def _refuse_extras(self, event: Any, place: Place) -> None:
        if event.anchor:
            self.report.add(place, "Y004", f"'&{event.anchor}': anchors are not part of the language", "write it out")
        if event.tag:
            hint = "remove it; quote a value to keep it text"
            self.report.add(place, "Y004", f"'{event.tag}': tags are not part of the language", hint)

    def _value_expected(self) -> bool:
        return bool(self.open) and (isinstance(self.open[-1].node.value, list) or self.open[-1].key is not None)

    def _attach(self, node: Node) -> None:
        if not self.open:
            self.root = node
            return
        parent = self.open[-1]
        if isinstance(parent.node.value, list):
            parent.node.value.append(node)
        elif parent.key is None:
            parent.key = self._key(node)
        else:
            self._entry(parent.node.items, parent.key, node)
            parent.key = None

    def _key(self, node: Node) -> Node:
        if isinstance(node.value, list | dict):
            self.report.add(node.place, "Y001", "a key must be a word, not a list or a block")
        return node

    def _entry(self, entries: dict[str, tuple[Node, Node]], key: Node, node: Node) -> None:
        first = entries.get(key.text)
        if first is None:
            entries[key.text] = key, node
            return
        if self.report.full:
            raise RefusedError
        message = f"'{key.text}' is written twice in the same block (first on line {first[0].place.line})"
        is_same = node.text != "" and node.text == first[1].text
        self.report.add(key.place, "Y002", message, "delete this line" if is_same else "keep one of them")
