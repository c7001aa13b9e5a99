"""Read ranges of numbers as people write them, and spell them as bands."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from connector.mapping.bands import ELSE

_AMOUNT: Final = r"(-?\d+(?:\.\d+)?)(k?)"
_BOTH: Final = re.compile(rf"(?:between )?{_AMOUNT} ?(?:-|to|and|\.\.+) ?{_AMOUNT}")
_BEFORE: Final[Mapping[str, tuple[bool, int]]] = {
    "<=": (False, 0),
    ">=": (True, 0),
    "<": (False, -1),
    ">": (True, 1),
    "up to": (False, 0),
    "at most": (False, 0),
    "at least": (True, 0),
    "under": (False, -1),
    "below": (False, -1),
    "less than": (False, -1),
    "over": (True, 1),
    "above": (True, 1),
    "more than": (True, 1),
}
"""How a range without an end begins: whether it goes up, and how far from the number."""

_OPEN_ENDED: Final = re.compile(rf"({'|'.join(_BEFORE)}) ?{_AMOUNT}")
_UPWARD: Final = re.compile(rf"{_AMOUNT} ?(?:\+|plus|(?:and|or) (?:over|older|up|above|more|higher))")
_DOWNWARD: Final = re.compile(rf"{_AMOUNT} ?(?:and|or) (?:under|younger|below|less|lower)")
_PLAIN: Final = re.compile(r"[A-Za-z][\w ]*")


_NO_TEXTS: Final = frozenset({"true", "false", "null", "yes", "no", "on", "off"})


class Range(NamedTuple):
    """The numbers from the lowest to the highest, both included; None: without end."""

    lowest: float | None
    highest: float | None


def read(text: str) -> Range | None:
    """Read a range; None if the text is none.

    >>> read("65-74"), read("$1,000 to $2,000"), read("75+"), read("< 65"), read("0..500"), read("Mesa")
    (Range(lowest=65, highest=74), Range(lowest=1000, highest=2000), Range(lowest=75, highest=None), \
Range(lowest=None, highest=64), Range(lowest=0, highest=500), None)
    """
    plain = re.sub(r"\s+", " ", re.sub(r"[$,]", "", text.strip().lower().replace("\u2013", "-").replace("\u2014", "-")))
    if both := _BOTH.fullmatch(plain):
        return Range(_number(both[1], both[2]), _number(both[3], both[4]))
    if up := _UPWARD.fullmatch(plain):
        return Range(_number(up[1], up[2]), None)
    if down := _DOWNWARD.fullmatch(plain):
        return Range(None, _number(down[1], down[2]))
    if open_ended := _OPEN_ENDED.fullmatch(plain):
        goes_up, further = _BEFORE[open_ended[1]]
        number = _number(open_ended[2], open_ended[3]) + further
        return Range(number, None) if goes_up else Range(None, number)
    return None


def _number(digits: str, thousands: str) -> float:
    number = float(digits) if "." in digits else int(digits)
    return number * 1000 if thousands else number


def as_bands(entries: Mapping[str, Any]) -> str:
    """Spell a table of ranges as bands, in rising order; what no range has stays with else.

    >>> as_bands({"65-74": "Senior", "75+": "Elder", "else": "Younger"})
    'bands: { 65: Senior, 75: Elder, else: Younger }'
    >>> as_bands({"<65": "no", "65-70": "yes", "else": None})
    'bands: { 65: "yes", 71: null, else: "no" }'
    """
    known = [(own, value) for key, value in entries.items() if (own := read(key)) is not None]
    known.sort(key=lambda entry: float("-inf") if entry[0].lowest is None else entry[0].lowest)
    starts_below = known[0][0].lowest is None
    below = known[0][1] if starts_below else entries.get(ELSE)
    bounds = dict(_bounds(known, entries.get(ELSE)))
    written = [f"{number}: {_spelled(value)}" for number, value in bounds.items()]
    written += [f"{ELSE}: {_spelled(below)}"] if starts_below or ELSE in entries else []
    return f"bands: {{ {', '.join(written)} }}"


def _bounds(known: Sequence[tuple[Range, Any]], otherwise: Any) -> Iterable[tuple[float, Any]]:
    """The lowest number of each range, and the first number of what lies between two, or above the last."""
    following = [own.lowest for own, _ in known[1:]]
    for (own, value), then in zip(known, [*following, None], strict=True):
        if own.lowest is not None:
            yield own.lowest, value
        if own.highest is not None and (then is None or then > own.highest + 1):
            yield own.highest + 1, otherwise


def _spelled(value: Any) -> str:
    is_plain = isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _NO_TEXTS
    return value if is_plain else json.dumps(value, ensure_ascii=False)
