"""What a check has to say, where, and how it is shown. A text here may quote the mapping file, never an event."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import Final, NamedTuple

_FINDINGS = 1000
_SUGGESTIONS = 100  # a file wrong in ten thousand places needs no ten thousand guesses


class Severity(StrEnum):
    """Errors stop a mapping from loading; warnings and notes do not."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


_MILD: Final = {"Y003": Severity.WARNING, "M205": Severity.WARNING, "M161": Severity.NOTE}


class Place(NamedTuple):
    """A position in a mapping file; line and column count from 1."""

    file: str
    line: int
    col: int


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding, as `file:line:col: severity[code] message` and a hint."""

    file: str
    line: int
    col: int
    severity: Severity
    code: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.col}: {self.severity}[{self.code}] {self.message}"


@dataclass(slots=True)
class Report:
    """Collects findings, each once. failed: whether any of them stops the mapping."""

    found: dict[Diagnostic, None] = field(default_factory=dict)
    failed: bool = False
    suggestions: int = 0

    def add(self, place: Place, code: str, message: str, hint: str = "", severity: Severity | None = None) -> None:
        """Note one finding; the severity follows from the code unless given."""
        weight = severity or _MILD.get(code, Severity.ERROR)
        self.failed = self.failed or weight is Severity.ERROR
        if self.full:
            return
        self.found.setdefault(Diagnostic(*place, weight, code, message, hint))

    def suggest(self, word: str, known: Iterable[str]) -> str:
        """A "did you mean" for a misspelt word, or nothing."""
        if self.suggestions >= _SUGGESTIONS or len(word) > 80:
            return ""
        self.suggestions += 1
        near = closest(word, tuple(known)[:500])
        return f"did you mean '{near}'?" if near else ""

    @property
    def full(self) -> bool:
        """Whether there is more to find than anybody reads: what comes now is only counted as failed or not."""
        return len(self.found) >= _FINDINGS

    def sorted(self, files: Sequence[str]) -> tuple[Diagnostic, ...]:
        """Everything found, file by file, from top to bottom; at one place in the order it was found."""
        order = {file: number for number, file in enumerate(files)}
        return tuple(sorted(self.found, key=lambda d: (order.get(d.file, len(order)), d.line, d.col)))


@lru_cache(maxsize=64)
def _lowered(known: tuple[str, ...]) -> dict[str, str]:
    return {name.lower(): name for name in known}


def closest(word: str, known: tuple[str, ...]) -> str:
    """The known word most like this one, or nothing.

    >>> closest("customer.fristName", ("customer.firstName", "customer.lastName"))
    'customer.firstName'
    >>> closest("firstName", ("customer.firstName", "customer.lastName"))
    'customer.firstName'
    """
    for name in known:
        if name.endswith("." + word):
            return name
    lowered = _lowered(known)
    near = difflib.get_close_matches(word.lower(), lowered, n=1, cutoff=0.7)
    return lowered[near[0]] if near else ""
