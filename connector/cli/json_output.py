"""What `--json` prints: fields by name, times in ISO 8601."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from connector.settlement import RecordNote

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LAST: Final = 253_402_300_799_999
"""The end of the year 9999; a pause until somebody ends it lasts longer, and has no time."""
_TIMES: Final = frozenset({"at", "since", "until", "now", "source_time", "lost_from", "midnight"})
_TIME_ENDS: Final = ("_at", "_until", "_since")


def as_data(value: Any, name: str = "") -> Any:
    """A result as JSON data. name: of the field it is in: an integer there that is a time becomes ISO 8601 in UTC."""
    if isinstance(value, RecordNote):
        value = value.as_data()
    match value:
        case bool() | None | str() | float():
            return value
        case int():
            return iso(value) if is_time(name) else value
        case Mapping():
            return _fields(value)
        case list() | tuple() | set() | frozenset():
            return [as_data(each, name) for each in value]
    is_plain = is_dataclass(value)
    return _fields({field.name: getattr(value, field.name) for field in fields(value)}) if is_plain else str(value)


def _fields(values: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(name): as_data(value, str(name)) for name, value in values.items()}


def iso(at: int) -> str | None:
    """Epoch milliseconds as ISO 8601; None for no time, and for one that never comes."""
    if not 0 < at <= _LAST:
        return None
    return (_EPOCH + timedelta(milliseconds=at)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def is_time(name: str) -> bool:
    """Whether an integer in a field of this name is epoch milliseconds."""
    return name in _TIMES or name.endswith(_TIME_ENDS)
