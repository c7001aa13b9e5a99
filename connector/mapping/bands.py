"""Bands: a number becomes the text of the band it lies in. Each band is named by its lowest number.

{ from: customer.dateOfBirth, format: age, bands: { 65: 65-74, 75: 75 and over, else: under 65 } }
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from datetime import tzinfo
from typing import Any, Final

from connector.carecycle.catalogue import ABSENT
from connector.mapping.functions import Get, Payload

ELSE: Final = "else"
_NUMBER: Final = re.compile(r"-?\d{1,15}(\.\d{1,10})?", re.ASCII)


def bound(text: str) -> float | None:
    """Read the lowest number of a band; None if it is none.

    >>> bound("65"), bound("-0.5"), bound("65-74"), bound("$1,000")
    (65, -0.5, None, None)
    """
    if not _NUMBER.fullmatch(text):
        return None
    return float(text) if "." in text else int(text)


def _bounds(bands: Mapping[str, Any]) -> list[float]:
    return [lowest for key in bands if (lowest := bound(key)) is not None]


def band_of(number: Any, bands: Mapping[str, Any] | None) -> Iterator[str]:
    """Name the band that a number lies in; nothing for no number.

    >>> list(band_of(70, {"65": "a", "75": "b"})), list(band_of(64, {"65": "a"})), list(band_of(None, {"65": "a"}))
    (['65'], ['else'], [])
    """
    if bands and number is not None and number is not ABSENT:
        at = bisect_right(_bounds(bands), number)
        yield [ELSE, *(key for key in bands if key != ELSE)][at]


def banded(get: Get, bands: Mapping[str, Any]) -> Get:
    """Give what is written for the band of a number; below the lowest band: else, or no value."""
    below = bands.get(ELSE)
    bounds, values = _bounds(bands), [value for key, value in bands.items() if key != ELSE]

    def place(payload: Payload, zone: tzinfo) -> Any:
        number = get(payload, zone)
        if number is None or number is ABSENT:
            return number
        at = bisect_right(bounds, number)
        return values[at - 1] if at else below

    return place
