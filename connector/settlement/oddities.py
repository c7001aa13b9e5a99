"""What careCycle sends that is not as it documents, as a value that is counted. `--json` prints it."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Oddity:
    """A field of careCycle's that came in an unexpected form, or a value that a destination's mapping cannot translate.

    expected, got: types, never a value. used: the value was used all the same. destination, target: of a value that
    nothing translates, with the mapping's record and field; otherwise empty. message_id: of the newest such event.
    """

    agency: str
    field: str
    destination: str = ""
    target: str = ""
    expected: str = ""
    got: str = ""
    used: bool = False
    count: int = 1
    since: int = 0
    until: int = 0
    message_id: str = ""

    def after(self, earlier: Oddity) -> Oddity:
        """Add those that came before."""
        return replace(self, count=self.count + earlier.count, since=earlier.since)
