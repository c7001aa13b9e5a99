"""What somebody meant who wrote a number, a date, yes or no, or one of a few words in another way."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final

from connector.mapping.suggestions import closest

_SMALL: Final = "zero one two three four five six seven eight nine ten eleven twelve"
_NUMBER: Final = re.compile(r"\$?\s*(\d{1,3}(?:[,_\u00a0 ]\d{3})+|\d+)(\.\d+)?\s*(%|[A-Za-z]+\.?)?")
_SECONDS: Final = {"s": 1, "sec": 1, "second": 1, "m": 60, "min": 60, "minute": 60, "h": 3600, "hour": 3600}
_SPELLED: Final = ("%m/%d/%Y", "%m-%d-%Y", "%B %d, %Y", "%b %d, %Y", "%B %d %Y", "%d %B %Y")
_YES: Final = {"yes": True, "y": True, "on": True, "no": False, "n": False, "off": False}
_BOOLEANS: Final = _YES | {"true": True, "false": False}


def number(text: str, unit: str = "") -> str:
    """Return a number as YAML has it; empty if the text is none. unit: what may stand after it, in the singular.

    >>> number("60,000"), number("$50,000"), number("30 days", "day"), number("two"), number("2.50"), number("2 weeks")
    ('60000', '50000', '30', '2', '2.50', '')
    """
    small = _SMALL.split()
    if text.strip().lower() in small:
        return str(small.index(text.strip().lower()))
    match = _NUMBER.fullmatch(text.strip())
    if match is None or (match[3] and match[3].lower().rstrip(".s") != unit):
        return ""
    return re.sub(r"\D", "", match[1]) + (match[2] or "")


def milliseconds(text: str) -> str:
    """Return a length of time in milliseconds; empty if the text is none.

    >>> milliseconds("2 minutes"), milliseconds("90 sec"), milliseconds("2 days")
    ('120000', '90000', '')
    """
    match = _NUMBER.fullmatch(text.strip())
    unit = (match[3] or "").lower().rstrip(".") if match else ""
    each = _SECONDS.get(unit) or _SECONDS.get(unit.removesuffix("s"))
    return str(round(float(number(match[1] + (match[2] or ""))) * each * 1000)) if match and each else ""


def boolean(text: str) -> str:
    """Return `true` or `false`; empty if the text is neither.

    >>> boolean("Yes"), boolean("off"), boolean("maybe")
    ('true', 'false', '')
    """
    meant = _BOOLEANS.get(text.strip().lower())
    return "" if meant is None else str(meant).lower()


def day(text: str) -> str:
    """Return a date as YYYY-MM-DD, from one in the American order; empty if the text is none.

    >>> day("03/31/2027"), day("1/2/1961"), day("March 31, 2027"), day("31.03.2027")
    ('2027-03-31', '1961-01-02', '2027-03-31', '')
    """
    for form in _SPELLED:
        with suppress(ValueError):
            return datetime.strptime(text.strip(), form).replace(tzinfo=UTC).date().isoformat()
    return ""


def word(text: str, known: Iterable[str]) -> str:
    """Return the one of a few words that was meant: letter case, blanks, dashes and underscores do not count.

    >>> word("if blank", ["always", "if_blank"]), word("Client Credentials", ["client_credentials"]), word("x", ["y"])
    ('if_blank', 'client_credentials', '')
    """
    options = tuple(known)
    plain = {re.sub(r"[\W_]+", "", option).lower(): option for option in options}
    return plain.get(re.sub(r"[\W_]+", "", text).lower()) or closest(text, options)
