"""Convert values to HubSpot's formats, and back to one canonical text."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime
from typing import Final

from connector.carecycle.catalogue import epoch_ms
from connector.destinations.base import as_text
from connector.model import Value

LONGEST: Final = 65_536
"""The most characters a text property holds."""

RICH: Final = frozenset({"hs_call_body"})
"""Properties HubSpot renders as HTML."""

_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d.*(Z|[+-]\d\d:?\d\d)")
_EPOCH_MS = re.compile(r"1\d{12}")  # 2001 to 2033
_WHOLE = re.compile(r"(-?\d+)\.0+")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_TORN = re.compile(r"(&[#\w]*|<[br]*)\Z")


def wire(name: str, value: Value) -> str:
    """A value as it is sent to this property: always text; an empty text clears it."""
    text = _text(value)
    return _rich(text) if name in RICH else text


def plain(name: str, text: str | None) -> str | None:
    """A property's value as we would have written it: None if blank, with HTML turned back into text."""
    if not text:
        return None
    return html.unescape(re.sub(r"<br\s*/?>", "\n", text)) if name in RICH else text


def normal(value: Value) -> str:
    """A value as canonical text, in which values written and read back compare equal."""
    text = _text(value).strip()
    if _EPOCH_MS.fullmatch(text):
        return _iso(int(text))
    if _EMAIL.fullmatch(text):
        return text.lower()
    whole = _WHOLE.fullmatch(text)
    return whole[1] if whole else text


def folded(value: Value) -> str:
    """A key as HubSpot compares keys, ignoring case."""
    return normal(value).lower()


def _text(value: Value) -> str:
    return _instant(value) if isinstance(value, str) else as_text(value)


def _instant(text: str) -> str:
    if not _INSTANT.fullmatch(text.strip()):
        return text
    try:
        return _iso(epoch_ms(text.strip()))
    except (ValueError, OverflowError):
        return text


def _iso(milliseconds: int) -> str:
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _rich(text: str) -> str:
    escaped = html.escape(text, quote=False).replace("\r\n", "\n").replace("\n", "<br>")
    return escaped if len(escaped) <= LONGEST else _TORN.sub("", escaped[:LONGEST])
