"""Steps that calculate with dates: days of the customer's own calendar, clock changes included."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta, tzinfo
from functools import partial
from typing import Final

from connector.carecycle.catalogue import Kind, parse_time
from connector.mapping.steps import spans
from connector.mapping.steps.arguments import choice
from connector.mapping.steps.dates import in_utc
from connector.mapping.steps.spans import DAYS, EXACT, Span
from connector.mapping.steps.step import SAME_KIND, TIMES, Example, Format, Step, always

_PERIODS: Final = ("week", "month", "quarter", "year")
_CHOICES: Final = (*_PERIODS, *(f"next {period}" for period in _PERIODS))


def day_of(value: str, here: tzinfo) -> date | None:
    """Return the day of a date, or of a timestamp there; None for anything else."""
    try:
        return date.fromisoformat(value) if len(value) == 10 else parse_time(value).astimezone(here).date()
    except (ValueError, OverflowError):
        return None


def day_at(moment: datetime, here: tzinfo) -> date | None:
    """Return the day of a moment there; None where the calendar ends."""
    try:
        return moment.astimezone(here).date()
    except OverflowError:
        return None


def plus(span: Span) -> Format:
    """A date or time so much later. Business days pass over Saturdays and Sundays, not over holidays.

    >>> plus(Span(65, "year")).apply("1960-02-29", UTC), plus(Span(3, "business day")).apply("2026-06-18", UTC)
    ('2025-02-28', '2026-06-23')
    """
    return _moving("plus", span, 1)


def minus(span: Span) -> Format:
    """A date or time so much earlier, counted in the same way.

    >>> minus(Span(30, "day")).apply("2026-03-01", UTC), minus(Span(1, "hour")).apply("2026-03-01T00:30:00Z", UTC)
    ('2026-01-30', '2026-02-28T23:30:00.000Z')
    """
    return _moving("minus", span, -1)


def first_of(period: str) -> Format:
    """The first day of the week (a Monday), month, quarter or year, or of the next one.

    >>> first_of("next month").apply("2026-12-17", UTC), first_of("week").apply("2026-06-17", UTC)
    ('2027-01-01', '2026-06-15')
    """
    return _bounding("first_of", lambda day: _start(day, period))


def last_of(period: str) -> Format:
    """The last day of the week (a Sunday), month, quarter or year, or of the next one.

    >>> last_of("month").apply("2028-02-10", UTC), last_of("next quarter").apply("2026-06-17", UTC)
    ('2028-02-29', '2026-09-30')
    """
    return _bounding("last_of", lambda day: _next(_start(day, period), period) - timedelta(days=1))


def age(value: str, here: tzinfo, moment: datetime) -> int | None:
    """The age in whole years on the day of the event: that of its call, or of the customer's last change.

    >>> [age("1960-02-29", UTC, datetime(2025, 2, day, tzinfo=UTC)) for day in (27, 28)]
    [64, 65]
    """
    day, today = day_of(value, here), day_at(moment, here)
    if day is None or today is None or day > today:
        return None
    years = today.year - day.year
    return years if Span(years, "year").after(day) <= today else years - 1


def _moving(name: str, span: Span, sign: int) -> Format:
    takes = frozenset({Kind.DATETIME}) if span.unit in EXACT else TIMES
    return Format(name, partial(_moved, span, sign), takes, SAME_KIND, _longest, zoned=True, keeps=False)


def _longest(length: int | None) -> int:
    return 24 if length is None else length  # that of a time, and a date is no longer than it was


def _moved(span: Span, sign: int, value: str, here: tzinfo) -> str | None:
    try:
        if len(value) == 10:
            return span.after(date.fromisoformat(value), sign).isoformat()
        moment = parse_time(value)
        if span.unit in EXACT:
            return in_utc(moment + sign * span.count * EXACT[span.unit])
        there = moment.astimezone(here)
        return in_utc(datetime.combine(span.after(there.date(), sign), there.timetz()))
    except (ValueError, OverflowError):
        return None


def _bounding(name: str, bound: Callable[[date], date]) -> Format:
    def apply(value: str, here: tzinfo) -> str | None:
        day = day_of(value, here)
        try:
            return bound(day).isoformat() if day else None
        except (ValueError, OverflowError):
            return None

    return Format(name, apply, TIMES, Kind.DATE, always(10), zoned=True, keeps=False)


def _start(day: date, period: str) -> date:
    if period.startswith("next "):
        return _next(_start(day, period[5:]), period[5:])
    match period:
        case "week":
            return day - timedelta(days=day.weekday())
        case "month":
            return day.replace(day=1)
        case "quarter":
            return day.replace(month=day.month - (day.month - 1) % 3, day=1)
        case _:
            return day.replace(month=1, day=1)


def _next(start: date, period: str) -> date:
    unit = period.removeprefix("next ")
    return Span(3, "month").after(start) if unit == "quarter" else Span(1, unit).after(start)


_SPAN: Final = spans.argument((*EXACT, *DAYS))
STEPS: Final = (
    Step("plus", Example("2026-06-18", "2026-06-23", "3 business days"), argument=_SPAN, made=plus),
    Step("minus", Example("2026-06-18", "2026-05-19", "30 days"), argument=_SPAN, made=minus),
    Step(
        "age",
        Example("1958-04-12", 68),
        Format("age", age, TIMES, Kind.INTEGER, always(4), zoned=True, timed=True, keeps=False),
    ),
    Step("first_of", Example("2026-06-18", "2026-07-01", "next month"), argument=choice(_CHOICES), made=first_of),
    Step("last_of", Example("2026-06-18", "2026-06-30", "month"), argument=choice(_CHOICES), made=last_of),
)
