"""How Salesforce handles one value for one field: the value it stores, or why it rejects it."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any, Final

from connector.sandbox.salesforce.schema import NUMBERS, TEXTS, Column


class BadRequest(Exception):
    """The whole request is rejected: an HTTP status and a single error."""

    def __init__(self, status: int, code: str, message: str, fields: list[str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.body: list[dict[str, Any]] = [{"message": message, "errorCode": code}]
        if fields is not None:
            self.body[0]["fields"] = fields


class Refused(Exception):
    """A record is rejected."""

    def __init__(self, code: str, message: str, fields: list[str] | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.fields = code, message, fields or []


_EMAIL: Final = re.compile(r"[^@\s,;<>]+@[^@\s,;<>]+\.[^@\s,;<>.]{2,}\Z")
_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:?\d\d)\Z")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
RECORD_ID: Final = re.compile(r"[A-Za-z0-9]{15}([A-Z0-5]{3})?\Z")


def parse(column: Column, value: Any) -> Any:
    """Convert a JSON value to the field's type. Raises BadRequest where Salesforce's parser rejects the request."""
    if value is None:
        return None
    expected = _JSON_TYPES.get(column.type, str)
    if not isinstance(value, expected) or isinstance(value, bool) != (expected is bool):
        raise _unreadable(column, value)
    try:
        return _PARSERS[column.type](value) if column.type in _PARSERS else value
    except ValueError:
        raise _unreadable(column, value) from None


def _unreadable(column: Column, value: Any) -> BadRequest:
    token = {bool: "VALUE_TRUE", str: "VALUE_STRING", dict: "START_OBJECT", list: "START_ARRAY"}
    kind = token.get(type(value), "VALUE_NUMBER")
    message = f"Cannot deserialize instance of {column.type} from {kind} value {value} or request may be missing a"
    return BadRequest(400, "JSON_PARSER_ERROR", f"{message} required field at [line:1, column:1]")


def _day(text: str) -> str:
    if len(text) != 10:
        raise ValueError("not a date")
    return date.fromisoformat(text).isoformat()


def _moment(text: str) -> str:
    if not _MOMENT.match(text):
        raise ValueError("not a datetime")
    moment = datetime.fromisoformat(text).astimezone(UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000+0000")


_JSON_TYPES: Final[dict[str, Any]] = {
    "boolean": bool,
    "int": int,
    "double": (int, float),
    "currency": (int, float),
    "percent": (int, float),
}
_PARSERS: Final[dict[str, Callable[[Any], Any]]] = {"date": _day, "datetime": _moment}


def settle(column: Column, value: Any) -> Any:
    """Check a value of the right type against the field and return what is stored. Raises Refused."""
    if column.type in TEXTS and isinstance(value, str):
        value = _text(column, value)
    if value is None:
        return _null(column)
    if column.type in NUMBERS:
        return _number(column, value)
    if column.type in ("date", "datetime") and not "1700" <= value[:4] <= "4000":
        raise Refused("DATE_OUT_OF_RANGE", f"{column.label}: date out of range: {value}", [column.name])
    if column.type == "reference" and not RECORD_ID.match(value):
        raise Refused("MALFORMED_ID", f"{column.label}: id value of incorrect type: {value}", [column.name])
    return value


def _number(column: Column, value: float) -> float:
    if abs(value) >= 10 ** (column.length or 18):
        raise Refused("NUMBER_OUTSIDE_VALID_RANGE", f"{column.label}: value outside of valid range", [column.name])
    return value if column.type == "int" else float(value)


def _null(column: Column) -> Any:
    if column.type == "boolean":
        message = f"{column.label}: value not of required type: null"
        raise Refused("INVALID_TYPE_ON_FIELD_IN_RECORD", message, [column.name])
    if column.required:
        raise Refused("REQUIRED_FIELD_MISSING", f"Required fields are missing: [{column.name}]", [column.name])
    return column.default


def _text(column: Column, value: str) -> str | None:
    value = value.strip()
    if _CONTROL.search(value):
        message = f"{column.label}: text outside the supported character set"
        raise Refused("TEXT_DATA_OUTSIDE_SUPPORTED_CHARSET", message, [column.name])
    if len(value) > column.length:
        message = f"{column.label}: data value too large: {value} (max length={column.length})"
        raise Refused("STRING_TOO_LONG", message, [column.name])
    if value and column.type == "email" and not _EMAIL.match(value):
        raise Refused("INVALID_EMAIL_ADDRESS", f"{column.label}: invalid email address: {value}", [column.name])
    chosen = [part for part in value.split(";") if part] if column.type == "multipicklist" else [value]
    if value and "restricted" in column.marks and not set(chosen) <= set(column.options):
        message = f"{column.label}: bad value for restricted picklist field: {value}"
        raise Refused("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", message, [column.name])
    return ";".join(_in_order(column, chosen)) or None


def _in_order(column: Column, chosen: list[str]) -> list[str]:
    """The chosen values in the order of the picklist, each once; values that are not on it come last."""
    return [
        *(option for option in column.options if option in chosen),
        *(own for own in chosen if own not in column.options),
    ]


def checksummed(id15: str) -> str:
    """Extend a 15-character id to the 18-character form that survives a change of case."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
    groups = (id15[start : start + 5] for start in (0, 5, 10))
    return id15 + "".join(letters[sum(c.isupper() << place for place, c in enumerate(group))] for group in groups)
