"""What counts of a message that is no event we can read, JSON or not: the opt-outs of the customer it names."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from connector.carecycle.catalogue import FLAGS
from connector.carecycle.coercions import as_boolean, as_id
from connector.carecycle.decode import STRING, as_text, cut

_WANTED: Final = frozenset({"id", *FLAGS})
_SCRAPS: Final = re.compile(
    rf"(?P<name>{STRING})\s*+:\s*+(?P<value>{STRING}|[\w.+-]++)?|{STRING}|(?P<open>[\[{{])|(?P<close>[\]}}])",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Remnant:
    """The opt-outs of one customer."""

    customer_id: str | None = None
    raised: frozenset[str] = frozenset()


def remnant(body: bytes) -> Remnant:
    """Return the opt-outs of the first object that has an id and, beside it, a consent flag that is true.

    Every object counts, however the body is built and wherever it breaks off.
    """
    for scrap in _scraps(cut(as_text(body))):
        identity = as_id(scrap.get("id"))
        raised = frozenset(flag for flag in FLAGS if as_boolean(scrap.get(flag)))
        if identity and raised:
            return Remnant(identity, raised)
    return Remnant()


def _scraps(text: str) -> Iterator[dict[str, str]]:
    """Yield the id and the flags of each object that has any, inner objects first. A flag is true if it ever is."""
    open_: list[dict[str, str]] = [{}]
    for match in _SCRAPS.finditer(text):
        if match["open"]:
            open_.append({})
        elif match["close"] and len(open_) > 1:
            if closed := open_.pop():
                yield closed
        elif match["value"]:
            name, value = _plain(match["name"]), _plain(match["value"])
            if name in _WANTED and not as_boolean(open_[-1].get(name)):
                open_[-1][name] = value
    yield from reversed(open_)


def _plain(token: str) -> str:
    """Return a string without its quotes and escapes, and any other word as it is."""
    if "\\" not in token:
        return token.strip('"')
    try:
        return str(json.loads(token, strict=False))
    except ValueError:
        return token
