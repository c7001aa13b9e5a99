"""The step that writes a date or time as people in America do."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime, tzinfo
from functools import partial
from typing import Any, Final

from connector.carecycle.catalogue import Kind, parse_time
from connector.mapping.steps.step import TIMES, Argument, Example, Format, Step, WrongArgumentError, always

_MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_DATES: Final[Mapping[str, tuple[int, Callable[[datetime], str]]]] = {
    "YYYY": (4, lambda time: f"{time.year:04}"),
    "YY": (2, lambda time: f"{time.year % 100:02}"),
    "MMMM": (9, lambda time: _MONTHS[time.month - 1]),
    "MMM": (3, lambda time: _MONTHS[time.month - 1][:3]),
    "MM": (2, lambda time: f"{time.month:02}"),
    "M": (2, lambda time: str(time.month)),
    "DD": (2, lambda time: f"{time.day:02}"),
    "D": (2, lambda time: str(time.day)),
    "dddd": (9, lambda time: _WEEKDAYS[time.weekday()]),
    "ddd": (3, lambda time: _WEEKDAYS[time.weekday()][:3]),
}
_TIMES: Final[Mapping[str, tuple[int, Callable[[datetime], str]]]] = {
    "HH": (2, lambda time: f"{time.hour:02}"),
    "hh": (2, lambda time: f"{(time.hour - 1) % 12 + 1:02}"),
    "h": (2, lambda time: str((time.hour - 1) % 12 + 1)),
    "mm": (2, lambda time: f"{time.minute:02}"),
    "A": (2, lambda time: "AM" if time.hour < 12 else "PM"),
}
_PARTS: Final = {**_DATES, **_TIMES}
_PART: Final = re.compile("|".join([*sorted(_PARTS, key=len, reverse=True), "[^A-Za-z]"]))
_LONGEST: Final = 60


def pattern(parts: tuple[str, ...]) -> Format:
    """A date or time as people write it, a time in the customer's time zone.

    >>> pattern(("MM", "/", "DD", "/", "YYYY")).apply("1958-04-12", UTC)
    '04/12/1958'
    """
    takes = frozenset({Kind.DATETIME}) if _TIMES.keys() & {*parts} else TIMES
    length = sum(_PARTS[part][0] if part in _PARTS else len(part) for part in parts)
    return Format("pattern", partial(_written, parts), takes, Kind.TEXT, always(length), zoned=True, keeps=False)


def _written(parts: tuple[str, ...], value: str, here: tzinfo) -> str | None:
    try:
        time = datetime.fromisoformat(value) if len(value) == 10 else parse_time(value).astimezone(here)
    except (ValueError, OverflowError):
        return None
    return "".join(_PARTS[part][1](time) if part in _PARTS else part for part in parts)


def _read(written: Any) -> tuple[str, ...]:
    if not isinstance(written, str) or len(written) > _LONGEST:
        raise WrongArgumentError
    parts = parts_of(written)
    if not parts:
        upper = written.upper()
        raise WrongArgumentError(hint=f"did you mean '{upper}'?" if parts_of(upper) else "")
    if "mm" in parts and not {"HH", "hh", "h"} & {*parts}:
        raise WrongArgumentError(hint="mm are minutes; for the month write MM")
    if {"hh", "h"} & {*parts} and "A" not in parts:
        raise WrongArgumentError(hint="add A (AM or PM), or write HH")
    return parts


def parts_of(written: Any) -> tuple[str, ...]:
    """The parts of a pattern; none if it contains anything else, or nothing of a date."""
    if not isinstance(written, str):
        return ()
    parts = tuple(_PART.findall(written))
    return parts if "".join(parts) == written and _PARTS.keys() & {*parts} else ()


STEPS: Final = (
    Step(
        "pattern",
        Example("1958-04-12", "04/12/1958", "MM/DD/YYYY"),
        argument=Argument("a pattern of YYYY, MM, DD and the like", _read, {"type": "string"}),
        made=pattern,
    ),
)
