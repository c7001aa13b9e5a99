"""The formats of the language: pure functions whose examples run as tests.

A format never raises for a value it cannot read: a phone number typed by hand must not stop an event. Each documents
what it returns instead.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import phonenumbers

from connector.carecycle.catalogue import Kind
from connector.mapping import times

_TEXT: Final = frozenset({Kind.TEXT, Kind.UUID, Kind.ENUM, Kind.DATE, Kind.DATETIME})
_TIME: Final = frozenset({Kind.DATE, Kind.DATETIME})
_COUNTRY = "US"  # careCycle sends E.164; a number without a country code is American


@dataclass(frozen=True, slots=True)
class Format:
    """One format. takes: the kinds it reads; gives: the kind it returns; length: the most characters it returns.

    zoned: it also needs the customer's time zone.
    """

    name: str
    apply: Callable[..., Any]
    takes: frozenset[Kind]
    gives: Kind
    length: int | None = None
    zoned: bool = False


def lower(value: str) -> str:
    """Lowercase letters.

    >>> lower("Priya@YourAgency.com")
    'priya@youragency.com'
    """
    return value.lower()


def upper(value: str) -> str:
    """Uppercase letters.

    >>> upper("inbound")
    'INBOUND'
    """
    return value.upper()


def trim(value: str) -> str:
    """The text without spaces at either end.

    >>> trim("  Mesa ")
    'Mesa'
    """
    return value.strip()


def digits(value: str) -> str:
    """The digits only.

    >>> digits("+1 (312) 847-1928")
    '13128471928'
    """
    return "".join(char for char in value if char in "0123456789")


def e164(value: str) -> str:
    """A phone number in E.164; text that is not a phone number stays unchanged.

    >>> e164("(312) 847-1928"), e164("front desk")
    ('+13128471928', 'front desk')
    """
    return _phone(value, phonenumbers.PhoneNumberFormat.E164)


def national(value: str) -> str:
    """A phone number in its national format; text that is not a phone number stays unchanged.

    >>> national("+13128471928"), national("front desk")
    ('(312) 847-1928', 'front desk')
    """
    return _phone(value, phonenumbers.PhoneNumberFormat.NATIONAL)


def _phone(value: str, style: int) -> str:
    try:
        number = phonenumbers.parse(value, _COUNTRY)
    except phonenumbers.NumberParseException:
        return value
    return phonenumbers.format_number(number, style) if phonenumbers.is_possible_number(number) else value


def last4(value: str) -> str:
    """The last four letters or digits.

    >>> last4("1EG4-TE5-MK73")
    'MK73'
    """
    return "".join(char for char in value if char.isalnum())[-4:]


def list_(value: Sequence[str]) -> str:
    """A list in the form both CRMs use for multiple choices.

    >>> list_(["AZ", "AR"])
    'AZ;AR'
    """
    return ";".join(value)


def text(value: Any) -> str:
    """Any value as text.

    >>> text(True), text(42000), text(["AZ", "AR"]), text("Mesa")
    ('true', '42000', 'AZ, AR', 'Mesa')
    """
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case list():
            return ", ".join(value)
        case _:
            return str(value)


_NUMBER, _LIST = frozenset({Kind.INTEGER}), frozenset({Kind.LIST})
FORMATS: Final[dict[str, Format]] = {
    entry.name: entry
    for entry in (
        Format("date", times.date, _TIME, Kind.DATE, 10, zoned=True),
        Format("datetime", times.datetime, frozenset({Kind.DATETIME}), Kind.DATETIME, 24),
        Format("epoch_ms", times.epoch_ms, _TIME, Kind.INTEGER, 17),
        Format("seconds", times.seconds, _NUMBER, Kind.INTEGER, 17),
        Format("minutes", times.minutes, _NUMBER, Kind.INTEGER, 17),
        Format("lower", lower, _TEXT, Kind.TEXT),
        Format("upper", upper, _TEXT, Kind.TEXT),
        Format("trim", trim, _TEXT, Kind.TEXT),
        Format("digits", digits, _TEXT, Kind.TEXT),
        Format("e164", e164, _TEXT, Kind.TEXT),
        Format("national", national, _TEXT, Kind.TEXT),
        Format("last4", last4, _TEXT, Kind.TEXT, 4),
        Format("list", list_, _LIST, Kind.TEXT),
        Format("text", text, _TEXT | _NUMBER | _LIST | {Kind.BOOLEAN}, Kind.TEXT),
    )
}
