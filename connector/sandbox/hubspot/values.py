"""The property values that HubSpot accepts, and how it stores them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any

from connector.sandbox.hubspot.portal import Property
from connector.sandbox.hubspot.replies import iso, problem

LONGEST = 65_536
_EMAIL = re.compile(r"[^@\s,;<>]+@[^@\s,;<>]+\.[^@\s,;<>.]+")
_DAY_MS = 86_400_000


class _Bad(Exception):
    """Carries the validation code."""


def accept(definition: Property | None, name: str, value: Any, *, strict: bool) -> tuple[str, dict[str, Any] | None]:
    """Return the value as stored, and the problem if it is rejected."""
    if definition is None:
        return "", problem(name, "PROPERTY_DOESNT_EXIST", f'Property "{name}" does not exist')
    if definition.read_only:
        return "", problem(name, "READ_ONLY_VALUE", f'"{name}" is a read only property; its value cannot be set.')
    if not isinstance(value, str):
        if strict or value is None:
            return "", problem(name, "INVALID_STRING", f'the value of "{name}" was not a JSON string')
        value = str(value).lower() if isinstance(value, bool) else str(value)
    if value == "":
        return "", None
    try:
        return _kept(definition, value), None
    except _Bad as bad:
        return "", problem(name, str(bad), f'{value} was not a valid value of "{name}".')


def _kept(definition: Property, value: str) -> str:
    if definition.name == "email":
        return _email(value)
    return _BY_TYPE[definition.type](definition, value)


def _email(value: str) -> str:
    if not _EMAIL.fullmatch(value):
        raise _Bad("INVALID_EMAIL")
    return value.lower()


def _string(definition: Property, value: str) -> str:
    if len(value) > LONGEST:
        raise _Bad("PROPERTY_VALUE_TOO_LONG")
    return value


def _number(definition: Property, value: str) -> str:
    if not re.fullmatch(r"-?\d+(\.\d+)?([eE][+-]?\d+)?", value):
        raise _Bad("INVALID_LONG")
    return value


def _bool(definition: Property, value: str) -> str:
    if value not in ("true", "false"):
        raise _Bad("INVALID_OPTION")
    return value


def _enumeration(definition: Property, value: str) -> str:
    chosen = value.strip(";").split(";") if definition.field_type == "checkbox" else [value]
    if definition.options and not set(chosen) <= set(definition.options):
        raise _Bad("INVALID_OPTION")
    return value


def _date(definition: Property, value: str) -> str:
    if re.fullmatch(r"-?\d{9,}", value):
        if int(value) % _DAY_MS:
            raise _Bad("INVALID_DATE")
        return datetime.fromtimestamp(int(value) / 1000, UTC).date().isoformat()
    try:
        return date.fromisoformat(value).isoformat()
    except ValueError:
        raise _Bad("INVALID_DATE") from None


def _datetime(definition: Property, value: str) -> str:
    if re.fullmatch(r"-?\d+", value):
        return iso(int(value) / 1000)
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise _Bad("INVALID_DATE") from None
    if moment.tzinfo is None:
        raise _Bad("INVALID_DATE")
    return iso(moment.timestamp())


_BY_TYPE: dict[str, Callable[[Property, str], str]] = {
    "string": _string,
    "phone_number": _string,
    "number": _number,
    "bool": _bool,
    "enumeration": _enumeration,
    "date": _date,
    "datetime": _datetime,
}


_CALCULATED = {
    "phone": "hs_searchable_calculated_phone_number",
    "mobilephone": "hs_searchable_calculated_mobile_number",
}


def calculated(properties: Mapping[str, str]) -> dict[str, str]:
    """Calculate what the search compares with phone numbers: area code and local number, as digits."""
    return {name: digits for own, name in _CALCULATED.items() if (digits := _national(properties.get(own, "")))}


def _national(number: str) -> str:
    before_extension = re.split(r"[a-z;,]", number.lower(), maxsplit=1)[0]
    digits = re.sub(r"\D", "", before_extension).lstrip("0")
    return digits[1:] if len(digits) == 11 and digits.startswith("1") else digits
