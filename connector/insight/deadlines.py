"""By when an opt-out has to be honoured: ten business days after it was asked for. Pure.

47 CFR 64.1200(a)(10) gives the days; a business day is none that is a Saturday, a Sunday or a federal holiday
(47 CFR 1.4(e), 5 U.S.C. 6103).
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import cache
from typing import Final

DAYS: Final = 10
_DAY: Final = timedelta(days=1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MONDAY, _THURSDAY, _FRIDAY, _SATURDAY, _SUNDAY = 0, 3, 4, 5, 6
_DATED: Final = ((1, 1), (6, 19), (7, 4), (11, 11), (12, 25))
_WEEKDAYS: Final = ((1, 3, _MONDAY), (2, 3, _MONDAY), (9, 1, _MONDAY), (10, 2, _MONDAY), (11, 4, _THURSDAY))


@cache
def holidays(year: int) -> frozenset[date]:
    """The federal holidays that are kept in a year; one at a weekend is kept the day before or after.

    >>> sorted(day.isoformat() for day in holidays(2026))[:4]
    ['2026-01-01', '2026-01-19', '2026-02-16', '2026-05-25']
    >>> date(2026, 7, 3) in holidays(2026), date(2027, 12, 31) in holidays(2027)
    (True, True)
    """
    dated = [date(own, month, day) for own in (year, year + 1) for month, day in _DATED]
    moved = (day + _DAY * {_SATURDAY: -1, _SUNDAY: 1}.get(day.weekday(), 0) for day in dated)
    last_of_may = date(year, 5, 31)
    memorial = last_of_may - _DAY * last_of_may.weekday()
    by_weekday = (_nth(year, *rule) for rule in _WEEKDAYS)
    return frozenset(day for day in (*moved, memorial, *by_weekday) if day.year == year)


def _nth(year: int, month: int, number: int, weekday: int) -> date:
    first = date(year, month, 1)
    return first + _DAY * ((weekday - first.weekday()) % 7 + 7 * (number - 1))


def is_business_day(day: date) -> bool:
    """Whether it is a day that counts."""
    return day.weekday() < _SATURDAY and day not in holidays(day.year)


def days_between(asked: date, then: date) -> int:
    """The business days after one day, up to and including another.

    >>> days_between(date(2026, 11, 24), date(2026, 11, 30)), days_between(date(2026, 11, 24), date(2026, 11, 24))
    (3, 0)
    """
    return sum(is_business_day(asked + _DAY * number) for number in range(1, (then - asked).days + 1))


def day_of(at: int, zone: tzinfo) -> date:
    """The day of a time (epoch ms) in a zone."""
    return (_EPOCH + timedelta(milliseconds=at)).astimezone(zone).date()


@cache
def last_day(asked: date) -> date:
    """The last day on which an opt-out asked for on a day is honoured in time.

    >>> last_day(date(2026, 11, 24)).isoformat(), last_day(date(2026, 6, 18)).isoformat()
    ('2026-12-09', '2026-07-06')
    """
    day, left = asked, DAYS
    while left:
        day += _DAY
        left -= is_business_day(day)
    return day


def is_late(asked: int, then: int, zone: tzinfo) -> bool:
    """Whether a time (epoch ms) is after the last day."""
    return day_of(then, zone) > last_day(day_of(asked, zone))
