"""Steps for phone numbers and addresses."""

from __future__ import annotations

import re
from typing import Final

import phonenumbers

from connector.carecycle.catalogue import Kind
from connector.mapping import phones
from connector.mapping.steps.step import TEXTUAL, Example, Format, Step, always, unknown

_ZIP: Final = re.compile(r"\s*(\d{5})(?:[- ]?\d{4})?\s*", re.ASCII)
_COUNTRY: Final = "US"  # careCycle sends E.164; a number without a country code is American


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


def ten_digits(value: str) -> str | None:
    """An American phone number in its ten digits; any other number is not sent.

    >>> ten_digits("+1 (312) 847-1928"), ten_digits("+44 20 7946 0018"), ten_digits("front desk")
    ('3128471928', None, None)
    """
    spelled = phones.digits(value)
    return spelled[0] if len(spelled) == 1 and len(spelled[0]) == 10 else None


def zip5(value: str) -> str | None:
    """The five digits of an American ZIP Code; any other postal code is not sent.

    >>> zip5("85204-1234"), zip5(" 07030 "), zip5("K1A 0B1"), zip5("8520")
    ('85204', '07030', None, None)
    """
    parts = _ZIP.fullmatch(value)
    return parts[1] if parts else None


STEPS: Final = (
    Step(
        "ten_digits",
        Example("+13128471928", "3128471928"),
        Format("ten_digits", ten_digits, TEXTUAL, Kind.TEXT, always(10)),
    ),
    Step("zip5", Example("85204-1234", "85204"), Format("zip5", zip5, TEXTUAL, Kind.TEXT, always(5), keeps=False)),
    Step("e164", Example("(312) 847-1928", "+13128471928"), Format("e164", e164, TEXTUAL, Kind.TEXT, unknown)),
    Step(
        "national",
        Example("+13128471928", "(312) 847-1928"),
        Format("national", national, TEXTUAL, Kind.TEXT, unknown),
    ),
)
