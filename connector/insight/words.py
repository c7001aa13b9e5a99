"""A refusal as sentences; ages and counts with their nouns."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from connector.errors import UnreadableEvent
from connector.settlement import Refusal

_FIX: Final = "fix the cause in careCycle, the CRM or the mapping, then replay"
_UNREADABLE: Final = "careCycle sent something this version cannot read"


def sentences(why: Refusal) -> tuple[str, str]:
    """Return what was rejected and what to do about it, each as a sentence.

    >>> sentences(Refusal("INVALID_OPTION", "'state' does not offer this value", "add it, then replay"))
    ("'state' does not offer this value.", 'Add it, then replay.')
    """
    cause = why.cause or "no reason was given"
    if why.code == UnreadableEvent.code:
        cause = f"{_UNREADABLE}: {cause}"
    return _sentence(cause), _sentence(why.action or _FIX)


def _sentence(text: str) -> str:
    text = text.strip().rstrip(".")
    if text.startswith("careCycle"):
        return f"{text}."
    return f"{text[:1].upper()}{text[1:]}."


WriteTime = Callable[[int], str]
"""Writes a time (epoch ms) as text."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def utc(at: int) -> str:
    """Write a time (epoch ms) for people in any zone: "2026-06-18 12:00 UTC"."""
    return f"{_EPOCH + timedelta(milliseconds=at):%Y-%m-%d %H:%M} UTC"


_UNITS: Final = (("day", 86_400_000), ("hour", 3_600_000), ("minute", 60_000), ("second", 1000))


def age(milliseconds: int | None) -> str:
    """Format a duration in its largest whole unit: "3 minutes"."""
    for name, length in _UNITS:
        if milliseconds is not None and milliseconds >= length:
            return counted(milliseconds // length, name)
    return "under a second"


def counted(number: int, singular: str, plural: str = "") -> str:
    """Format a number with its noun: "1 delivery", "2 deliveries"."""
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"
