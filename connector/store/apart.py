"""A message ID that comes with another body: what is compared, and under which ID that body is kept."""

from __future__ import annotations

import json
from collections.abc import Callable
from operator import itemgetter
from typing import Any, Final

_LONGEST: Final = 256 - 17
"""Characters of the message's ID that the other one begins with: a dot and 16 digits follow."""


def meaning(body: bytes) -> str:
    """What a body says, whatever its spaces and the order of its names; of what is no JSON, its very bytes.

    >>> meaning(b'{"b": 1, "a": true}') == meaning(b'{"a":true,"b":1}')
    True
    >>> meaning(b'{"a": 1}') == meaning(b'{"a": true}')
    False
    """
    try:
        return json.dumps(json.loads(body, object_pairs_hook=_sorted))
    except (ValueError, RecursionError):
        return body.decode("latin-1")


def _sorted(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Keep a name that is given twice, too."""
    return {"object": sorted(pairs, key=itemgetter(0))}


def kept_as(message_id: str, body: bytes, digest: Callable[[str], str]) -> str:
    """The ID for another body, the same whenever it comes. No sender has it, because theirs have no dots."""
    return f"{message_id[:_LONGEST]}.{digest(json.dumps(['apart', message_id, meaning(body)]))}"
