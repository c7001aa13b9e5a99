"""Read the fields of a record in one function instead of one call for each, which takes longer than the reading.

The function is written as Python. Its text depends on nothing but how each of the fields is read and written, and has
numbers for names: what a mapping file says goes in as values.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import tzinfo
from functools import lru_cache
from types import CodeType, FunctionType
from typing import Any, Final, NamedTuple

from connector.carecycle.catalogue import ABSENT
from connector.mapping.functions import Get, Payload
from connector.model import FieldWrite, Stamp

Read = Callable[[Payload, tzinfo, Sequence[Stamp], dict[str, Stamp], list[int]], dict[str, Any]]
"""payload, time zone, stamps, silent, rest -> target field -> its `FieldWrite` or its value, of fields that have one.

Of the other fields with a usual `FieldWrite`, those that are null go into `silent`, with their stamps, unless null is
written, and the numbers of those that the payload does not have into `rest`.
"""

_NAME: Final = "<the fields of a record>"
_PLAIN: Final = """
    value = get(key{0})
    if value is not None and (type(value) is not str or (value and not value.isspace())):
        made[target{0}] = """
_OTHER: Final = """
    value = get{0}(payload, zone)
    if value is not None and value is not ABSENT:
        made[target{0}] = """
_VALUE: Final = "value"
_WRITE: Final = "new(FieldWrite, (value, stamps[clock{0}]) + usual{0})"
_PLAIN_NULL: Final = """
    elif key{0} in payload:
        """
_OTHER_NULL: Final = """
    elif value is None:
        """
_SILENT: Final = "silent[target{0}] = stamps[clock{0}]"
_ERASE: Final = "made[target{0}] = new(FieldWrite, (None, stamps[clock{0}]) + usual{0})"
_REST: Final = """
    else:
        rest.append({0})"""


class Reading(NamedTuple):
    """How one field is read. key: of the payload, if its value is just that; otherwise None, and `get` gets it.

    clock: whose time its value carries, as an index of the stamps. usual: what follows value and stamp in its
    `FieldWrite`; None where the value itself is wanted. erases: whether null erases what the CRM has.
    """

    target: str
    key: str | None
    get: Get
    clock: int = 0
    usual: tuple[Any, ...] | None = None
    erases: bool = False


def reader(fields: Sequence[Reading]) -> Read:
    """Make the function that reads these fields, in their order; it adds to `rest` which usual ones have no value."""
    known: dict[str, Any] = {"ABSENT": ABSENT, "FieldWrite": FieldWrite, "new": tuple.__new__}
    for number, field in enumerate(fields):
        known |= {f"{name}{number}": value for name, value in field._asdict().items()}
    return FunctionType(_code(tuple(map(_text, fields))), known)


def _text(field: Reading) -> str:
    """How a field is read, as Python, with its number to be filled in."""
    read, is_null = (_PLAIN, _PLAIN_NULL) if field.key is not None else (_OTHER, _OTHER_NULL)
    if field.usual is None:
        return read + _VALUE
    return read + _WRITE + is_null + (_ERASE if field.erases else _SILENT) + _REST


@lru_cache(maxsize=256)
def _code(texts: tuple[str, ...]) -> CodeType:
    """Compile the function once for all records whose fields are read in the same ways."""
    body = "".join(text.format(number) for number, text in enumerate(texts))
    text = (
        f"def read(payload, zone, stamps, silent, rest):\n    made, get = {{}}, payload.get\n{body}\n    return made\n"
    )
    (code,) = (made for made in compile(text, _NAME, "exec").co_consts if isinstance(made, CodeType))
    return code
