"""The formats of the language: pure functions whose examples run as tests.

A format never raises for a value it cannot read: a phone number typed by hand must not stop an event. Each documents
what it returns instead.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo
from datetime import date as calendar_date
from datetime import datetime as moment_of
from functools import lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo

import phonenumbers

from connector.carecycle.catalogue import Kind, parse_time

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


def zone(name: object, fallback: tzinfo) -> tzinfo:
    """Return the time zone with this IANA name, or the fallback if there is none.

    >>> zone("America/Phoenix", UTC), zone("Mars/Olympus", UTC), zone(None, UTC)
    (zoneinfo.ZoneInfo(key='America/Phoenix'), datetime.timezone.utc, datetime.timezone.utc)
    """
    return (_zone(name) if isinstance(name, str) and name else None) or fallback


@lru_cache(maxsize=1024)
def _zone(name: str) -> tzinfo | None:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # an unknown name, a malformed name, a folder's name
        return None


def date(value: str, zone: tzinfo) -> str | None:
    """The calendar date; for a timestamp, the date in the customer's time zone.

    >>> date("2026-06-18T02:00:00Z", ZoneInfo("America/Phoenix"))
    '2026-06-17'
    >>> date("1958-04-12", UTC)
    '1958-04-12'
    """
    try:
        if len(value) == 10:
            return calendar_date.fromisoformat(value).isoformat()
        return parse_time(value).astimezone(zone).date().isoformat()
    except (ValueError, OverflowError):
        return None


def datetime(value: str) -> str | None:
    """The timestamp in UTC, to the millisecond.

    >>> datetime("2026-06-17T12:03:16.001-07:00")
    '2026-06-17T19:03:16.001Z'
    """
    try:
        return parse_time(value).astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    except (ValueError, OverflowError):
        return None


def epoch_ms(value: str) -> int | None:
    """Milliseconds since 1970 UTC; for a date, those of its midnight in UTC.

    >>> epoch_ms("2026-06-17T19:03:16.001Z"), epoch_ms("1958-04-12")
    (1781722996001, -369964800000)
    """
    try:
        if len(value) == 10:
            day = calendar_date.fromisoformat(value)
            return round(moment_of(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1000
        return round(parse_time(value).timestamp() * 1000)
    except (ValueError, OverflowError):
        return None


def seconds(value: int) -> int:
    """Milliseconds as whole seconds, halves rounded up.

    >>> seconds(247000), seconds(1500)
    (247, 2)
    """
    return (value + 500) // 1000


def minutes(value: int) -> int:
    """Milliseconds as whole minutes, halves rounded up.

    >>> minutes(247000), minutes(90000)
    (4, 2)
    """
    return (value + 30_000) // 60_000


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
        Format("date", date, _TIME, Kind.DATE, 10, zoned=True),
        Format("datetime", datetime, frozenset({Kind.DATETIME}), Kind.DATETIME, 24),
        Format("epoch_ms", epoch_ms, _TIME, Kind.INTEGER, 17),
        Format("seconds", seconds, _NUMBER, Kind.INTEGER, 17),
        Format("minutes", minutes, _NUMBER, Kind.INTEGER, 17),
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
