"""Find the slip of the hand behind a text that is not YAML: where it is, in plain words, and the line as it should be.

A parser notices a slip where it can go no further, which is often lines later, and names it in its own terms.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final

from connector.mapping import slips_in_blocks, slips_in_values
from connector.mapping.slip_lines import KEY, PAIR, Slip, indent, lines_of, uncommented, unquoted

_ODD_SPACES: Final = re.compile("[\u00a0\u2007\u202f\u3000\u200b\u2060\ufeff]")
_CURLY: Final = "\u201c\u201d\u201e\u2018\u2019\u201a"
_CURLY_START: Final = re.compile(rf"(?:[:,]\s|[{{\[-]\s*|^\s*)([{_CURLY}])")
_CURLY_MARKS: Final = frozenset(_CURLY)
_GLUED: Final = re.compile(
    r"\b(from|value|template|lookup|ref|format|write|table|else|default|when|event|name|object):(?=[^\s/])"
)
_GLUED_DASH: Final = re.compile(r"-(?:customer|call|event)\.")
_STRAIGHT: Final = str.maketrans(dict.fromkeys("\u201c\u201d\u201e", '"') | dict.fromkeys("\u2018\u2019\u201a", "'"))
_NO_SPACE: Final = re.compile(rf"(?:^\s*(?:-\s+)*|[{{,]\s*)({KEY}):(?=[^\s:/])")
_REMARK: Final = re.compile(r"^(\s*)(?://|--|/\*)\s*")
_WIDE_COLON: Final = re.compile("[\uff1a\ufe55\u2236]\\s*")
_BULLET: Final = re.compile("^( *)[\u2010-\u2015\u2022\u2212\u25cf\u25aa\u00b7]\\s+(?=\\S)")
_NO_DASH_SPACE: Final = re.compile(r"^(\s*)-(?=[A-Za-z{\[])")
_MOST: Final = 200
"""More slips than anybody corrects at a time."""

_BLOCK: Final = re.compile(r":\s+[|>][+-]?\d?\s*(?:#.*)?$")


_CURLY_SLIP: Final = "these quotation marks are curly; YAML takes only straight ones"
SPACE_SLIP: Final = "there is a special space here, which is none for YAML (often copied from a web page)"
_DASH_SLIP: Final = "a space is missing after the dash"
_COLON_SLIP: Final = "a space is missing after the colon"


def slips(text: str, line: int) -> list[Slip]:
    """Find what keeps a text from being YAML. line: where the parser stopped, from 1. Empty: nothing that is known.

    Every slip that shows by itself, and otherwise the one that explains best why the parser stopped there.
    """
    lines = lines_of(text)
    texts = set(_in_blocks(lines))
    plain = [number for number, line in enumerate(lines) if number not in texts and line.strip()]
    everywhere = list(islice((slip for number in plain for slip in _by_itself(lines, number)), _MOST))
    if any(slip.line <= line for slip in everywhere):
        return everywhere
    before = [number for number in plain if number < line]
    for explain in (*slips_in_values.EXPLANATIONS, *slips_in_blocks.EXPLANATIONS):
        if slip := explain(lines, before):
            return [slip]
    return everywhere


def slip_in(text: str) -> str:
    """Say what is wrong with a text that is in no quotes, and is YAML all the same; empty if nothing is.

    >>> slip_in("\u201cPhone Inquiry\u201d"), slip_in("a dozen")
    ('these quotation marks are curly; YAML takes only straight ones', '')
    """
    if text[:1] in _CURLY_MARKS and text[-1:] in _CURLY_MARKS:
        return _CURLY_SLIP
    if _ODD_SPACES.search(text):
        return SPACE_SLIP
    if _GLUED.match(text) and not re.search(r"\s", text):
        return _COLON_SLIP
    return _DASH_SLIP if _GLUED_DASH.match(text) else ""


def corrected(line: str) -> str:
    """Return a line without such slips."""
    spaced = _ODD_SPACES.sub(" ", re.sub("[\u200b\u2060\ufeff]", "", line))
    return _NO_DASH_SPACE.sub(r"\1- ", _GLUED.sub(r"\1: ", spaced.translate(_STRAIGHT)))


def _in_blocks(lines: Sequence[str]) -> Iterator[int]:
    """The lines of texts that begin with | or >: anything may stand there."""
    inside = -1
    for number, line in enumerate(lines):
        if inside >= 0 and (not line.strip() or indent(line) > inside):
            yield number
            continue
        inside = indent(line) if _BLOCK.search(line) else -1


def _by_itself(lines: Sequence[str], number: int) -> Iterator[Slip]:
    """Slips that are clear from one line."""
    line = lines[number]
    code = uncommented(line)
    if "\t" in (margin := line[: len(line) - len(line.lstrip())]):
        right = " " * _expected(lines, number) + line.strip()
        yield Slip(number + 1, margin.index("\t") + 1, "this line begins with a tab; YAML takes only spaces", right)
    if odd := _ODD_SPACES.search(code):
        right = re.sub("[\u200b\u2060\ufeff]", "", line)
        yield Slip(number + 1, odd.start() + 1, SPACE_SLIP, _ODD_SPACES.sub(" ", right))
    yield from _strange_marks(line, code, number)
    if curly := _CURLY_START.search(code):
        yield Slip(number + 1, curly.start(1) + 1, _CURLY_SLIP, line.translate(_STRAIGHT))
    elif (missing := _NO_SPACE.search(unquoted(code))) and not _is_value(code, missing.start(1)):
        right = _NO_SPACE.sub(lambda match: f"{match[0]} ", line)
        yield Slip(number + 1, missing.end(), _COLON_SLIP, right)
    elif missing := _NO_DASH_SPACE.search(code):
        right = _NO_DASH_SPACE.sub(r"\1- ", line)
        yield Slip(number + 1, missing.end(), _DASH_SLIP, right)


def _strange_marks(line: str, code: str, number: int) -> Iterator[Slip]:
    """What begins a line, or is between its key and value, in another language or in a word processor."""
    if code.startswith("```"):
        yield Slip(number + 1, 1, "this line only marks where a text begins or ends", do="delete this line")
    if remark := _REMARK.match(code):
        yield Slip(number + 1, remark.end(1) + 1, "a comment begins with #", f"{remark[1]}# {line[remark.end() :]}")
    if wide := _WIDE_COLON.search(unquoted(code)):
        yield Slip(number + 1, wide.start() + 1, "this colon is not the keyboard's", _WIDE_COLON.sub(": ", line))
    if bullet := _BULLET.match(code):
        message = "a line of a list begins with a dash from the keyboard (-), not with this character"
        yield Slip(number + 1, bullet.end(1) + 1, message, _BULLET.sub(r"\1- ", line))


def _is_value(line: str, start: int) -> bool:
    """Whether the key that seems to be there is in the middle of a value, as in `Note: see 10:30`."""
    pair = PAIR.match(line)
    return pair is not None and pair[2][0] not in "{[" and start >= pair.start(2)


def _expected(lines: Sequence[str], number: int) -> int:
    """How far a line is to be indented, by the one before it."""
    for above in range(number - 1, -1, -1):
        if code := uncommented(lines[above]).rstrip():
            return indent(code.expandtabs(2)) + (2 if code.endswith(":") else 0)
    return 0
