"""Decide from the day's API calls of a CRM account, ours and everybody's, when a destination has to stop.

Opt-outs never wait for it: they are paid without asking.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from connector.backoff import DAY, HOUR, SECOND
from connector.errors import DestinationUnusable, PauseReason
from connector.store.usage import STEP, Report, Usage

NEARLY: Final = 0.95
"""The share of the account's calls, by all its programs, at which we stop: the rest is for opt-outs and the others."""

FREED: Final = 0.1
"""The share of the budget that has to be free before a lane goes on, so that it does not stop again at once."""

_FRESH: Final = 10 * 60 * SECOND
_CHECK_AGAIN: Final = 15 * 60 * SECOND


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a destination may use.

    share: of the day's calls; None for all. limit: the day's calls, used where the CRM does not report them.
    timezone: whose midnight ends the day; empty where the day is the last 24 hours.
    """

    share: float | None = None
    limit: int | None = None
    timezone: str = ""

    def since(self, now: int) -> int:
        """Return when the current day began, in epoch ms."""
        if not self.timezone:
            return now - DAY
        local = datetime.fromtimestamp(now / 1000, ZoneInfo(self.timezone))
        return int(local.replace(hour=0, minute=0, second=0, microsecond=0).timestamp() * 1000)

    def ends(self, now: int) -> int:
        """Return the next midnight, in epoch ms."""
        local = datetime.fromtimestamp(self.since(now) / 1000, ZoneInfo(self.timezone)) + timedelta(days=1)
        return int(local.timestamp() * 1000)


@dataclass(frozen=True, slots=True)
class Stop:
    """Why a destination has to stop, and for how long."""

    wait_ms: int
    reason: str


def verdict(allowance: Allowance, ours: Mapping[int, int], report: Report | None, now: int) -> Stop | None:
    """Decide whether to stop. ours: our calls by the start (epoch ms) of their quarter of an hour."""
    since = allowance.since(now)
    within = {at: calls for at, calls in ours.items() if at + STEP > since}
    limit = report.limit if report else allowance.limit
    if allowance.share is not None and limit and sum(within.values()) >= allowance.share * limit:
        return _used_up(allowance, within, limit, now)
    if report and _is_current(report, since, now) and report.used >= NEARLY * report.limit:
        wait = min(HOUR, allowance.ends(now) - now) if allowance.timezone else _CHECK_AGAIN
        how = f"{report.used:,} of {report.limit:,} by all programs"
        return Stop(wait, f"the account's API calls are nearly used up: {how}; checked again {_moment(now + wait)}")
    return None


def _is_current(report: Report, since: int, now: int) -> bool:
    return abs(now - report.at) < _FRESH and report.at >= since


def _used_up(allowance: Allowance, within: Mapping[int, int], limit: int, now: int) -> Stop:
    share = allowance.share or 0.0
    used, mine = sum(within.values()), int(share * limit)
    until = allowance.ends(now) if allowance.timezone else _freed(within, mine * (1 - FREED))
    how = f"{used:,} of {mine:,} calls ({share:.4g} of {limit:,} a day)" if share < 0.0001 else ""
    how = how or f"{used:,} of {mine:,} calls, {share * 100:.4g} % of {limit:,}"
    return Stop(max(until - now, SECOND), f"the day's budget of API calls is used up: {how}; goes on {_moment(until)}")


def _freed(within: Mapping[int, int], enough: float) -> int:
    """Return when so few calls are left within the last 24 hours that at most `enough` count."""
    moments = sorted(within)
    gone = (at for at in moments if sum(within[later] for later in moments if later > at) <= enough)
    return next(gone) + STEP + DAY


def _moment(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")


@dataclass(slots=True)
class Budget:
    """Count one destination's calls. Its lanes share the count, which lasts from batch to batch.

    made: the calls of this process.
    """

    destination: str = ""
    allowance: Allowance = Allowance()
    made: int = 0
    _new: int = 0
    _kept: dict[int, int] = field(default_factory=dict)
    _report: Report | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def called(self) -> None:
        """Count one call."""
        with self._lock:
            self._new += 1
            self.made += 1

    def keep(self, usage: Usage, reported: tuple[int, int] | None, now: int) -> None:
        """Store the new calls. reported: calls used and allowed, as the CRM says. Raises StoreUnavailable."""
        with self._lock:
            report, counted, self._new = self._newest(reported, now), self._new, 0
        if counted:
            usage.add(self.destination, counted, report, now, self.allowance.since(now))

    def hear(self, usage: Usage, now: int) -> None:
        """Read the calls counted before, here and by other workers. Raises StoreUnavailable."""
        kept, report = usage.spent(self.destination, self.allowance.since(now))
        with self._lock:
            self._kept, self._report = kept, report

    def check(self, reported: tuple[int, int] | None, now: int) -> None:
        """Raise DestinationUnusable where the destination's lanes have to wait."""
        with self._lock:
            ours = self._kept | {now: self._kept.get(now, 0) + self._new}
            report = self._newest(reported, now)
        if stop := verdict(self.allowance, ours, report, now):
            raise DestinationUnusable(
                self.destination, PauseReason.BUDGET, stop.reason, retry_after=stop.wait_ms / SECOND
            )

    def has_room(self, reported: tuple[int, int] | None, now: int) -> bool:
        """Whether half of the day's calls are left, for what can wait."""
        with self._lock:
            ours, report = self._kept | {now: self._kept.get(now, 0) + self._new}, self._newest(reported, now)
        half = replace(self.allowance, share=(self.allowance.share or 1.0) / 2)
        is_busy = report is not None and 2 * report.used > report.limit
        return not is_busy and verdict(half, ours, report, now) is None

    def _newest(self, reported: tuple[int, int] | None, now: int) -> Report | None:
        """Return the CRM's newest report: made just now, where it was called since the last batch."""
        return Report(*reported, now) if reported and self._new else self._report
