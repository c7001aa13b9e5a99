"""What else a query asks of its records: further fields, each with one value or several."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final
from urllib.parse import quote

from connector.destinations.salesforce import values
from connector.destinations.salesforce.schema import Described

_LONGEST: Final = 5_000
"""URL-encoded bytes: the values that records are searched by need the rest of a query."""


def test(name: str, own: Described, wanted: Sequence[str]) -> str | None:
    """Say that a field has one of these values; None if no record can have any of them."""
    literals = [literal for value in wanted if (literal := values.literal(own.type, value, own.length)) is not None]
    match sorted(set(literals)):
        case []:
            return None
        case [only]:
            return f"{name} = {only}"
        case several:
            return f"{name} IN ({','.join(several)})"


def joined(tests: Iterable[str]) -> str:
    """Join what fits into a query. What several values make too long is left out: their records are compared again."""
    room, further = _LONGEST, ""
    for condition in sorted(tests, key=len):
        room -= len(quote(condition))
        if room < 0:
            break
        further += f" AND {condition}"
    return further
