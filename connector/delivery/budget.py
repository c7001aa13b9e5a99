"""How much of a CRM account's day of API calls is used, by us and by everybody, and when to stop.

Opt-outs are not held up by it: who raises one does not ask.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from connector.backoff import DAY, HOUR, SECOND
from connector.errors import DestinationUnusable, PauseReason
from connector.store.usage import STEP, Told, Usage

NEARLY: Final = 0.95
"""Of the account's calls, whoever made them: the rest is for opt-outs, and for the agency's other programs."""

FREED: Final = 0.1
"""Of the budget, that has to be free before a lane goes on: a lane that stops at every call helps nobody."""

_FRESH: Final = 10 * 60 * SECOND
_LOOK_AGAIN: Final = 15 * 60 * SECOND


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a destination may use. share: of the day's calls, None for all. limit: the day's calls where the CRM does
    not tell. timezone: whose midnight ends the day; empty where the day is the last 24 hours."""

    share: float | None = None
    limit: int | None = None
    timezone: str = ""

    def since(self, now: int) -> int:
        """When the day now running began, in epoch ms."""
        if not self.timezone:
            return now - DAY
        local = datetime.fromtimestamp(now / 1000, ZoneInfo(self.timezone))
        return int(local.replace(hour=0, minute=0, second=0, microsecond=0).timestamp() * 1000)

    def ends(self, now: int) -> int:
        """The next midnight, in epoch ms."""
        local = datetime.fromtimestamp(self.since(now) / 1000, ZoneInfo(self.timezone)) + timedelta(days=1)
        return int(local.timestamp() * 1000)


@dataclass(frozen=True, slots=True)
class Stop:
    """Why to stop, and for how long."""

    wait_ms: int
    reason: str


def verdict(allowance: Allowance, ours: Mapping[int, int], told: Told | None, now: int) -> Stop | None:
    """Whether to stop. ours: our calls by the moment (epoch ms) their quarter of an hour began."""
    since = allowance.since(now)
    within = {at: calls for at, calls in ours.items() if at + STEP > since}
    limit = told.limit if told else allowance.limit
    if allowance.share is not None and limit and sum(within.values()) >= allowance.share * limit:
        return _used_up(allowance, within, limit, now)
    if told and now - told.at < _FRESH and told.at >= since and told.used >= NEARLY * told.limit:
        wait = min(HOUR, allowance.ends(now) - now) if allowance.timezone else _LOOK_AGAIN
        how = f"{told.used:,} of {told.limit:,}, whoever made them"
        return Stop(wait, f"the account's API calls are nearly used up: {how}; looked at again {_moment(now + wait)}")
    return None


def _used_up(allowance: Allowance, within: Mapping[int, int], limit: int, now: int) -> Stop:
    share = allowance.share or 0.0
    used, mine = sum(within.values()), int(share * limit)
    until = allowance.ends(now) if allowance.timezone else _freed(within, mine * (1 - FREED))
    how = f"{used:,} of {mine:,} calls ({share:.4g} of {limit:,} a day)" if share < 0.0001 else ""
    how = how or f"{used:,} of {mine:,} calls, {share * 100:.4g} % of {limit:,}"
    return Stop(max(until - now, SECOND), f"the day's budget of API calls is used up: {how}; goes on {_moment(until)}")


def _freed(within: Mapping[int, int], enough: float) -> int:
    """When so many calls were made more than 24 hours ago that no more than `enough` count."""
    moments = sorted(within)
    gone = (at for at in moments if sum(within[later] for later in moments if later > at) <= enough)
    return next(gone) + STEP + DAY


def _moment(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")


@dataclass(slots=True)
class Budget:
    """One destination's calls. Several lanes share it; what is counted is kept from batch to batch."""

    destination: str = ""
    allowance: Allowance = Allowance()
    _new: int = 0
    _kept: dict[int, int] = field(default_factory=dict)
    _told: Told | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def called(self) -> None:
        """Count one call."""
        with self._lock:
            self._new += 1

    def keep(self, usage: Usage, told: tuple[int, int] | None, now: int) -> None:
        """Put on disk what was counted. told: used and allowed, by the CRM's word. Raises StoreUnavailable."""
        with self._lock:
            heard, counted, self._new = self._heard(told, now), self._new, 0
        if counted:
            usage.add(self.destination, counted, heard, now, self.allowance.since(now))

    def hear(self, usage: Usage, now: int) -> None:
        """Take in what was counted before, here and by other workers. Raises StoreUnavailable."""
        kept, newest = usage.spent(self.destination, self.allowance.since(now))
        with self._lock:
            self._kept, self._told = kept, newest

    def check(self, told: tuple[int, int] | None, now: int) -> None:
        """Raises DestinationUnusable where the destination's lanes have to wait."""
        with self._lock:
            ours = self._kept | {now: self._kept.get(now, 0) + self._new}
            heard = self._heard(told, now)
        if stop := verdict(self.allowance, ours, heard, now):
            raise DestinationUnusable(
                self.destination, PauseReason.BUDGET, stop.reason, retry_after=stop.wait_ms / SECOND
            )

    def _heard(self, told: tuple[int, int] | None, now: int) -> Told | None:
        """The newest thing the CRM said: just now, where it was called since the last batch."""
        return Told(*told, now) if told and self._new else self._told
