"""Read the fields of a record in one function instead of one call for each, which takes longer than the reading.

The function is written as Python. Its text depends on nothing but which of the fields are plain ones, and has numbers
for names: what a mapping file says goes in as values.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import tzinfo
from functools import lru_cache
from types import CodeType, FunctionType
from typing import Any, Final, NamedTuple

from connector.carecycle.catalogue import ABSENT
from connector.mapping.functions import Get, Payload

Read = Callable[[Payload, tzinfo], dict[str, Any]]
"""payload, time zone -> target field -> value, of the fields that have one."""

_NAME: Final = "<the fields of a record>"
_PLAIN: Final = """
    value = get(key{0})
    if value is not None and (type(value) is not str or (value and not value.isspace())):
        made[target{0}] = value
"""
_OTHER: Final = """
    value = get{0}(payload, zone)
    if value is not None and value is not ABSENT:
        made[target{0}] = value
"""


class Reading(NamedTuple):
    """How one field is read. key: of the payload, if its value is just that; otherwise None, and `get` gets it."""

    target: str
    key: str | None
    get: Get


def reader(fields: Sequence[Reading]) -> Read:
    """Make the function that reads these fields, in their order."""
    known: dict[str, Any] = {"ABSENT": ABSENT}
    for number, field in enumerate(fields):
        known |= {f"target{number}": field.target, f"key{number}": field.key, f"get{number}": field.get}
    return FunctionType(_code(tuple(field.key is not None for field in fields)), known)


@lru_cache(maxsize=256)
def _code(are_plain: tuple[bool, ...]) -> CodeType:
    """Compile the function once for all records whose fields are plain, or not, in the same order."""
    body = "".join((_PLAIN if plain else _OTHER).format(number) for number, plain in enumerate(are_plain))
    text = f"def read(payload, zone):\n    made, get = {{}}, payload.get\n{body}    return made\n"
    (code,) = (made for made in compile(text, _NAME, "exec").co_consts if isinstance(made, CodeType))
    return code
