"""HubSpot's rate limits: ten seconds per app, a day per account, a second for search."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tier:
    """What an account may ask: requests per ten seconds, per day, searches per second."""

    burst: int = 190
    daily: int = 625_000
    searches: int = 5
    associations: int = 150


class Window:
    """Counts requests within the last `seconds`."""

    def __init__(self, most: int, seconds: float) -> None:
        self.most, self.seconds, self.times = most, seconds, deque[float]()

    def spent(self, now: float) -> int:
        while self.times and now - self.times[0] >= self.seconds:
            self.times.popleft()
        return len(self.times)

    def admit(self, now: float) -> bool:
        if self.spent(now) >= self.most:
            return False
        self.times.append(now)
        return True


class Meter:
    """Admits requests or names the policy that refuses them."""

    def __init__(self, tier: Tier) -> None:
        self.tier = tier
        self.burst, self.day = Window(tier.burst, 10.0), Window(tier.daily, 86_400.0)
        self.search, self.links = Window(tier.searches, 1.0), Window(tier.associations, 10.0)

    def refusing(self, path: str, now: float) -> str | None:
        """The policy a request to this path runs into, or None when it is counted and let through."""
        if path.endswith("/search"):
            return None if self.search.admit(now) else "SECONDLY"
        if not self.day.admit(now):
            return "DAILY"
        if "/associations/" in path and not self.links.admit(now):
            return "TEN_SECONDLY_ROLLING"
        return None if self.burst.admit(now) else "TEN_SECONDLY_ROLLING"

    def headers(self, now: float) -> dict[str, str]:
        """What HubSpot tells of the limits on every answer but search's."""
        return {
            "X-HubSpot-RateLimit-Max": str(self.tier.burst),
            "X-HubSpot-RateLimit-Remaining": str(max(0, self.tier.burst - self.burst.spent(now))),
            "X-HubSpot-RateLimit-Interval-Milliseconds": "10000",
            "X-HubSpot-RateLimit-Daily": str(self.tier.daily),
            "X-HubSpot-RateLimit-Daily-Remaining": str(max(0, self.tier.daily - self.day.spent(now))),
        }
