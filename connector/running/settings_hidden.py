"""Hide what an agency file says where a problem of it is shown: a secret may be anywhere in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from connector.mapping.secrecy import HIDDEN, PATH, masked
from connector.mapping.tree import Node

_NAME: Final = re.compile(r"[A-Za-z][A-Za-z_-]*\d{0,2}")
_PLAIN: Final = re.compile(
    r"[A-Z]?[a-z]+([ _./:-]{1,2}[A-Z]?[a-z]+)*|[A-Z]+(_[A-Z0-9]+)*|\$\{[A-Z_][A-Z0-9_]*\}|\$\{?[A-Za-z_]+\d{0,2}\}?"
    r"|[\d.:%-]{1,10}|[^@\s:/]+@[\w.-]+"
)
_SHORT: Final = 6


def without(text: str, tree: Node) -> str:
    """Hide what a file says, but for words that are plainly no secrets, and what looks like one anyway."""
    for own in sorted(set(_doubtful(tree)), key=len, reverse=True):
        text = re.sub(re.escape(own), HIDDEN, text, flags=re.IGNORECASE)
    return masked(text)


def _doubtful(node: Node) -> Iterator[str]:
    for name, (_, inner) in node.items.items():
        if not _NAME.fullmatch(name):
            yield name
        yield from _doubtful(inner)
    if isinstance(node.value, list):
        for inner in node.value:
            yield from _doubtful(inner)
    elif isinstance(node.value, str) and is_doubtful(text := node.value.removeprefix("file:")):
        yield text


def is_doubtful(text: str) -> bool:
    """Whether a value may be a secret: it is no plain words, short number, path or e-mail address."""
    return len(text) >= _SHORT and not (_PLAIN.fullmatch(text) or PATH.match(text))
