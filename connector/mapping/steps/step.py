"""What a step of `format:` is: ready to apply, and as a word of the language."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from connector.carecycle.catalogue import Kind

NUMBER: Final = "number"
"""The kind of a number that need not be whole; no event field is one."""
SAME_KIND: Final = ""
"""What a step gives that returns the kind it was given."""
TEXTUAL: Final = frozenset({Kind.TEXT, Kind.UUID, Kind.ENUM, Kind.DATE, Kind.DATETIME})
"""Kinds whose values are text in a payload."""
TIMES: Final = frozenset({Kind.DATE, Kind.DATETIME})
LISTS: Final = frozenset({Kind.LIST})
NUMBERS: Final = frozenset({Kind.INTEGER, NUMBER})
SINGLE: Final = TEXTUAL | NUMBERS | LISTS | {Kind.BOOLEAN}
"""Every kind but a group of fields, which is never a value."""

Longest = Callable[[int | None], int | None]
"""The most characters of a value -> those of what becomes of it; None: not known."""


class WrongArgumentError(ValueError):
    """What is written after a step's word does not suit it; the text says what it takes."""

    def __init__(self, takes: str = "", hint: str = "") -> None:
        super().__init__(takes)
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Format:
    """One step, ready to apply. takes: the kinds it reads; gives: the kind it returns, or SAME_KIND.

    apply: value (and the customer's time zone, if zoned; and when the event happened, if timed) -> the result; None for
    a value it can make nothing of.
    keeps: two values that differ still differ afterwards, as far as it is about telling people and records apart.
    """

    name: str
    apply: Callable[..., Any]
    takes: frozenset[str]
    gives: str
    longest: Longest
    zoned: bool = False
    timed: bool = False
    keeps: bool = True


@dataclass(frozen=True, slots=True)
class Example:
    """A value, what is written after the step's word, and what becomes of the value. In the time zone of Phoenix."""

    value: Any
    result: Any
    argument: Any = None


@dataclass(frozen=True, slots=True)
class Argument:
    """What is written after a step's word. expected: in words; read: raises WrongArgumentError; schema: for editors."""

    expected: str
    read: Callable[[Any], Any]
    schema: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Step:
    """A word of `format:`. plain: what it does when it is written alone; made: what it does with an argument."""

    name: str
    example: Example
    plain: Format | None = None
    argument: Argument | None = None
    made: Callable[[Any], Format] | None = None

    @property
    def about(self) -> str:
        """The first sentences of what makes it, for people."""
        described = self.made or (self.plain.apply if self.plain else None)
        return " ".join((inspect.getdoc(described) or "").partition(">>>")[0].split())

    @property
    def shown(self) -> Format:
        """The step of the example."""
        return self.with_argument(self.example.argument)

    def with_argument(self, argument: Any) -> Format:
        """Make the step from what is written after its word, None for nothing. Raises WrongArgumentError."""
        if argument is None:
            if self.plain is None:
                raise WrongArgumentError(f"'{self.name}' takes {self._takes}", f"for example  {self.spelled}")
            return self.plain
        if self.made is None or self.argument is None:
            raise WrongArgumentError(f"'{self.name}' takes nothing after it", f"write  {self.name}  alone")
        try:
            return self.made(self.argument.read(argument))
        except WrongArgumentError as wrong:
            hint = wrong.hint or f"for example  {self.spelled}"
            raise WrongArgumentError(f"'{self.name}' takes {self._takes}", hint) from wrong

    @property
    def _takes(self) -> str:
        return self.argument.expected if self.argument else "nothing"

    @property
    def spelled(self) -> str:
        """The step of the example, as a mapping spells it."""
        written = self.example.argument
        if isinstance(written, dict):
            written = f"{{ {', '.join(f'{json.dumps(old)}: {json.dumps(new)}' for old, new in written.items())} }}"
        return self.name if written is None else f"{self.name}: {written}"


def same(length: int | None) -> int | None:
    """The length of a result that is never longer than the value."""
    return length


def unknown(length: int | None) -> int | None:
    """The length of a result that may be longer than the value."""
    return None


def at_most(limit: int) -> Longest:
    """The length of a result that is never longer than this, nor than the value."""
    return lambda length: limit if length is None else min(limit, length)


def always(limit: int) -> Longest:
    """The length of a result that is never longer than this, whatever the value."""
    return lambda length: limit
