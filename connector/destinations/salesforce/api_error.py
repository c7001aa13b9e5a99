"""Read Salesforce's errors. Its own texts repeat values, so they are read here and not passed on."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, Final

_CODE: Final = re.compile(r"[A-Z][A-Z0-9_]{2,79}|[a-z_]{3,79}")
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,79}")
_NAMING: Final = re.compile(
    r"(?:No such column '|Unable to create/update fields: |duplicate value found: |The (?=\w+ field contains))([\w, ]+)"
)
_HOLDER: Final = re.compile(r"duplicates value on record with id: ([A-Za-z0-9]{15,18})\b")
_MISSING: Final = re.compile(r"Required fields are missing: \[([\w, ]+)\]")


@dataclass(frozen=True, slots=True)
class ApiError:
    """One error as Salesforce sent it, for a whole request or for one record."""

    status: int
    code: str
    message: str = field(default="", repr=False)
    fields: tuple[str, ...] = ()


def read(status: int, content: Any) -> ApiError:
    """The error in a reply's body: a list of errors, one error, or text that is not from Salesforce.

    A code that does not look like one is replaced with the HTTP status.
    """
    first = next(iter(entries(content)), content)
    if not isinstance(first, dict):
        return ApiError(status, f"HTTP_{status}")
    code = str(first.get("errorCode") or first.get("statusCode") or first.get("error") or "")
    fields = first.get("fields")
    listed = tuple(str(name) for name in fields) if isinstance(fields, list) else ()
    return ApiError(
        status, code if _CODE.fullmatch(code) else f"HTTP_{status}", str(first.get("message") or ""), listed
    )


def entries(errors: Any) -> list[dict[str, Any]]:
    """The errors of a list that can be read."""
    return [error for error in errors if isinstance(error, dict)] if isinstance(errors, list) else []


def holder(error: ApiError) -> str:
    """The id of the record that already has a value Salesforce allows once; empty if the text does not give it."""
    match = _HOLDER.search(error.message)
    return match[1] if match else ""


def named(error: ApiError, ours: Collection[str]) -> tuple[str, ...]:
    """The fields an error names: those it lists, and those of `ours` that its text mentions."""
    listed = [name for name in error.fields if _NAME.fullmatch(name)]
    match, missing = _NAMING.search(error.message), _MISSING.search(error.message)
    words = re.split(r"[, ]+", match[1]) if match else []
    required = re.split(r"[, ]+", missing[1]) if missing else []
    return tuple(dict.fromkeys([*listed, *required, *(word for word in words if word in ours)]))
