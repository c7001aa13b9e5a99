"""Steps for dates and times."""

from __future__ import annotations

from datetime import UTC, tzinfo
from datetime import date as calendar_date
from datetime import datetime as moment_of
from typing import Final

from connector.carecycle.catalogue import Kind, parse_time
from connector.mapping.steps.numbers import LONGEST_WHOLE
from connector.mapping.steps.step import TIMES, Example, Format, Step, always


def date(value: str, here: tzinfo) -> str | None:
    """The calendar date; for a timestamp, the date in the customer's time zone.

    >>> date("2026-06-18T02:00:00Z", ZoneInfo("America/Phoenix"))
    '2026-06-17'
    >>> date("1958-04-12", UTC)
    '1958-04-12'
    """
    try:
        if len(value) == 10:
            return calendar_date.fromisoformat(value).isoformat()
        return parse_time(value).astimezone(here).date().isoformat()
    except (ValueError, OverflowError):
        return None


def datetime(value: str) -> str | None:
    """The timestamp in UTC, to the millisecond.

    >>> datetime("2026-06-17T12:03:16.001-07:00")
    '2026-06-17T19:03:16.001Z'
    """
    try:
        return in_utc(parse_time(value))
    except (ValueError, OverflowError):
        return None


def in_utc(moment: moment_of) -> str:
    """Write a moment as CRMs take it: in UTC, to the millisecond."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


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


_MOMENTS: Final = frozenset({Kind.DATETIME})
STEPS: Final = (
    Step(
        "date",
        Example("2026-06-18T02:00:00Z", "2026-06-17"),
        Format("date", date, TIMES, Kind.DATE, always(10), zoned=True),
    ),
    Step(
        "datetime",
        Example("2026-06-17T12:03:16.001-07:00", "2026-06-17T19:03:16.001Z"),
        Format("datetime", datetime, _MOMENTS, Kind.DATETIME, always(24)),
    ),
    Step(
        "epoch_ms",
        Example("1958-04-12", -369964800000),
        Format("epoch_ms", epoch_ms, TIMES, Kind.INTEGER, always(LONGEST_WHOLE)),
    ),
)
