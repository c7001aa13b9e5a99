"""Note values of free fields that a mapping compares with and no call has had: a disposition spelled otherwise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from connector.mapping import formats, meant
from connector.mapping.diagnostics import Diagnostic, Severity
from connector.mapping.load import Loaded
from connector.mapping.steps.step import WrongArgumentError
from connector.mapping.tree import Node, plain

FREE: Final = ("call.disposition", "call.endedReason")
"""Fields that careCycle sets freely, and of whose values it publishes no list."""

_FEW: Final = 20
"""Of fewer calls nothing follows."""

_OFTEN: Final = 3
_SHORT: Final = 40
"""A value is only shown that is so short and was seen so often: others may be what somebody typed about a customer."""

_WHOLE: Final = ("is", "in", "not", "not_in")


def compares(loaded: Loaded) -> bool:
    """Whether the file itself, not what it extends, compares such a field with anything."""
    return any(True for _ in _compared(loaded))


def noted(loaded: Loaded, seen: Mapping[str, Counter[str]]) -> Loaded:
    """Add a note for each value that none of these calls had. seen: how often each value of a field was."""
    findings = []
    for path, steps, value in _compared(loaded):
        words = seen.get(path, Counter())
        if words.total() >= _FEW and value.value not in _through(steps, words):
            message = f"none of the last {words.total()} calls had {path} '{value.text}'"
            findings.append(Diagnostic(*value.place, Severity.NOTE, "M134", message, _hint(value.text, words)))
    return replace(loaded, diagnostics=(*loaded.diagnostics, *findings)) if findings else loaded


def _hint(word: str, words: Counter[str]) -> str:
    shown = [(text, count) for text, count in words.most_common() if count >= _OFTEN and len(text) <= _SHORT][:12]
    near = meant.word(word, [text for text, _ in shown])
    listed = "seen: " + ", ".join(f"{text} ({count})" for text, count in shown) if shown else ""
    return "; ".join(filter(None, (f"did you mean '{near}'?" if near else "", listed)))


def _through(steps: Any, words: Iterable[str]) -> set[Any]:
    """The values as they are compared: after the comparison's formats."""
    values: set[Any] = set(words)
    for written in steps if isinstance(steps, list) else [steps] if steps else []:
        try:
            step = formats.read(written)
        except (formats.UnknownFormatError, WrongArgumentError):
            return values
        values = {step.apply(value) for value in values}
    return values


def _compared(loaded: Loaded) -> Iterator[tuple[str, Any, Node]]:
    """Every value that the file compares such a field with, and the comparison's formats."""
    if loaded.written is None:
        return
    tree = loaded.written[1]
    for name, (_, part) in tree.items.items():
        if name != "tests":
            for path, comparison in _comparisons(part):
                yield from _values(path, comparison, tree.place.file)


def _comparisons(node: Node) -> Iterator[tuple[str, Node]]:
    for key, (_, inner) in node.items.items():
        if key in FREE:
            yield key, inner
        yield from _comparisons(inner)
    for item in node.value if isinstance(node.value, list) else ():
        yield from _comparisons(item)


def _values(path: str, comparison: Node, file: str) -> Iterator[tuple[str, Any, Node]]:
    steps = comparison.get("format")
    operands = [comparison.get(word) for word in _WHOLE] if comparison.items else [comparison]
    for operand in filter(None, operands):
        for value in operand.value if isinstance(operand.value, list) else [operand]:
            if isinstance(value.value, str) and value.place.file == file:
                yield path, plain(steps) if steps else None, value
