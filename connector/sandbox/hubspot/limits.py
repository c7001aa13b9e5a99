"""HubSpot's rate limits: ten seconds per app, a day per account, a second for search."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tier:
    """An account's limits: requests per 10 s and per day, searches per second, association requests per 10 s.

    rolling: whether the ten seconds are the last ones before each request; if not, they begin at fixed moments.
    """

    burst: int = 190
    daily: int = 625_000
    searches: int = 5
    associations: int = 150
    rolling: bool = True


class Window:
    """Counts the requests of the last `seconds`, or since the last of the fixed moments."""

    def __init__(self, most: int, seconds: float, *, rolling: bool = True) -> None:
        self.most, self.seconds, self.rolling, self.times = most, seconds, rolling, deque[float]()

    def spent(self, now: float) -> int:
        """Count the requests within the window."""
        began = now - self.seconds if self.rolling else now - now % self.seconds
        while self.times and (self.times[0] <= began if self.rolling else self.times[0] < began):
            self.times.popleft()
        return len(self.times)

    def admit(self, now: float) -> bool:
        """Count a request, unless the window is full."""
        if self.spent(now) >= self.most:
            return False
        self.times.append(now)
        return True


class Meter:
    """Counts requests against every limit."""

    def __init__(self, tier: Tier) -> None:
        self.tier = tier
        self.burst = Window(tier.burst, 10.0, rolling=tier.rolling)
        self.links = Window(tier.associations, 10.0, rolling=tier.rolling)
        self.day, self.search = Window(tier.daily, 86_400.0), Window(tier.searches, 1.0)

    def refusing(self, path: str, now: float) -> str | None:
        """Return the policy that rejects a request to this path, or None when it is counted and allowed."""
        if path.endswith("/search"):
            return None if self.search.admit(now) else "SECONDLY"
        if not self.day.admit(now):
            return "DAILY"
        if "/associations/" in path and not self.links.admit(now):
            return "TEN_SECONDLY_ROLLING"
        return None if self.burst.admit(now) else "TEN_SECONDLY_ROLLING"

    def headers(self, now: float) -> dict[str, str]:
        """Build the rate limit headers, which HubSpot sends on every reply except a search's."""
        secondly = str(self.tier.burst // 10)  # HubSpot names this limit, and does not apply it
        return {
            "X-HubSpot-RateLimit-Secondly": secondly,
            "X-HubSpot-RateLimit-Secondly-Remaining": secondly,
            "X-HubSpot-RateLimit-Max": str(self.tier.burst),
            "X-HubSpot-RateLimit-Remaining": str(max(0, self.tier.burst - self.burst.spent(now))),
            "X-HubSpot-RateLimit-Interval-Milliseconds": "10000",
            "X-HubSpot-RateLimit-Daily": str(self.tier.daily),
            "X-HubSpot-RateLimit-Daily-Remaining": str(max(0, self.tier.daily - self.day.spent(now))),
        }
