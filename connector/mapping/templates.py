"""Templates: `{path|format|format}` is a field; `[ ... ]` is left out when a field inside it has no value.

A backslash before a bracket or backslash makes it an ordinary character.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_TOKEN = re.compile(r"\\[\\{}\[\]]|[{}\[\]]|[^\\{}\[\]]+|\\")


@dataclass(frozen=True, slots=True)
class Slot:
    """A field of the event in a template."""

    path: str
    formats: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Optional:
    """A part that is left out when a field inside it has no value."""

    parts: tuple[str | Slot, ...]


Part = str | Slot | Optional


class UnbalancedError(ValueError):
    """A template's brackets do not match; the text says how."""


def parse(template: str) -> tuple[Part, ...]:
    r"""Parse a template into its parts. Raises UnbalancedError.

    >>> parse("Call: {call.disposition|upper}[ ({campaign.name})] \\[x\\]")  # doctest: +NORMALIZE_WHITESPACE
    ('Call: ', Slot(path='call.disposition', formats=('upper',)),
     Optional(parts=(' (', Slot(path='campaign.name', formats=()), ')')), ' [x]')
    """
    return _Reader(template).read()


class _Reader:
    def __init__(self, template: str) -> None:
        self.tokens: Iterator[str] = (match[0] for match in _TOKEN.finditer(template))

    def read(self) -> tuple[Part, ...]:
        parts: list[Part] = []
        for token in self.tokens:
            match token:
                case "[":
                    parts.append(self._optional())
                case "]":
                    raise UnbalancedError("] without [")
                case _:
                    parts.append(self._plain(token))
        return tuple(_joined(parts))

    def _plain(self, token: str) -> str | Slot:
        match token:
            case "{":
                return self._slot()
            case "}":
                raise UnbalancedError("} without {")
            case _:
                return token[1:] if len(token) == 2 and token[0] == "\\" else token

    def _slot(self) -> Slot:
        inside = next(self.tokens, "")
        if inside in ("", "}"):
            raise UnbalancedError("nothing in { }" if inside else "{ without }")
        if next(self.tokens, "") != "}":
            raise UnbalancedError("{ without }")
        path, *formats = (part.strip() for part in inside.split("|"))
        return Slot(path, tuple(filter(None, formats)))

    def _optional(self) -> Optional:
        parts: list[str | Slot] = []
        for token in self.tokens:
            match token:
                case "[":
                    raise UnbalancedError("[ inside [ ]")
                case "]":
                    return _checked_optional(parts)
                case _:
                    parts.append(self._plain(token))
        raise UnbalancedError("[ without ]")


def _checked_optional(parts: list[str | Slot]) -> Optional:
    if not any(isinstance(part, Slot) for part in parts):
        raise UnbalancedError("[ ] without a field in it is never left out")
    return Optional(tuple(part for part in _joined(parts) if not isinstance(part, Optional)))


def _joined(parts: list[Part] | list[str | Slot]) -> list[Part]:
    """Merge adjacent pieces of text."""
    joined: list[Part] = []
    text: list[str] = []
    for part in [*parts, None]:
        if isinstance(part, str):
            text.append(part)
            continue
        if text:
            joined.append("".join(text))
            text = []
        if part is not None:
            joined.append(part)
    return joined


def slots(parts: tuple[Part, ...]) -> Iterator[Slot]:
    """List every field a template reads."""
    for part in parts:
        match part:
            case Slot():
                yield part
            case Optional(inner):
                yield from slots(inner)
