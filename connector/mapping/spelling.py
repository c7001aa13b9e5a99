"""The usual spelling of a value, by which a value that a CRM reformatted is still recognized as ours. Pure.

Only the spellings named here count as one value. Text of digits alone is never changed: identifiers, ZIP codes and
leading zeros stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import phonenumbers

from connector.model import Value

_AMERICAN: Final = re.compile(r"(?:\+?1[-. ]?)?(?:\([0-9]{3}\) ?|[0-9]{3}[-. ])[0-9]{3}[-. ][0-9]{4}")
_INTERNATIONAL: Final = re.compile(r"\+[0-9][-0-9. ()]{6,20}")
_EMAIL: Final = re.compile(r"[^@\s;]+@[^@\s;]+\.[^@\s;]+")
_CHOICES: Final = re.compile(r"[^;\s](?:[^;\r\n]*[^;\s])?(?:;[^;\s](?:[^;\r\n]*[^;\s])?)+")
_DECIMAL: Final = re.compile(r"-?(?:0|[1-9][0-9]*)\.[0-9]+")
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME: Final = r"[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?(?:Z|[+-][0-9]{2}:?[0-9]{2})"
_MOMENT: Final = re.compile(_DAY.pattern + _TIME)


def usual(value: Value) -> Value:
    """A value in its usual spelling; whatever is none of the spellings below stays unchanged but for line ends.

    >>> usual("(312) 847-1928") == usual("312-847-1928") == usual("+1 312 847 1928") == "+13128471928"
    True
    >>> usual("Priya@YourAgency.com"), usual("NV;AZ;AR"), usual("12500.50"), usual(" a\\r\\nb "), usual("TRUE")
    ('priya@youragency.com', 'AR;AZ;NV', '12500.5', 'a\\nb', 'true')
    >>> usual("2026-06-18"), usual("2026-06-18T02:00:00+0200"), usual("85204-1234"), usual("00852")
    ('2026-06-18T00:00:00Z', '2026-06-18T00:00:00Z', '85204-1234', '00852')
    """
    if not isinstance(value, str):
        return value
    text = value.replace("\r\n", "\n").replace("\r", "\n").strip()
    return next((spell(text) for pattern, spell in _SPELLINGS if pattern.fullmatch(text)), text)


def phone(text: str) -> str:
    """A phone number in E.164, whatever its punctuation; other text unchanged, and so are digits without any.

    >>> phone("(312) 847-1928"), phone("+44 20 7946 0958"), phone("3128471928"), phone("312-847-1928 x5")
    ('+13128471928', '+442079460958', '3128471928', '312-847-1928 x5')
    """
    clean = text.strip()
    return _e164(clean) if _AMERICAN.fullmatch(clean) or _INTERNATIONAL.fullmatch(clean) else text


def _e164(text: str) -> str:
    try:
        number = phonenumbers.parse(text, "US")
    except phonenumbers.NumberParseException:
        return text
    is_possible = phonenumbers.is_possible_number(number)
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164) if is_possible else text


def _sorted_choices(text: str) -> str:
    return ";".join(sorted(text.split(";")))


def _without_zeros(text: str) -> str:
    whole, _, part = text.partition(".")
    fraction = part.rstrip("0")
    return f"{whole}.{fraction}" if fraction else whole


def _moment(text: str) -> str:
    """A moment in UTC, to the second; a day is its midnight."""
    try:
        moment = datetime.fromisoformat(text)
        whole = moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError):
        return text
    return whole.isoformat(timespec="seconds").replace("+00:00", "Z")


_SPELLINGS: Final[tuple[tuple[re.Pattern[str], Callable[[str], str]], ...]] = (
    (_AMERICAN, _e164),
    (_INTERNATIONAL, _e164),
    (_EMAIL, str.lower),
    (_CHOICES, _sorted_choices),
    (_DECIMAL, _without_zeros),
    (_DAY, _moment),
    (_MOMENT, _moment),
    (re.compile("true|false", re.I), str.lower),
)
