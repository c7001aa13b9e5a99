"""What the audit log holds, as people look for it, and what is found when it is checked, as values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One thing somebody did. at: epoch ms.

    number: its place in the chain; None if it is not in it. customer_id, crm_ids: whom it is about; an alias once the
    customer is forgotten. agency: empty if it concerns none alone.
    """

    id: int
    number: int | None
    at: int
    who: str
    action: str
    thing: str
    reason: str
    agency: str
    customer_id: str
    crm_ids: str
    digest: str

    @property
    def what(self) -> str:
        """What was done to what, as one line."""
        customer = f"customer {self.customer_id}" if self.customer_id else ""
        records = f"CRM records {self.crm_ids}" if self.crm_ids else ""
        return "; ".join(part for part in (self.thing, customer, records) if part)


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which entries; empty means any. before: only older than this id.

    text: what the thing or the reason contains, or whose id it is. agencies: only entries of these; None for all.
    since, until: done at or after, and before (epoch ms).
    """

    who: str = ""
    actions: tuple[str, ...] = ()
    agency: str = ""
    agencies: tuple[str, ...] | None = None
    text: str = ""
    since: int = 0
    until: int = 0
    before: int = 0

    def words(self) -> str:
        """The filter in words; empty if it has none."""
        times = {name: _time(getattr(self, name)) for name in ("since", "until")}
        named = {"who": self.who, "action": ", ".join(self.actions), "agency": self.agency, "text": self.text}
        return ", ".join(f"{name} {text}" for name, text in (named | times).items() if text)


def _time(at: int) -> str:
    return f"{datetime.fromtimestamp(at / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC" if at else ""


@dataclass(frozen=True, slots=True)
class Head:
    """The newest entry: its number, and its digest, which covers all before it."""

    number: int
    digest: str

    def __str__(self) -> str:
        return f"{self.number}-{self.digest}"


class FaultKind(StrEnum):
    """What is wrong: with an entry, or with the head."""

    CHANGED = "changed"
    MISSING = "missing"
    UNCHAINED = "not chained"
    WRONG_HEAD = "wrong head"
    HEAD_LOST = "head was lost"
    CUT = "cut"
    NOT_AS_NOTED = "not as noted"


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. number: of the entry; 0 if it has none. id, at: of its row, or of one beside those that are missing.

    last: the last number of those that are missing, or the one that was noted outside the database.
    """

    kind: FaultKind
    number: int
    id: int = 0
    at: int = 0
    last: int = 0


@dataclass(frozen=True, slots=True)
class Checked:
    """What checking the log came to. head: the newest entry counted; None if nothing was ever chained.

    earlier: how many of the first entries were there before the chain. begun_at: since when there is one (epoch ms).
    """

    entries: int
    head: Head | None
    faults: Sequence[Fault]
    earlier: int = 0
    begun_at: int = 0
