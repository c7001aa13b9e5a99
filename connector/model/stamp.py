"""Of what time data are: which of two says what is newer."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple

_TURNED: Final = 1 << 52
"""More than twice the milliseconds until the year 9999."""
_TIE: Final = 16
"""The characters that the database has room for: PostgreSQL refuses more, and the batch with them."""
_DIGITS, _LETTERS = "0123456789abcdef", "ghijklmnopqrstuv"
_AS_LETTERS: Final = str.maketrans(_DIGITS, _LETTERS)
_AS_DIGITS: Final = str.maketrans(_LETTERS + "~", _DIGITS + "0")  # older versions had "~" for every letter
_NONE: Final = "000"


class Stamp(NamedTuple):
    """The time of a source's data, and a fixed tie-break. The greater stamp wins, in whatever order they arrive."""

    at: int
    tie: str

    @property
    def turned(self) -> Stamp:
        """The stamp of the same moment of which the earlier is the greater."""
        return Stamp(_TURNED - self.at, self.tie)

    @property
    def is_turned(self) -> bool:
        """Whether the earlier of two such stamps is the greater."""
        return self.at > _TURNED // 2

    @property
    def moment(self) -> int:
        """The time of the data, also of a stamp that is turned round."""
        return min(self.at, _TURNED - self.at)

    def after(self, number: int) -> Stamp:
        """The stamp of what the `reapply` of this number delivers, and of what is sent after it.

        At equal times it wins over what was delivered before.
        """
        return Stamp(self.at, f"~{min(number, 0xFFF):03x}{self.tie}"[:_TIE])

    @property
    def applied(self) -> str:
        """The number of the last `reapply` until then, as digits that sort; empty before the first."""
        return self.tie[1:4].translate(_AS_DIGITS) if self.tie.startswith("~") else ""

    def covering(self, before: Stamp | None, said: Stamp | None) -> Stamp:
        """The stamp of a mark that covers whatever is said of the same time, or of that of the mark before.

        said: of what said it; None for nobody.
        """
        covered = (self, before) if before else (self,)
        applied = max(_NONE, *(stamp.applied for stamp in covered)).translate(_AS_LETTERS)
        return Stamp(max(stamp.at for stamp in covered), f"~{applied}{said.own if said else ''}"[:_TIE])

    @property
    def own(self) -> str:
        """The tie-break of the event itself."""
        return self.tie[4:] if self.tie.startswith("~") else self.tie

    @property
    def covers(self) -> bool:
        """Whether this is the stamp of such a mark."""
        return self.tie.startswith("~") and self.tie[1:2] > "f"


OLDEST = Stamp(0, "")
"""Older than every event's."""


class Timing(StrEnum):
    """What a field's stamp is the time of. Stamps of two kinds say nothing of which value is newer."""

    UNKNOWN = ""
    EVENT = "event"
    CUSTOMER = "customer"
    CALL = "call"
    BOTH = "both"
    FIRST = "first"
    COUNT = "count"
    FORWARD = "forward"
