"""Convert values to their field's type: Salesforce's REST API accepts no text for a checkbox or a number."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Final

from connector.destinations.base import as_text
from connector.destinations.salesforce.schema import DescribedObject
from connector.destinations.salesforce.values import MOMENT
from connector.model import Value
from connector.settlement import Refusal

_WRONG_TYPE: Final = "a value does not fit its field, which is for numbers, dates or a checkbox"
_CORRECT: Final = "correct the mapping with `format:` or `table:`, then replay"
_NUMBER: Final = re.compile(r"-?\d{1,18}(\.\d{1,18})?")


class Misfit(Exception):
    """Some values do not fit their fields."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.code)
        self.refusal = refusal


def fitted(described: DescribedObject | None, fields: Mapping[str, Value]) -> dict[str, Value]:
    """Convert each value to the JSON type its field needs; without a description, values stay unchanged.

    Raises Misfit.
    """
    endless = [name for name, value in fields.items() if isinstance(value, float) and not math.isfinite(value)]
    if endless:
        raise Misfit(Refusal.of("NOT_A_NUMBER", "a number is not finite", _CORRECT, tuple(endless)))
    kinds = {own.name.lower(): own.type for own in described.fields} if described else {}
    converted: dict[str, Value] = {}
    bad = []
    for name, value in fields.items():
        try:
            converted[name] = _as(kinds.get(name.lower(), ""), value)
        except ValueError:
            bad.append(name)
    if bad:
        raise Misfit(Refusal.of("WRONG_TYPE", _WRONG_TYPE, _CORRECT, tuple(bad)))
    return converted


def _as(kind: str, value: Value) -> Value:
    return value if value is None or kind not in _KINDS else _KINDS[kind](value)


def _flag(value: Value) -> Value:
    """Convert a checkbox.

    >>> _flag(True), _flag("false")
    (True, False)
    """
    if isinstance(value, bool):
        return value
    if value not in ("true", "false"):
        raise ValueError
    return value == "true"


def _number(value: Value) -> Value:
    """Convert a number.

    >>> _number("42"), _number("-0.5"), _number(3)
    (42, -0.5, 3)
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    text = value.strip() if isinstance(value, str) else ""
    if not _NUMBER.fullmatch(text):
        raise ValueError
    return float(text) if "." in text else int(text)


def _whole(value: Value) -> Value:
    """Convert a whole number.

    >>> _whole("42"), _whole(42.0)
    (42, 42)
    """
    number = _number(value)
    if isinstance(number, float):
        if not number.is_integer():
            raise ValueError
        return int(number)
    return number


def _date(value: Value) -> Value:
    if not isinstance(value, str) or len(value) != 10:
        raise ValueError
    return date.fromisoformat(value).isoformat()


def _moment(value: Value) -> Value:
    if not isinstance(value, str) or not MOMENT.fullmatch(value):
        raise ValueError
    datetime.fromisoformat(value)
    return value


_TEXTS: Final = "string textarea phone email url picklist multipicklist combobox encryptedstring id reference"
_KINDS: Final[dict[str, Callable[[Value], Value]]] = {
    **dict.fromkeys(_TEXTS.split(), as_text),
    **dict.fromkeys(("double", "currency", "percent"), _number),
    **dict.fromkeys(("int", "long"), _whole),
    "boolean": _flag,
    "date": _date,
    "datetime": _moment,
}
