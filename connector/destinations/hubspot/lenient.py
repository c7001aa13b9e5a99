"""The types of HubSpot's values: what is written in more than one way is read as one."""

from __future__ import annotations

import json
import math
import re
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, StringConstraints

_CONTEXT_AS_TEXT: Final = re.compile(r"(\w+)=(?:\[([^\]]*)\]|([^,}\[\]]*))")
"""HubSpot's reference shows a context as text: "{missingScopes=[scope1, scope2]}"."""


def _text(value: Any) -> Any:
    """A number as the text HubSpot would write; anything else unchanged."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return str(value) if is_number else value


def _properties(value: Any) -> Any:
    """Every value as text, so that a value of another type does not count as blank."""
    if not isinstance(value, dict):
        return value
    return {name: item if item is None or isinstance(item, str) else json.dumps(item) for name, item in value.items()}


def _context(value: Any) -> Any:
    """The names and numbers in an error's context, as lists of texts; we read nothing else of it.

    >>> _context("{propertyName=[hs_language], id=7}"), _context({"ids": [7, None], "x": {"a": "b"}})
    ({'propertyName': ['hs_language'], 'id': ['7']}, {'ids': ['7']})
    """
    if isinstance(value, str):
        return _context_of_text(value)
    if not isinstance(value, dict):
        return value
    texts = {name: _texts(item) for name, item in value.items()}
    return {name: items for name, items in texts.items() if items}


def _context_of_text(text: str) -> dict[str, list[str]]:
    matches = _CONTEXT_AS_TEXT.finditer(text)
    return {match[1]: [item.strip() for item in (match[2] or match[3] or "").split(",")] for match in matches}


def _texts(value: Any) -> list[str]:
    """The texts and numbers of a list, or of a single value, as texts."""
    items = value if isinstance(value, list) else [value]
    return [text for item in items if isinstance(text := _text(item), str)]


def _option_values(options: Any) -> Any:
    """The values of a property's options, as they are shown: a model of each would take several times the memory."""
    if not isinstance(options, list):
        return options
    values = (option.get("value") for option in sorted(filter(_is_object, options), key=_place))
    return [value for value in values if isinstance(value, str)]


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


def _place(option: dict[str, Any]) -> float:
    """Where an option is shown; HubSpot's -1, or an odd place, is after the others."""
    order = option.get("displayOrder")
    return order if isinstance(order, int) and order >= 0 else math.inf


Id = Annotated[str, BeforeValidator(_text), StringConstraints(pattern=r"^[0-9]{1,19}$")]
Values = Annotated[dict[str, str | None], BeforeValidator(_properties)]
Context = Annotated[dict[str, list[str]], BeforeValidator(_context)]
OptionValues = Annotated[list[str], BeforeValidator(_option_values)]
