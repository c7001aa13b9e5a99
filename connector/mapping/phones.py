"""Phone numbers, whatever their punctuation. Pure."""

from __future__ import annotations

from typing import Final

import phonenumbers
from phonenumbers import PhoneNumberFormat, ValidationResult

_COUNTRY: Final = "US"
_AMERICAN: Final = (
    "+1{0}{1}{2}", "1{0}{1}{2}", "{0}{1}{2}", "({0}) {1}-{2}", "{0}-{1}-{2}", "{0}.{1}.{2}", "{0} {1} {2}",
    "({0}){1}-{2}", "+1 {0}-{1}-{2}", "+1 ({0}) {1}-{2}", "1-{0}-{1}-{2}", "+1-{0}-{1}-{2}",
    "1 {0} {1} {2}", "1 {0}-{1}-{2}", "1 ({0}) {1}-{2}", "+1 {0} {1} {2}", "({0}) {1} {2}", "{0} {1}-{2}",
    "{0}/{1}-{2}", "{0} {1}{2}",
)  # fmt: skip


def comparable(text: str) -> str:
    """The number in E.164, without an extension; empty if it is not a whole phone number.

    >>> comparable("(312) 847-1928 x12"), comparable("+44 20 7946 0018"), comparable("847-1928")
    ('+13128471928', '+442079460018', '')
    """
    number = _parsed(text)
    return phonenumbers.format_number(number, PhoneNumberFormat.E164) if number else ""


def digits(text: str) -> tuple[str, ...]:
    """The number in digits: without its country code, and for other countries with it too; none if it is not whole.

    >>> digits("+13128471928"), digits("+44 20 7946 0018"), digits("front desk")
    (('3128471928',), ('2079460018', '442079460018'), ())
    """
    number = _parsed(text)
    if number is None:
        return ()
    national = str(phonenumbers.national_significant_number(number))
    return (national,) if number.country_code == 1 else (national, f"{number.country_code}{national}")


def spellings(text: str) -> tuple[str, ...]:
    """The number as given, and as people commonly write it.

    >>> spellings("+13128471928")[:4]
    ('+13128471928', '13128471928', '3128471928', '(312) 847-1928')
    >>> spellings("front desk")
    ('front desk',)
    """
    number = _parsed(text)
    if number is None:
        return (text,)
    national = str(phonenumbers.national_significant_number(number))
    if number.country_code == 1 and len(national) == 10:
        spelled = [pattern.format(national[:3], national[3:6], national[6:]) for pattern in _AMERICAN]
    else:
        whole = f"{number.country_code}{national}"
        styles = (PhoneNumberFormat.INTERNATIONAL, PhoneNumberFormat.NATIONAL)
        spelled = [f"+{whole}", whole, f"00{whole}", f"011{whole}"]
        spelled += [phonenumbers.format_number(number, style) for style in styles]
    return tuple(dict.fromkeys([text, *spelled]))


def _parsed(text: str) -> phonenumbers.PhoneNumber | None:
    try:
        number = phonenumbers.parse(text, _COUNTRY)
    except phonenumbers.NumberParseException:
        return None
    number.extension = None
    is_whole = phonenumbers.is_possible_number_with_reason(number) == ValidationResult.IS_POSSIBLE
    return number if is_whole else None
