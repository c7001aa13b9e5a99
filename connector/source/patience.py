"""Tell what is wrong with one customer from what is wrong with careCycle."""

from __future__ import annotations

from typing import Final

from connector.errors import PauseReason, SourceUnusable

IN_A_ROW: Final = 3
"""Failures that are no single customer's fault."""

_OF_ONE: Final = frozenset({PauseReason.OUTAGE, PauseReason.REPLY, PauseReason.REQUEST, PauseReason.UNREACHABLE})
"""What may be wrong with one customer alone."""


class Patience:
    """Passes over single customers of whom careCycle does not answer."""

    def __init__(self) -> None:
        self._failures = 0

    def answered(self) -> None:
        """Note that careCycle answered about somebody."""
        self._failures = 0

    def pass_over(self, error: SourceUnusable) -> None:
        """Let one customer be passed over. Raises the error where that would not help."""
        self._failures += 1
        if self._failures >= IN_A_ROW or error.reason not in _OF_ONE:
            raise error
