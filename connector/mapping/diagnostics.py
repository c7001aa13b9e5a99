"""Diagnostics: what is wrong with a mapping file, and where. Their texts may quote the file, never an event."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NamedTuple

from connector.mapping.secrecy import masked
from connector.mapping.suggestions import closest

_FINDINGS = 1000
_SUGGESTIONS = 100  # a file with ten thousand mistakes does not need ten thousand suggestions


class Severity(StrEnum):
    """Errors stop a mapping from loading; warnings and notes do not."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


_MILD: Final = dict.fromkeys(("Y003", "M154", "M156", "M205", "M233"), Severity.WARNING) | {"M161": Severity.NOTE}


class Place(NamedTuple):
    """A position in a mapping file; line and column count from 1."""

    file: str
    line: int
    col: int


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding, shown as `file:line:col: severity[code] message` and a hint."""

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
    """Collects findings, each once. failed: whether any of them is an error."""

    findings: dict[Diagnostic, None] = field(default_factory=dict)
    failed: bool = False
    suggestions: int = 0

    def add(self, place: Place, code: str, message: str, hint: str = "", severity: Severity | None = None) -> None:
        """Add a finding; the code decides its severity unless one is given."""
        severity = severity or _MILD.get(code, Severity.ERROR)
        self.failed = self.failed or severity is Severity.ERROR
        if self.full:
            return
        self.findings.setdefault(Diagnostic(*place, severity, code, masked(message), masked(hint)))

    def take(self, other: Report) -> None:
        """Add what another report has found."""
        self.failed = self.failed or other.failed
        self.findings |= other.findings

    def suggest(self, word: str, known: Iterable[str]) -> str:
        """Write a "did you mean" for a misspelled word, or nothing."""
        if self.suggestions >= _SUGGESTIONS or len(word) > 80:
            return ""
        self.suggestions += 1
        near = closest(word, tuple(known)[:500])
        return f"did you mean '{near}'?" if near else ""

    @property
    def full(self) -> bool:
        """Whether there are more findings than anyone reads; later ones only set `failed`."""
        return len(self.findings) >= _FINDINGS

    def sorted(self, files: Sequence[str]) -> tuple[Diagnostic, ...]:
        """Return the findings file by file, from top to bottom; those at the same place in the order reported."""
        order = {file: number for number, file in enumerate(files)}
        return tuple(sorted(self.findings, key=lambda d: (order.get(d.file, len(order)), d.line, d.col)))
