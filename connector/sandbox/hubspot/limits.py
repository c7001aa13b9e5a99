"""HubSpot's rate limits: ten seconds per app, a day per account, a second for search."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tier:
    """An account's limits: requests per 10 s and per day, searches per second, association requests per 10 s."""

    burst: int = 190
    daily: int = 625_000
    searches: int = 5
    associations: int = 150


class Window:
    """Counts the requests of the last `seconds`."""

    def __init__(self, most: int, seconds: float) -> None:
        self.most, self.seconds, self.times = most, seconds, deque[float]()

    def spent(self, now: float) -> int:
        """Count the requests within the window."""
        while self.times and now - self.times[0] >= self.seconds:
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
        self.burst, self.day = Window(tier.burst, 10.0), Window(tier.daily, 86_400.0)
        self.search, self.links = Window(tier.searches, 1.0), Window(tier.associations, 10.0)

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
