"""Explain why YAML stopped between values: brackets, colons, dashes and the indentation."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from connector.mapping.slip_lines import KEY, LONG, Explanation, Slip, indent, uncommented, unquoted

_NO_COLON: Final = re.compile(rf"^(\s*(?:-\s+)*)({KEY})\s*(?:=\s*|\s)(?=\S)([^:]*)$")
_ENDED: Final = re.compile(rf"^(\s*[\"']?{KEY}[\"']?:\s+(?:\"[^\"]*\"|'[^']*'|[^\s\"'{{\[][^{{}}\[\]]*?)),$")
_DASHED: Final = re.compile(rf"^( *)-\s+({KEY}:(?:\s.*)?)$")
_NO_LISTS: Final = frozenset({"fields", "records", "tables", "consent", "destinations", "flags", "match", "auth"})
_NEAR: Final = 200
"""How many lines away a bracket is looked for."""


def _unclosed_bracket(lines: Sequence[str], before: Sequence[int]) -> Slip | None:
    """A line that opens a bracket which neither it nor the next one closes, or closes one that is not open."""
    for number in before:
        code = unquoted(uncommented(lines[number])).rstrip()
        for opening, closing in ("{}", "[]"):
            more = code.count(opening) - code.count(closing)
            if more > 0 and not _is_closed_later(lines, number, opening, closing, more):
                right = _closed(uncommented(lines[number]).rstrip(), closing * more)
                return Slip(number + 1, code.rindex(opening) + 1, f"this {opening} is not closed", right)
            if more < 0 and (opening in code or opening not in "".join(lines[max(0, number - _NEAR) : number])):
                at = code.rindex(closing)
                right = f"{lines[number][:at].rstrip()}{lines[number][at + 1 :]}"
                return Slip(number + 1, at + 1, f"there is no {opening} to this {closing}", right)
    return None


def _is_closed_later(lines: Sequence[str], number: int, opening: str, closing: str, more: int) -> bool:
    """Whether the next line closes it, or one of many if this line shows that it goes on."""
    goes_on = uncommented(lines[number]).rstrip().endswith((opening, ","))
    for line in lines[number + 1 : number + (_NEAR if goes_on else 2)]:
        code = unquoted(uncommented(line))
        more += code.count(opening) - code.count(closing)
        if more <= 0:
            return True
    return False


def _closed(line: str, closings: str) -> str:
    if closings[0] == "}":
        return f"{line} {' '.join(closings)}"
    return re.sub(r"[\s}]*$", rf"{closings}\g<0>", line, count=1)


def _no_colon(lines: Sequence[str], before: Sequence[int]) -> Slip | None:
    for number in reversed(before[-2:]):
        code = uncommented(lines[number]).rstrip()
        if pair := _NO_COLON.match(code):
            right = f"{pair[1]}{pair[2]}: {pair[3].strip()}"
            return Slip(number + 1, pair.end(2) + 1, f"a colon is missing after '{pair[2]}'", right)
        if re.fullmatch(rf"\s*{KEY}", code) and number + 1 < len(lines) and indent(lines[number + 1]) > indent(code):
            return Slip(number + 1, len(code) + 1, f"a colon is missing after '{code.strip()}'", f"{code}:")
    return None


def _comma_at_the_end(lines: Sequence[str], before: Sequence[int]) -> Slip | None:
    """A comma after a line, as in JSON or a program."""
    for number in reversed(before[-2:]):
        code = uncommented(lines[number]).rstrip()
        if len(code) <= LONG and (ended := _ENDED.match(code)):
            message = "no comma ends a line here"
            return Slip(number + 1, len(code), message, ended[1])
    return None


def _dash_too_many(lines: Sequence[str], before: Sequence[int]) -> Slip | None:
    """A dash before a key among keys that have none."""
    for number in reversed(before[-2:]):
        if (dashed := _DASHED.match(lines[number])) and (above := _above(lines, number)) is not None:
            code = uncommented(lines[above]).strip()
            if not code.startswith("-") and not code.endswith(":"):
                message = f"this line begins with a dash, line {above + 1} does not: they have to agree"
                return Slip(number + 1, dashed.end(1) + 1, message, dashed[1] + dashed[2])
    return None


def _dash_missing(lines: Sequence[str], before: Sequence[int]) -> Slip | None:
    """A line of a list without its dash."""
    for number in reversed(before[-2:]):
        line = lines[number]
        above = None if line.lstrip().startswith("-") else _above(lines, number)
        if above is not None and (dashed := _DASHED.match(lines[above])) and _opens_a_block(lines, above):
            message = f"this line begins with a dash, line {number + 1} does not: they have to agree"
            return Slip(above + 1, dashed.end(1) + 1, message, dashed[1] + dashed[2])
        if above is not None and lines[above].lstrip().startswith("- "):
            message = f"this line begins without a dash, line {above + 1} with one: they have to agree"
            at = indent(line)
            return Slip(number + 1, at + 1, message, f"{line[:at]}- {line[at:]}")
    return None


def _opens_a_block(lines: Sequence[str], number: int) -> bool:
    """Whether what is right above is the name of a block that never is a list."""
    return number > 0 and uncommented(lines[number - 1]).strip().rstrip(":") in _NO_LISTS


def _above(lines: Sequence[str], number: int) -> int | None:
    """The nearest line above in the same column; None if one further left comes first."""
    here = indent(lines[number])
    for above in range(number - 1, max(-1, number - _NEAR), -1):
        if uncommented(lines[above]).strip() and indent(lines[above]) <= here:
            return above if indent(lines[above]) == here else None
    return None


def _indentation(lines: Sequence[str], before: Sequence[int]) -> Slip | None:
    """The first line that begins in a column where nothing that it could belong to does."""
    levels: dict[int, int] = {}
    opens = True
    for number in before:
        code = uncommented(lines[number]).rstrip()
        if not code:
            continue
        column = indent(code)
        is_deeper = not levels or column > max(levels)
        if not (opens if is_deeper else column in levels):
            return _misplaced(lines, number, code, levels)
        levels = {known: at for known, at in levels.items() if known < column} | {column: number}
        if dash := re.match(r"\s*((?:-\s+)+)\S", code):
            levels[column + len(dash[1])] = number
        opens = code.endswith((":", "-"))
    return None


def _misplaced(lines: Sequence[str], number: int, code: str, levels: Mapping[int, int]) -> Slip:
    """A line in the wrong column. levels: the columns it could begin in, and a line that does."""
    column, is_item = indent(code), code.lstrip().startswith("-")
    fits = [known for known, at in levels.items() if lines[at].startswith("-", known) == is_item]
    level = min(fits or levels, key=lambda known: (abs(known - column), -known))
    where = f"line {levels[level] + 1} in column {level + 1}"
    message = f"this line begins in column {column + 1}, {where}: they have to agree"
    return Slip(number + 1, column + 1, message, " " * level + code.lstrip())


EXPLANATIONS: Final[tuple[Explanation, ...]] = (
    _unclosed_bracket,
    _comma_at_the_end,
    _no_colon,
    _dash_too_many,
    _dash_missing,
    _indentation,
)
"""From the most certain to the least."""
