"""Convert values for writing to Salesforce, for comparing with what it returns, and for queries."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final
from urllib.parse import quote

from simple_salesforce.format import quote_soql_value

from connector.destinations.base import Compare, as_text
from connector.model import Value

IDS: Final = frozenset({"id", "reference"})
"""The types of fields that hold the id of a record."""

_NUMBERS: Final = frozenset({"int", "double", "currency", "percent", "long"})

_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
"""What no text in Salesforce has: control characters, and halves of a character beyond the first 65,536."""
MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:?\d\d)")
_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.I)
_NUMBER: Final = re.compile(r"-?\d{1,18}(\.\d{1,18})?")
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d")
_ID: Final = re.compile(r"[A-Za-z0-9]{15}([A-Za-z0-5]{3})?")
_SUMS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
"""A character for each pattern of upper and lower case in five characters of an id."""


def key(value: str) -> str:
    """A key as it is sent: UUIDs in lower case, because an external id may or may not be case-sensitive."""
    clean = _CONTROL.sub("", value).strip()
    return clean.lower() if _UUID.fullmatch(clean) else clean


def outgoing(value: Value) -> Value:
    """A value as it is sent: text without control characters."""
    return _CONTROL.sub("", value) if isinstance(value, str) else value


def normal(value: Value) -> str:
    """A value as canonical text, in which values written and read back compare equal.

    >>> normal("2026-06-17T14:03:16.709-05:00") == normal("2026-06-17T19:03:16.000+0000") == "2026-06-17T19:03:16Z"
    True
    >>> normal(True), normal(42000.0), normal(None), normal("  a\\r\\nb ")
    ('true', '42000', '', 'a\\nb')
    """
    return _text(value) if isinstance(value, str) else as_text(value)


def folded(value: Value) -> str:
    """Text as Salesforce compares it, ignoring case."""
    return normal(value).lower()


def comparing(kind: str) -> Compare | None:
    """What makes two values of a field of this type equal where a query takes them for the same; None if not known.

    >>> [compare(value) for compare in [comparing("double")] if compare for value in ("12.50", 12.5)]
    ['12.5', '12.5']
    """
    if kind in IDS:
        return _whole_id
    return _as_number if kind in _NUMBERS else _COMPARED.get(kind)


def _whole_id(value: Value) -> str:
    text = normal(value)
    return (full_id(text) or text).lower()


def _as_number(value: Value) -> str:
    text = normal(value)
    is_number = not isinstance(value, str) or _NUMBER.fullmatch(text)
    return str(Decimal(text).normalize() + 0) if text and is_number else text.lower()


def _text(value: str) -> str:
    clean = _CONTROL.sub("", value).replace("\r\n", "\n").strip()
    return _whole_second(clean) if MOMENT.fullmatch(clean) else clean


def _whole_second(moment: str) -> str:
    try:
        return datetime.fromisoformat(moment).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError):
        return moment


def full_id(value: str) -> str | None:
    """An id in its 18 characters, with the letter case that its last three tell; None if it is no id.

    >>> full_id("003Hs0000000001"), full_id("003hs0000000001iaa"), full_id("CRM-48213")
    ('003Hs0000000001IAA', '003Hs0000000001IAA', None)
    """
    if not _ID.fullmatch(value):
        return None
    if len(value) == 15:
        return value + "".join(_SUMS[sum(c.isupper() << n for n, c in enumerate(value[i : i + 5]))] for i in (0, 5, 10))
    upper = [_SUMS.index(c) >> n & 1 for c in value[15:].upper() for n in range(5)]
    restored = "".join(c.upper() if is_upper else c.lower() for c, is_upper in zip(value, upper, strict=False))
    return full_id(restored) if full_id(restored) == restored + value[15:].upper() else None


def _unquoted(pattern: re.Pattern[str]) -> Callable[[str], str | None]:
    return lambda value: value if pattern.fullmatch(value) else None


def _date(value: str) -> str | None:
    return value if _DATE.fullmatch(value) and _exists(value) else None


def _moment(value: str) -> str | None:
    return value if MOMENT.fullmatch(value) and _exists(value) else None


def _exists(moment: str) -> bool:
    try:
        return bool(datetime.fromisoformat(moment))
    except ValueError:
        return False


def _id(value: str) -> str | None:
    whole = full_id(value)
    return f"'{whole}'" if whole else None


_COMPARED: Final[dict[str, Compare]] = {
    **dict.fromkeys(("string", "email", "phone", "url", "picklist", "combobox"), folded),
    **dict.fromkeys(("boolean", "date"), normal),
}
"""How values of other types are compared. Those of a type that is not here are not the text that a record shows."""


_LITERALS: Final[dict[str, Callable[[str], str | None]]] = {
    **dict.fromkeys(_NUMBERS, _unquoted(_NUMBER)),
    **dict.fromkeys(IDS, _id),
    "date": _date,
    "datetime": _moment,
    "boolean": _unquoted(re.compile("true|false")),
}


def literal(kind: str, value: str, length: int = 0) -> str | None:
    """A value as a literal in a query on a field of this type and length (0: unknown); None if no record can have it.

    >>> literal("string", "O'Neil"), literal("date", "1958-04-12"), literal("date", "soon")
    ("'O\\\\'Neil'", '1958-04-12', None)
    """
    clean = _CONTROL.sub("", value).strip()
    if not clean or (length and len(clean) > length):
        return None
    return _LITERALS[kind](clean) if kind in _LITERALS else str(quote_soql_value(clean))


def portions(literals: Iterable[str], most: int, longest: int) -> Iterator[list[str]]:
    """Group literals for queries: at most `most` of them, and at most `longest` URL-encoded bytes, per group."""
    portion: list[str] = []
    size = 0
    for text in literals:
        grown = size + len(quote(text, safe="")) + 3  # 3: the comma, encoded
        if portion and (len(portion) == most or grown > longest):
            yield portion
            portion, size = [], 0
            grown = len(quote(text, safe="")) + 3
        portion.append(text)
        size = grown
    if portion:
        yield portion
