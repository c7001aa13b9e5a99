"""How careCycle writes what people write in other ways: states, languages, phone numbers."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from connector.carecycle import catalogue
from connector.carecycle.states import STATES
from connector.mapping.spelling import phone

_CODES: Final = {name.lower(): code for code, name in STATES.items()}
_ELSEWHERE: Final = frozenset(["AA", "AE", "AP", "AS", "FM", "GU", "MH", "MP", "PR", "PW", "UM", "VI"])
_LANGUAGES: Final = {
    "english": "en",
    "spanish": "es",
    "espa\u00f1ol": "es",
    "vietnamese": "vi",
    "chinese": "zh",
    "mandarin": "zh",
    "cantonese": "zh",
    "korean": "ko",
    "tagalog": "tl",
    "russian": "ru",
    "french": "fr",
    "german": "de",
    "arabic": "ar",
    "portuguese": "pt",
    "haitian creole": "ht",
    "creole": "ht",
    "polish": "pl",
    "japanese": "ja",
    "hindi": "hi",
    "italian": "it",
}


def _state(value: str) -> str:
    right = _CODES.get(value.lower(), value.upper())
    return right if right in STATES or right in _ELSEWHERE else ""


def _language(value: str) -> str:
    right = _LANGUAGES.get(value.lower(), value.lower()).partition("-")[0]
    return right if re.fullmatch(r"[a-z]{2}", right) else ""


def _phone(value: str) -> str:
    digits = re.sub(r"\D", "", value)
    number = phone(value) if value[:1] == "+" else f"+{digits.removeprefix('1').rjust(11, '1')}"
    return number if re.fullmatch(r"\+\d{8,15}", number) and len(digits) >= 10 else ""


_USUAL: Final[Mapping[str, Callable[[str], str]]] = {
    "customer.state": _state,
    "customer.assignedUser.licensedStates": _state,
    "customer.language": _language,
    "customer.phoneNumber": _phone,
    "call.phoneNumber": _phone,
}


def never(path: str, value: str) -> str:
    """Say what to write in place of a value that a field never has; empty if it may have it.

    >>> never("customer.state", "Arizona"), never("customer.language", "Spanish"), never("customer.city", "Mesa")
    ("write 'AZ'", "write 'es'", '')
    >>> never("customer.phoneNumber", "(312) 847-1928"), never("customer.state", "AX"), never("customer.state", "AZ")
    ("write '+13128471928'", 'it is 2-letter US abbreviation', '')
    """
    usual = _USUAL.get(path)
    if usual is None:
        return ""
    right = usual(value.strip())
    if not right:
        return f"it is {catalogue.FIELDS[path].about}"
    return f"write '{right}'" if right != value else ""
