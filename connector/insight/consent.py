"""Opt-outs as compliance looks at them: what is open and for how long, month by month, and who looked."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Final

from connector.errors import FixConfiguration
from connector.insight.deadlines import day_of, days_between, is_late, last_day
from connector.insight.oddities import hides_an_opt_out
from connector.insight.overview import Overview, overview
from connector.settlement import ObligationState
from connector.store import Store
from connector.store.owing import Owed
from connector.store.sign_offs import SignOff

MONTHS: Final = 12
"""Months that the view goes back."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TO_DO: Final = frozenset({ObligationState.OWED, ObligationState.REFUSED})


@dataclass(frozen=True, slots=True)
class OpenOptOut:
    """An opt-out that is not in its CRM. days: business days so far. last: the day until which it would be in time."""

    owed: Owed
    days: int
    last: date
    is_late: bool


@dataclass(frozen=True, slots=True)
class Month:
    """The opt-outs asked for in a month, one for each customer, flag and CRM account: the others add up to `asked`.

    in_time, late: in the CRM within ten business days, or after. to_do: waiting, or refused by the CRM.
    elsewhere: the CRM has no record of the customer, or the mapping has no field for the flag.
    """

    first: date
    asked: int = 0
    in_time: int = 0
    late: int = 0
    to_do: int = 0
    elsewhere: int = 0

    @property
    def name(self) -> str:
        """As in an address: 2026-11."""
        return f"{self.first:%Y-%m}"


@dataclass(frozen=True, slots=True)
class Consents:
    """What the page shows. counts: what is open, by state; opened: the oldest of it."""

    counts: dict[ObligationState, int]
    opened: tuple[OpenOptOut, ...]
    months: tuple[Month, ...]
    sign_offs: tuple[SignOff, ...]

    @property
    def to_do(self) -> int:
        """Waiting or refused: the figure that every other place shows."""
        return sum(self.counts.get(state, 0) for state in _TO_DO)

    @property
    def every(self) -> int:
        """All that are not in their CRM."""
        return sum(self.counts.values())


def consents(store: Store, agencies: Collection[str] | None, zone: tzinfo, now: int) -> Consents:
    """Read it for these agencies; None for all. zone: in which days and months are counted. now: epoch ms."""
    opened = tuple(_opened(owed, zone, now) for owed in store.owing.open(agencies))
    return Consents(
        store.owing.count(agencies),
        opened,
        tuple(months(store, agencies, zone, now)),
        tuple(store.sign_offs.newest(agencies)),
    )


def doubts_about(store: Store, agencies: Collection[str] | None, now: int) -> Overview:
    """What makes it uncertain that every opt-out is in its CRM: the state of these agencies, as `status` shows it."""

    def is_theirs(name: str) -> bool:
        return agencies is None or name.partition("/")[0] in agencies

    view = overview(store, now)
    odd = [oddity for oddity in store.oddities.all() if hides_an_opt_out(oddity) and is_theirs(oddity.agency)]
    return replace(
        view,
        consent=[row for row in view.consent if is_theirs(row.destination)],
        causes=[cause for cause in view.causes if is_theirs(cause.destination)],
        odd_flags=sum(oddity.count for oddity in odd),
    )


def _opened(owed: Owed, zone: tzinfo, now: int) -> OpenOptOut:
    asked = day_of(owed.opt_out.received_at, zone)
    days, late = days_between(asked, day_of(now, zone)), is_late(owed.opt_out.received_at, now, zone)
    return OpenOptOut(owed, days, last_day(asked), late)


def months(store: Store, agencies: Collection[str] | None, zone: tzinfo, now: int) -> list[Month]:
    """The last twelve months, the newest first."""
    this = day_of(now, zone).replace(day=1)
    firsts = [this]
    while len(firsts) < MONTHS:
        firsts.append((firsts[-1] - timedelta(days=1)).replace(day=1))
    counts = {first: dict.fromkeys(("asked", "in_time", "late", "to_do", "elsewhere"), 0) for first in firsts}
    for since, applied_at, state in store.owing.asked_between(start_of(firsts[-1], zone), now + 1, agencies):
        of_month = counts[day_of(since, zone).replace(day=1)]
        of_month["asked"] += 1
        of_month[_kind(since, applied_at, state, zone)] += 1
    return [Month(first, **own) for first, own in counts.items()]


def _kind(since: int, applied_at: int | None, state: ObligationState, zone: tzinfo) -> str:
    if state is ObligationState.APPLIED:
        return "late" if applied_at and is_late(since, applied_at, zone) else "in_time"
    return "to_do" if state in _TO_DO else "elsewhere"


def start_of(day: date, zone: tzinfo) -> int:
    """When a day begins in a zone (epoch ms)."""
    return int((datetime(day.year, day.month, day.day, tzinfo=zone) - _EPOCH) / timedelta(milliseconds=1))


def sign_off(store: Store, month: Month, agency: str, who: str, note: str) -> None:
    """Keep that somebody looked at a month as it is now. Raises FixConfiguration without a note."""
    if not (said := " ".join(note.split())[:500].replace("\0", "")):
        raise FixConfiguration("sign-off", "needs a note", "say what you looked at")
    counts = {name: value for name, value in asdict(month).items() if name != "first"}
    store.sign_offs.sign(SignOff(0, who, agency, month.name, said, **counts))
