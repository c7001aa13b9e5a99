"""Read dates of birth as CRMs and people write them. Pure."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Final

_ISO: Final = re.compile(r"(\d{4})-(\d\d?)-(\d\d?)(?:[T ].*)?")
_AMERICAN: Final = re.compile(r"(\d\d?)[/.-](\d\d?)[/.-](\d{4})")
_SPOKEN: Final = ("%B %d, %Y", "%b %d, %Y", "%B %d %Y", "%b %d %Y", "%d %B %Y", "%d %b %Y")
_MILLISECONDS: Final = re.compile(r"-?\d{9,14}")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_PLACEHOLDERS: Final = frozenset({date(1900, 1, 1), date(1970, 1, 1)})


def parse(text: str) -> date | None:
    """Read a date of birth; None if it is no date, or one written for an unknown date.

    >>> parse("1958-04-12") == parse("4/12/1958") == parse("April 12, 1958") == parse("-369964800000")
    True
    >>> parse("1900-01-01"), parse("04/12/58"), parse("soon")
    (None, None, None)
    """
    try:
        born = _date(text.strip())
    except (ValueError, OverflowError):
        return None
    return None if born in _PLACEHOLDERS else born


def _date(text: str) -> date | None:
    if match := _ISO.fullmatch(text):
        return date(int(match[1]), int(match[2]), int(match[3]))
    if match := _AMERICAN.fullmatch(text):
        return date(int(match[3]), int(match[1]), int(match[2]))
    if _MILLISECONDS.fullmatch(text):
        return (_EPOCH + timedelta(milliseconds=int(text))).date()
    return next((born for pattern in _SPOKEN if (born := _spoken(text, pattern))), None)


def _spoken(text: str, pattern: str) -> date | None:
    try:
        return datetime.strptime(text, pattern).replace(tzinfo=UTC).date()
    except ValueError:
        return None
