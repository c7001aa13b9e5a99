"""Look at one line of a text that is meant to be YAML: its comment, its quotes, its indentation."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol

KEY: Final = r"[A-Za-z_][\w.]*"
PAIR: Final = re.compile(rf"^(\s*(?:-\s+)*{KEY}:\s+)(\S.*)$")
_LOOK: Final = (
    "look at this line and the one above: a colon, a quotation mark, a bracket or the indentation is not right"
)
LONG: Final = 500
"""Characters of a line that nobody wrote by hand."""


class Slip(NamedTuple):
    """A slip. line, col: from 1. right: the line without it; empty if that is not clear. do: what else to do."""

    line: int
    col: int
    message: str
    right: str = ""
    do: str = ""

    @property
    def hint(self) -> str:
        """What to do."""
        if self.do:
            return self.do
        return f"write  {self.right.rstrip()}" if self.right else _LOOK


class Explanation(Protocol):
    """Finds the slip for which a parser stopped. before: the numbers of the lines to look at, from 0."""

    def __call__(self, lines: Sequence[str], before: Sequence[int]) -> Slip | None: ...


def lines_of(text: str) -> list[str]:
    """The lines of a text as YAML counts them."""
    return re.split("\r\n|[\r\n\x85\u2028\u2029]", text)


def indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def uncommented(line: str) -> str:
    """A line without its comment. A # in quotes is none."""
    if len(line) > LONG:
        return line
    for mark in re.finditer(r"(?:^|\s)#", line):
        if quote_open(line[: mark.start()]) is None:
            return line[: mark.start()]
    return line


def unquoted(line: str) -> str:
    """The line with what is in quotes replaced by as many dots: a colon in there is text."""
    return re.sub(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^']|'')*'", lambda match: "." * len(match[0]), line)


def quote_open(line: str) -> int | None:
    """Where a quotation mark opens that the line does not close; None if none does."""
    position, at_start = 0, True
    while position < len(line):
        mark = line[position]
        if at_start and mark in "\"'":
            closed = re.compile(r"(?:[^\"\\]|\\.)*\"" if mark == '"' else r"(?:[^']|'')*'").match(line, position + 1)
            if closed is None:
                return position
            position, at_start = closed.end(), False
            continue
        at_start = mark in "{[,:" or (mark.isspace() and at_start) or (mark == "-" and at_start)
        position += 1
    return None
