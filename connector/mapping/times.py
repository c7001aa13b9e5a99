"""Dates and times: the formats that read them, and time zones."""

from __future__ import annotations

from datetime import UTC, tzinfo
from datetime import date as calendar_date
from datetime import datetime as moment_of
from functools import lru_cache
from zoneinfo import ZoneInfo

from connector.carecycle.catalogue import parse_time


def zone(name: object, fallback: tzinfo) -> tzinfo:
    """Return the time zone with this IANA name, or the fallback if there is none.

    >>> zone("America/Phoenix", UTC), zone("Mars/Olympus", UTC), zone(None, UTC)
    (zoneinfo.ZoneInfo(key='America/Phoenix'), datetime.timezone.utc, datetime.timezone.utc)
    """
    return (_zone(name) if isinstance(name, str) and name else None) or fallback


@lru_cache(maxsize=1024)
def _zone(name: str) -> tzinfo | None:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # an unknown name, a malformed name, a folder's name
        return None


def date(value: str, zone: tzinfo) -> str | None:
    """The calendar date; for a timestamp, the date in the customer's time zone.

    >>> date("2026-06-18T02:00:00Z", ZoneInfo("America/Phoenix"))
    '2026-06-17'
    >>> date("1958-04-12", UTC)
    '1958-04-12'
    """
    try:
        if len(value) == 10:
            return calendar_date.fromisoformat(value).isoformat()
        return parse_time(value).astimezone(zone).date().isoformat()
    except (ValueError, OverflowError):
        return None


def datetime(value: str) -> str | None:
    """The timestamp in UTC, to the millisecond.

    >>> datetime("2026-06-17T12:03:16.001-07:00")
    '2026-06-17T19:03:16.001Z'
    """
    try:
        return parse_time(value).astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    except (ValueError, OverflowError):
        return None


def epoch_ms(value: str) -> int | None:
    """Milliseconds since 1970 UTC; for a date, those of its midnight in UTC.

    >>> epoch_ms("2026-06-17T19:03:16.001Z"), epoch_ms("1958-04-12")
    (1781722996001, -369964800000)
    """
    try:
        if len(value) == 10:
            day = calendar_date.fromisoformat(value)
            return round(moment_of(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1000
        return round(parse_time(value).timestamp() * 1000)
    except (ValueError, OverflowError):
        return None


def seconds(value: int) -> int:
    """Milliseconds as whole seconds, halves rounded up.

    >>> seconds(247000), seconds(1500)
    (247, 2)
    """
    return (value + 500) // 1000


def minutes(value: int) -> int:
    """Milliseconds as whole minutes, halves rounded up.

    >>> minutes(247000), minutes(90000)
    (4, 2)
    """
    return (value + 30_000) // 60_000
