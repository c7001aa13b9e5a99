"""Find the block of the format that reads a location, and the keys it knows."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any, get_args

from pydantic import BaseModel

from connector.mapping.schema import File
from connector.mapping.schema_conditions import Comparison, Condition
from connector.mapping.tree import Loc


@cache
def keys_of(block: type[BaseModel]) -> tuple[str, ...]:
    """List the keys a block knows, as the file spells them."""
    return tuple(declared.alias or name for name, declared in block.model_fields.items())


def model_at(loc: Loc) -> type[BaseModel] | None:
    """Return the model that reads the block at a location."""
    current: Any = File
    for part in loc:
        if isinstance(current, type) and issubclass(current, BaseModel):
            current = _annotation(current, str(part))
        else:
            current = next(_inside(current), None)
        if current is None:
            return None
    return current if isinstance(current, type) and issubclass(current, BaseModel) else None


def _annotation(block: type[BaseModel], key: str) -> Any:
    for name, declared in block.model_fields.items():
        if key == (declared.alias or name):
            return _plain_type(declared.annotation)
    return Comparison if block is Condition else None


def _plain_type(annotation: Any) -> Any:
    """Return the block of a union, or the container itself."""
    options = [option for option in get_args(annotation) if option is not type(None)]
    is_container = getattr(annotation, "__origin__", None) in (list, dict)
    if is_container or not options:
        return annotation
    tagged = [getattr(option, "__origin__", option) for option in options]
    return next((option for option in tagged if isinstance(option, type) and issubclass(option, BaseModel)), options[0])


def _inside(container: Any) -> Iterator[Any]:
    """Yield the type that a list or a dictionary holds."""
    arguments = get_args(container)
    if arguments:
        yield _plain_type(arguments[-1])
