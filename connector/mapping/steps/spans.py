"""A length of time as people write it, such as `3 business days`, from one day to another. Holidays are not known."""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import date, timedelta
from difflib import get_close_matches
from typing import Any, Final

from connector.mapping.steps.step import Argument, WrongArgumentError

EXACT: Final = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1)}
"""Units of time that has passed; all others count days of the calendar."""
DAYS: Final = ("day", "business day", "week", "month", "year")
_WRITTEN: Final = re.compile(r"(\d{1,5}) ([a-z ]+)", re.ASCII)
_FRIDAY: Final = 4


@dataclass(frozen=True, slots=True)
class Span:
    """A number of units. unit: in the singular."""

    count: int
    unit: str

    def after(self, day: date, sign: int = 1) -> date:
        """The day this long after another one, or before it. A month has no day that its calendar lacks.

        >>> Span(3, "business day").after(date(2026, 6, 18)), Span(1, "month").after(date(2026, 1, 31))
        (datetime.date(2026, 6, 23), datetime.date(2026, 2, 28))
        """
        match self.unit:
            case "business day":
                return _business_days(day, self.count, sign)
            case "month":
                return _months(day, sign * self.count)
            case "year":
                return _months(day, sign * self.count * 12)
            case "week":
                return day + timedelta(weeks=sign * self.count)
            case _:
                return day + timedelta(days=sign * self.count)


def _business_days(day: date, count: int, sign: int) -> date:
    """Go on from the last business day: the first after a Saturday is Monday."""
    while day.weekday() > _FRIDAY:
        day -= timedelta(days=sign)
    weeks, rest = divmod(count, 5)
    day += timedelta(weeks=sign * weeks)
    while rest:
        day += timedelta(days=sign)
        rest -= day.weekday() <= _FRIDAY
    return day


def _months(day: date, count: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 + count, 12)
    first = date(year, month + 1, 1)
    return first.replace(day=min(day.day, monthrange(year, month + 1)[1]))


def argument(units: tuple[str, ...]) -> Argument:
    """A length of time in these units."""

    def read(written: Any) -> Span:
        text = " ".join(written.lower().split()) if isinstance(written, str) else ""
        parts = _WRITTEN.fullmatch(text)
        unit = parts[2].removesuffix("s") if parts else ""
        if parts is None or unit not in units or not int(parts[1]):
            raise WrongArgumentError(hint=_hint(text, units))
        return Span(int(parts[1]), unit)

    expected = f"a whole number and one of: {', '.join(f'{unit}s' for unit in units)}"
    pattern = rf"^[0-9]{{1,5}} ({'|'.join(units)})s?$"
    return Argument(expected, read, {"type": "string", "pattern": pattern})


def _hint(text: str, units: tuple[str, ...]) -> str:
    count, _, unit = text.partition(" ")
    near = get_close_matches(unit, [f"{known}s" for known in units], n=1)
    if count.startswith("-") and near:
        return f"to go back write  minus: {count[1:]} {near[0]}"
    return f"did you mean '{count} {near[0]}'?" if near and count.isdigit() and int(count) else ""
