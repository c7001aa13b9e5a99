"""Do what a finding says, and nothing else: no knowledge of what was planted."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

FEW: Final = 8
"""Of so many words that are offered, people pick the right one."""


class Told(NamedTuple):
    """A finding as it is shown: where, and its message with its hint."""

    line: int
    col: int
    text: str


def readings(broken: str, told: Told) -> Iterator[str]:
    """The files that somebody makes of this one who does what the finding says, in the order they would try."""
    lines = broken.split("\n")
    if told.line > len(lines):
        return
    if "remove the dash from each of these lines" in told.text:
        yield _undashed(lines, told)
    for new in _new_lines(lines[told.line - 1], told):
        yield "\n".join([*lines[: told.line - 1], *new, *lines[told.line :]])


def _new_lines(line: str, told: Told) -> Iterator[list[str]]:
    at = told.col - 1
    if written := re.search(r"\bwrite  ?(.+?)(?:  \(or .*\))?$", told.text, re.S):
        yield from _with(line, at, written[1].rstrip("\n"))
    if meant := re.search(r"did you mean '?([^'?]+)'?\?", told.text):
        yield from ([line[:start] + meant[1] + line[end:]] for start, end in _spans(line, at))
        if wrong := re.search(r"'([^']+)'", told.text):  # the word that is named, if it is not at the caret
            yield [line[:at] + line[at:].replace(wrong[1], meant[1], 1)]
    if "delete this line" in told.text:
        yield []
    if offered := re.search(r"(?:one of:?|known here:|there is:|there are) (.+)", told.text):
        for word in offered[1].split(", ")[:FEW]:
            yield from ([line[:start] + word.strip("' ") + line[end:]] for start, end in _spans(line, at))


def _with(line: str, at: int, right: str) -> Iterator[list[str]]:
    """With what is to be written: as the whole line or lines, in place of what is at the caret, or as a block there."""
    yield right.split("\n")
    for start, end in _spans(line, at):
        yield [line[:start] + right.strip() + line[end:]]
        if re.match(r"\w+: ", right):
            key = re.search(r"\w+:\s*$", line[:at])
            yield [line[: key.start() if key else start] + right + line[end:]]
            yield [f"{line[:start]}{{ {right} }}{line[end:]}"]


def _spans(line: str, at: int) -> Iterator[tuple[int, int]]:
    """What may be replaced at the caret: the word; the block, list or quoted text; the value to the end of the line."""
    if word := re.compile(r"[\w.\-/]+").match(line, at):
        yield word.span()
    if block := re.compile(r"\{[^{}]*\}|\[[^\[\]]*\]|\"[^\"]*\"|'[^']*'|[^,{}\[\]]+?(?=\s*[,}\]]|\s*:\s)").match(
        line, at
    ):
        yield block.span()
    yield at, len(line.rstrip())


def _undashed(lines: list[str], told: Told) -> str:
    """The lines from there on that begin with a dash in that column, without it."""
    last = number = told.line - 1
    while last < len(lines) and lines[last][: told.col].strip() == "-":
        last += 1
    return "\n".join([*lines[:number], *(line.replace("- ", "  ", 1) for line in lines[number:last]), *lines[last:]])
