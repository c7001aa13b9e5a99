"""Decode a body: what is given twice, or is text in no known encoding, costs that field alone."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, Final

from connector.carecycle.catalogue import FLAGS
from connector.carecycle.coercions import as_boolean
from connector.carecycle.kinds import Unclear

_DIGITS: Final = 400
"""Python reads no whole number of more than 4,300 digits."""

_DEEPEST: Final = 50
"""Levels that are read of a body nested more deeply than the decoder can follow. careCycle's events have three."""

STRING: Final = r'"(?:[^"\\]++|\\.)*+"?'
_BRACKETS: Final = re.compile(rf"{STRING}|[\[{{]++|[\]}}]++", re.DOTALL)
_UNSENDABLE: Final = re.compile("[\0\ud800-\udfff]")
_ESCAPED: Final = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")
"""What may stand for one of those. Most escapes stand for a letter with an accent."""

_UNDECODED: Final = re.compile("[\udc80-\udcff]")


def decoded(body: bytes) -> Any:
    """Return the JSON of a body, in any of JSON's encodings. Raises ValueError where it is not JSON.

    What no CRM can be sent, NUL and half of a surrogate pair, becomes a question mark.
    """
    text = as_text(body)
    try:
        return _read(text)
    except RecursionError:
        return _read(cut(text))


def as_text(body: bytes) -> str:
    """Return a body as text. A byte that is not of its encoding becomes half of a surrogate pair."""
    encoding = json.detect_encoding(body)
    return body.decode(encoding, "surrogateescape" if encoding.startswith("utf-8") else "replace")


def cut(text: str) -> str:
    """Replace what is nested too deeply by null, whether the text is JSON or not, without recursion.

    >>> len(cut('{"id": "x", "odd": ' + "[" * 20_000 + "]" * 20_000 + "}"))
    122
    """
    kept: list[str] = []
    depth = start = 0
    for match in _BRACKETS.finditer(text):
        token = match[0]
        if token[0] in "[{":
            if depth <= _DEEPEST < depth + len(token):
                kept += [text[start : match.start() + _DEEPEST - depth], "null"]
            depth += len(token)
        elif token[0] in "]}":
            after = max(0, depth - len(token))
            if depth > _DEEPEST >= after:
                start = match.end() - (_DEEPEST - after)
            depth = after
    return "".join([*kept, text[start:] if depth <= _DEEPEST else ""])


def _read(text: str) -> Any:
    payload = _DECODER.decode(text)
    # Finding one character is much faster than two, and than a pattern.
    escaped = "\0" in text or ("\\" in text and "\\u" in text and _ESCAPED.search(text) is not None)
    return _mapped(payload) if escaped or not (text.isascii() or _UNSENDABLE.search(text) is None) else payload


def _whole_number(digits: str) -> int | float:
    return int(digits) if len(digits) < _DIGITS else float(digits)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    plain = dict(pairs)
    if len(plain) == len(pairs):
        return plain
    given: dict[str, list[Any]] = {}
    for name, value in pairs:
        given.setdefault(name, []).append(value)
    return {name: _combined(name, values) for name, values in given.items()}


def _combined(name: str, values: Sequence[Any]) -> Any:
    """Return the value of a name that is given several times: an opt-out among them counts, objects are merged."""
    first, *others = values
    if [(type(value), value) for value in others] == [(type(first), first)] * len(others):
        return first
    if name in FLAGS and any(as_boolean(value) is True for value in values):
        return True
    if all(type(value) is dict for value in values):
        return _object([pair for value in values for pair in value.items()])
    return Unclear("several different values")


_DECODER: Final = json.JSONDecoder(parse_int=_whole_number, object_pairs_hook=_object, strict=False)


def _mapped(value: Any) -> Any:
    """Replace the texts inside a value that cannot be sent as they are."""
    match value:
        case Unclear():
            return value
        case dict():
            return {_sendable(name): _mapped(inner) for name, inner in value.items()}
        case list():
            return [_mapped(inner) for inner in value]
        case str():
            return Unclear("text in another encoding") if _UNDECODED.search(value) else _sendable(value)
        case _:
            return value


def _sendable(text: str) -> str:
    return _UNSENDABLE.sub("?", text)
