"""Read Salesforce's errors. Its own texts repeat values, so they are read here and not passed on."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from connector.crm import is_same_id

_CODE: Final = re.compile(r"[A-Z][A-Z0-9_]{2,79}|[a-z_]{3,79}")
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,79}")
_NAMING: Final = re.compile(
    r"(?:No such column '|Unable to create/update fields: |duplicate value found: "
    r"|Provided external ID field does not exist or is not accessible: |The (?=\w+ field contains))([\w, ]+)"
)
_HOLDER: Final = re.compile(r"duplicates value on record with id: ([A-Za-z0-9]{15,18})\b")
_REFERRED: Final = re.compile(r"cross-reference id: ([A-Za-z0-9]{15,18})\b")
_MISSING: Final = re.compile(r"Required fields are missing: \[([\w, ]+)\]")


@dataclass(frozen=True, slots=True)
class ApiError:
    """One error as Salesforce sent it, for a whole request or for one record. in_list: as it sends its own."""

    status: int
    code: str
    message: str = field(default="", repr=False)
    fields: tuple[str, ...] = ()
    in_list: bool = False

    @property
    def is_unnamed(self) -> bool:
        """Whether Salesforce refused what was sent, but not for a reason that can be read."""
        return self.in_list and self.code in ("HTTP_200", "HTTP_400", "HTTP_404")


def read(status: int, content: Any) -> ApiError:
    """The error in a reply's body: a list of errors, one error, or text that is not from Salesforce.

    A code that does not look like one is replaced with the HTTP status.
    """
    errors = entries(content)
    first = next(filter(_code, errors), errors[0] if errors else content)
    in_list = isinstance(content, list)
    if not isinstance(first, dict):
        return ApiError(status, f"HTTP_{status}", in_list=in_list)
    fields, message = first.get("fields"), first.get("message")
    names = tuple(name for name in fields if isinstance(name, str)) if isinstance(fields, list) else ()
    text = message if isinstance(message, str) else ""
    return ApiError(status, _code(first) or f"HTTP_{status}", text, names, in_list)


def _code(error: dict[str, Any]) -> str:
    """The code of an error; empty if it has none that looks like one."""
    code = error.get("errorCode") or error.get("statusCode") or error.get("error")
    return code if isinstance(code, str) and _CODE.fullmatch(code) else ""


def entries(errors: Any) -> list[dict[str, Any]]:
    """The errors of a list that can be read."""
    return [error for error in errors if isinstance(error, dict)] if isinstance(errors, list) else []


def holder(error: ApiError) -> str:
    """The id of the record that already has a value Salesforce allows once; empty if the text does not give it."""
    match = _HOLDER.search(error.message)
    return match[1] if match else ""


def located(error: ApiError, record: Mapping[str, Any]) -> ApiError:
    """The error with the fields whose value is the record id that its text names, where it lists no field itself."""
    match = None if error.fields else _REFERRED.search(error.message)
    if not match:
        return error
    names = (name for name, value in record.items() if isinstance(value, str) and is_same_id(value, match[1]))
    return replace(error, fields=tuple(names))


def named(error: ApiError, ours: Collection[str]) -> tuple[str, ...]:
    """The fields an error names: those it lists, and those of `ours` that its text mentions."""
    listed = [name for name in error.fields if _NAME.fullmatch(name)]
    match, missing = _NAMING.search(error.message), _MISSING.search(error.message)
    words = re.split(r"[, ]+", match[1]) if match else []
    required = re.split(r"[, ]+", missing[1]) if missing else []
    return tuple(dict.fromkeys([*listed, *required, *(word for word in words if word in ours)]))
