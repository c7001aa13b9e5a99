"""How a value that a CRM shows may have been spelled when we wrote it, of which only a digest is kept. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import permutations
from typing import Final

from connector.mapping.spelling import usual
from connector.model import Value

_AMERICAN: Final = re.compile(r"\+1([0-9]{3})([0-9]{3})([0-9]{4})")
_DIGITS: Final = re.compile(r"1?[0-9]{10}")
_NUMBER: Final = re.compile(r"-?[$€]?[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?|-?[$€]?[0-9]+(?:\.[0-9]+)?")
_MIDNIGHT: Final = "T00:00:00Z"
_CHOICES: Final = 5
"""Choices of which every order is tried."""


def spellings(value: Value) -> Iterator[str]:
    """Yield texts that mean the same as a value.

    >>> "(312) 847-1928" in spellings("+13128471928"), "+13128471928" in spellings("3128471928")
    (True, True)
    >>> "12500.50" in spellings(12500.5), "12500" in spellings("12,500"), "2026-06-18" in spellings("2026-06-18T00:00Z")
    (True, True, True)
    >>> "b;a" in spellings("a;b"), list(spellings("Ana"))
    (True, ['Ana'])
    """
    if isinstance(value, bool) or value is None:
        return
    text = usual(value) if isinstance(value, str) else str(value)
    assert isinstance(text, str)
    yield text
    yield from _phones(text)
    yield from _numbers(text)
    if text.endswith(_MIDNIGHT):
        yield text.removesuffix(_MIDNIGHT)
    choices = text.split(";")
    if 1 < len(choices) <= _CHOICES:
        yield from map(";".join, permutations(choices))


def _phones(text: str) -> Iterator[str]:
    number = _AMERICAN.fullmatch(f"+1{text[-10:]}" if _DIGITS.fullmatch(text) else text)
    if number is None:
        return
    area, office, line = number.groups()
    for country in ("", "1", "+1", "1 ", "+1 ", "1-", "+1-"):
        yield f"{country}{area}{office}{line}"
        yield f"{country}({area}) {office}-{line}"
        yield f"{country}({area}){office}-{line}"
        yield from (f"{country}{area}{mark}{office}{mark}{line}" for mark in "-. ")


def _numbers(text: str) -> Iterator[str]:
    if not _NUMBER.fullmatch(text):
        return
    whole, _, part = re.sub("[$€,]", "", text).partition(".")
    part = part.rstrip("0")
    yield f"{whole}.{part}" if part else whole
    yield from (f"{whole}.{part.ljust(places, '0')}" for places in (1, 2, 3) if len(part) <= places)
