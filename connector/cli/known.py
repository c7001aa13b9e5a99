"""Names that options are given: one that does not exist is an error that lists those that do."""

from __future__ import annotations

from collections.abc import Collection
from difflib import get_close_matches
from typing import Final

from connector.errors import FixConfiguration

_LISTED: Final = 20


def require_known(option: str, value: str, known: Collection[str]) -> None:
    """Raise FixConfiguration if a value is given that is not one of these."""
    if not value or value in known:
        return
    names = sorted(known)
    close = get_close_matches(value, names, _LISTED)
    listed = list(dict.fromkeys([*close, *names]))[:_LISTED]
    more = f", and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    hint = f"known are {', '.join(listed)}{more}" if names else "there is none yet"
    raise FixConfiguration(option, f"{value!r} does not occur", hint)
