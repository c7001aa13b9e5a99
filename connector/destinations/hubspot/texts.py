"""Read what HubSpot says only in its texts: names of properties, codes and record ids. Never values."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

PROPERTY: Final = re.compile(r"[a-z][a-z0-9_]{0,99}")
"""A property's name."""

_NAME: Final = f"({PROPERTY.pattern})"
# Each begins where the text does, so that no value in it can be taken for a name.
_NAMING: Final = tuple(
    re.compile(pattern)
    for pattern in (
        rf"Cannot set PropertyValueCoordinates\{{[^}}]*?(?:\{{[^}}]*\}}[^}}]*?)?\bpropertyName={_NAME}, value=",
        rf'Property "{_NAME}" does not exist',
        rf"A value for {_NAME} must be provided",
        rf"{_NAME} is required because of a conditional property rule",
        r"(Email) address .* is invalid",
    )
)
_HOLDERS: Final = (
    re.compile(r".*Existing ID: (\d+)", re.DOTALL),
    re.compile(r".*\. (\d+) already has that value", re.DOTALL),
)


def listed_problems(message: str) -> list[Mapping[str, Any]]:
    """The JSON list after the colon of "Property values were not valid: [...]"; empty if there is none."""
    start = message.find("[{")
    try:
        problems = json.loads(message[start:]) if start >= 0 else []
    except (ValueError, RecursionError):
        return []
    return [problem for problem in problems if isinstance(problem, dict)] if isinstance(problems, list) else []


def properties(texts: Iterable[str]) -> Iterator[str]:
    """The properties that these texts name."""
    for text in texts:
        for match in filter(None, (pattern.match(text) for pattern in _NAMING)):
            yield match[1].lower()


def holder(texts: Iterable[str]) -> str:
    """The id of the record that already has a unique value; empty if no text gives it."""
    ids = (match[1] for text in texts for pattern in _HOLDERS if (match := pattern.match(text)))
    return next(ids, "")
