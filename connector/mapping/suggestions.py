"""Find the word that a misspelled one was meant to be."""

from __future__ import annotations

import difflib
from functools import lru_cache


@lru_cache(maxsize=64)
def _lowered(known: tuple[str, ...]) -> dict[str, str]:
    return {name.lower(): name for name in known}


def closest(word: str, known: tuple[str, ...]) -> str:
    """Return the known word most similar to this one, or nothing.

    >>> closest("customer.fristName", ("customer.firstName", "customer.lastName"))
    'customer.firstName'
    >>> closest("firstName", ("customer.firstName", "customer.lastName"))
    'customer.firstName'
    """
    for name in known:
        if name.endswith("." + word):
            return name
    lowered = _lowered(known)
    near = difflib.get_close_matches(word.lower(), lowered, n=1, cutoff=0.7)
    return lowered[near[0]] if near else ""
