"""A refusal as sentences."""

from __future__ import annotations

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
