"""YAML text as a tree that knows the line and column of every node.

Scalars are read as YAML 1.2 core, and stricter where it guesses: `no`, `07030`, `+13128471928`, `12:30:45` and dates
stay text. Only the parser of PyYAML is used: aliases are never followed, nothing is constructed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any, Final

import yaml

from connector.mapping.diagnostics import Place, Report

MAX_BYTES: Final = 1_000_000
MAX_DEPTH: Final = 30

Scalar = str | int | float | bool | None
Loc = tuple[str | int, ...]
"""The way to a node: keys and list positions."""

_Parser: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml where PyYAML was built with it
_WORDS: Final[Mapping[str, Scalar]] = {"": None, "~": None} | {
    spelling: value
    for word, value in (("null", None), ("true", True), ("false", False))
    for spelling in (word, word.capitalize(), word.upper())
}
_INTEGER = re.compile(r"-?(0|[1-9]\d{0,14})\Z", re.ASCII)
_FLOAT = re.compile(r"-?(0|[1-9]\d{0,14})(\.\d{1,15})?([eE][-+]?\d{1,3})?\Z", re.ASCII)
_OLD_BOOLEANS: Final = frozenset({"yes", "no", "on", "off"})


@dataclass(slots=True, eq=False)
class Node:
    """One node: a scalar (with its text as written), a list, or a block: key text -> (key node, value node)."""

    value: Scalar | list[Node] | dict[str, tuple[Node, Node]]
    place: Place
    text: str = ""

    @property
    def items(self) -> dict[str, tuple[Node, Node]]:
        """The entries of a block; nothing for any other node."""
        return self.value if isinstance(self.value, dict) else {}

    def get(self, key: str) -> Node | None:
        """The value under a key of a block."""
        entry = self.items.get(key)
        return entry[1] if entry else None


def scalar(text: str) -> Scalar:
    """A plain scalar's value.

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


class _RefusedError(Exception):
    """The text is reported and not worth reading on."""


def read(content: bytes, file: str, report: Report) -> tuple[str, Node | None]:
    """The text of a mapping file and its tree; no tree when it is not YAML or refused."""
    top = Place(file, 1, 1)
    if len(content) > MAX_BYTES:
        report.add(
            top, "Y004", "the file is larger than 1 MB", "a mapping is a few hundred lines: split it by extends:"
        )
        return "", None
    try:
        text = content.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        place = Place(file, before.count(b"\n") + 1, error.start - before.rfind(b"\n"))
        report.add(place, "Y001", "the file is not UTF-8", "save it as UTF-8")
        return "", None
    return text, _tree(text, file, report)


def _tree(text: str, file: str, report: Report) -> Node | None:
    try:
        builder = _built(text, file, report)
    except _RefusedError:
        return None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(file, mark.line + 1, mark.column + 1) if mark else Place(file, 1, 1)
        report.add(place, "Y001", f"not YAML: {error.problem or error.context}")
        return None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        report.add(Place(file, line, 1), "Y001", "not YAML: a character that text may not hold")
        return None
    if builder.root is None or not isinstance(builder.root.value, dict):
        place = builder.root.place if builder.root else Place(file, 1, 1)
        report.add(place, "Y001", "this is not a mapping file", "it starts with  version: 1")
        return None
    return builder.root


def _built(text: str, file: str, report: Report) -> _Builder:
    """Raises _RefusedError and yaml.YAMLError.

    The parser written in C has a limit of nesting of its own, in some versions, and reads ahead: it can fail before our
    limit is met. The one written in Python tells a file that nests too deep from one that is not YAML.
    """
    builder = _Builder(file, report)
    try:
        builder.build(yaml.parse(text, Loader=_Parser))
    except yaml.scanner.ScannerError:
        _Builder(file, report).check_depth(yaml.parse(text, Loader=yaml.SafeLoader))
        raise
    return builder


@dataclass(slots=True, eq=False)
class _Open:
    """A list or block whose end has not come yet, and the key whose value comes next."""

    node: Node
    key: Node | None = None


class _Builder:
    """Builds the tree from the parser's events."""

    def __init__(self, file: str, report: Report) -> None:
        self.file, self.report = file, report
        self.root: Node | None = None
        self.open: list[_Open] = []
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
        """Raise _RefusedError when the limit of nesting is met before the text stops being YAML."""
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
        raise _RefusedError

    def _place(self, event: Any) -> Place:
        mark = event.start_mark
        return Place(self.file, mark.line + 1, mark.column + 1)

    def _document(self, event: Any) -> None:
        if self.root is not None:
            self.report.add(self._place(event), "Y001", "a second document starts here", "one mapping a file")
            raise _RefusedError

    def _scalar(self, event: Any) -> None:
        text, place = event.value, self._place(event)
        plain = not event.style
        if plain and text.lower() in _OLD_BOOLEANS and self._value_expected():
            hint = "write true or false, or quote it to keep the text"
            self.report.add(place, "Y003", f"'{text}' is read as text, not as true/false", hint)
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
        self._attach(Node(None, place))

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
            raise _RefusedError
        message = f"'{key.text}' is written twice in the same block (first on line {first[0].place.line})"
        self.report.add(key.place, "Y002", message, "keep one of them")


def plain(node: Node) -> Any:
    """The tree as plain lists, dictionaries and scalars."""
    match node.value:
        case dict() as entries:
            return {text: plain(value) for text, (_, value) in entries.items()}
        case list() as items:
            return [plain(item) for item in items]
        case value:
            return value


def find(node: Node, loc: Loc) -> Node:
    """The node at a location, or the nearest one around it: a part that is not written is passed over."""
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
    """The key node of an entry, or the nearest node around it."""
    parent = find(node, loc[:-1])
    entry = parent.items.get(str(loc[-1])) if loc else None
    return entry[0] if entry else find_key(node, loc[:-1]) if len(loc) > 1 else parent
