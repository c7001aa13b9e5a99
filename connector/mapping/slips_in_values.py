"""Explain why YAML stopped at a value: quotes that are missing, not closed or in the way, and formulas in braces."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from connector.mapping.slip_lines import KEY, LONG, PAIR, Explanation, Slip, quote_open, uncommented

_WORDS: Final = "from|value|template|join|with|lookup|ref|cases|format|table|write|else|then|default|when|cut|match"
_PLAIN: Final = r"[^\s\"'{\[][^\"',{}\[\]]*?"
_COLON_INSIDE: Final = re.compile(r"(:\s+)([^\s\"'{\[][^\"',{}\[\]]*:\s[^\"',{}\[\]]*?)(?=\s*[,}\]])")
_MARK_INSIDE: Final = re.compile(r"([:,\[{]\s+)([@`%*&!][^,{}\[\]\"']*?)(?=\s*[,}\]])")
_BRACES_INSIDE: Final = re.compile(
    rf"(\b(?:value|template|default):\s+)([^\s\"'{{\[](?:(?!,\s*{KEY}:\s)[^\"'])*\{{[^{{}}]*\}}[^\"']*?)(?=\s*\}}\s*$)"
)
_BLOCK_INSIDE: Final = re.compile(
    r"\b(when|filter|within|lookup|match|where|table|bands|then|skip|withhold|format"
    r"|(?:else|default)(?=:\s+(?:value|from|lookup|template):)|(?:not|any|all)(?=:\s+[a-z]+\.)|(?:customer|call)\.[\w.]+)"
    rf":\s+({KEY}:\s+(?:\[[^\[\]{{}}]*\]|\{{[^{{}}]*\}}|[^\s\"'{{\[][^\"',{{}}\[\]]*?))(?=\s*(?:[,}}\]]|$))"
)
_NOT_PARTED: Final = re.compile(rf"(?<=[^\s,;{{])(\s*;\s*|\s+)(?=(?:{_WORDS}):\s)")
_APOSTROPHE: Final = re.compile(r"(:\s+|[\[,]\s*)'((?:[^'{}\[\]]|(?<=\w)'(?=\w))*)'(?=\s*[,}\]]|\s*$)")
_FORMULA: Final = re.compile(
    r"(:\s+|[\[,]\s+)(?:\$?\{+!?|%+|`)\s*([A-Za-z]\w*\.[\w.]+)\s*(?:\}+|%+|`)(?=\s*(?:[,}\]]|$))"
)
_ITEM: Final = re.compile(r"^(\s*(?:-\s+)+)([@`%*&!]\S*)$")
_HASH: Final = re.compile(rf"(\b{KEY}:\s+)(#[^,{{}}\[\]\"']*?)(?=\s*[,}}\]])")


def _near(lines: Sequence[str], before: Sequence[int]) -> Iterator[int]:
    """The line where the parser stopped and the one above, if people wrote them."""
    return (number for number in reversed(before[-2:]) if len(lines[number]) <= LONG)


def _unclosed_quote(lines: Sequence[str], before: Sequence[int]) -> Slip | None:
    for number in before:
        code = uncommented(lines[number]).rstrip()
        if (at := quote_open(code)) is not None:
            end = re.search(r"\s*[}\]]*\s*$", code)
            cut = end.start() if end and re.search(r"[{\[]", code[:at]) else len(code)
            right = code[:cut] + code[at] + code[cut:]
            return Slip(number + 1, at + 1, "this quotation mark is not closed on its line", right)
    return None


def _apostrophe(lines: Sequence[str], before: Sequence[int]) -> Slip | None:
    """An apostrophe in a text in single quotes: the text ends there."""
    for number in _near(lines, before):
        for match in _APOSTROPHE.finditer(lines[number]):
            if "'" in match[2].replace("''", ""):
                right = f'{lines[number][: match.start()]}{match[1]}"{match[2]}"{lines[number][match.end() :]}'
                message = "the text ends at the apostrophe: put it in double quotes"
                return Slip(number + 1, match.end(1) + 1, message, right)
    return None


def _quote_inside(lines: Sequence[str], before: Sequence[int]) -> Slip | None:
    """A value in quotes that has the same mark inside: it ends there."""
    for number in reversed(before[-2:]):
        pair = PAIR.match(lines[number])
        if pair and (mark := pair[2][0]) in "\"'" and pair[2].count(mark) > 2 and pair[2].rstrip()[-1] == mark:
            other = "'" if mark == '"' else '"'
            inner = pair[2].rstrip()[1:-1]
            right = f"{pair[1]}{other}{inner}{other}" if other not in inner else ""
            message = f"the text ends at the second {mark}: use the other kind of quotation marks around it"
            return Slip(number + 1, pair.start(2) + 1, message, right)
    return None


def _braces(lines: Sequence[str], before: Sequence[int]) -> Slip | None:
    """A template that is in no quotes."""
    for number in _near(lines, before):
        if match := _BRACES_INSIDE.search(code := uncommented(lines[number]).rstrip()):
            right = _BRACES_INSIDE.sub(r'\1"\2"', code)
            return Slip(number + 1, match.start(2) + 1, "a text with braces in it has to be in quotes", right)
    return None


def _no_brackets(lines: Sequence[str], before: Sequence[int]) -> Slip | None:
    """A setting inside another on one line, as in `when: customer.city: Mesa`."""
    for number in _near(lines, before):
        code = uncommented(lines[number]).rstrip()
        if (match := _BLOCK_INSIDE.search(code)) and quote_open(code[: match.start(2)]) is None:
            inside = f"[{match[2]}]" if match[1] == "format" else f"{{ {match[2]} }}"
            right = f"{code[: match.start(2)]}{inside}{code[match.end(2) :]}"
            marks = "brackets" if match[1] == "format" else "braces"
            return Slip(number + 1, match.start(2) + 1, f"what is under '{match[1]}:' has to be in {marks}", right)
    return None


def _formula(lines: Sequence[str], before: Sequence[int]) -> Slip | None:
    """A field of the event in the braces of a formula or of a merge field."""
    for number in _near(lines, before):
        if match := _FORMULA.search(uncommented(lines[number])):
            message = "a field of the event is written without braces, and without what is around it"
            return Slip(number + 1, match.end(1) + 1, message, _FORMULA.sub(r"\1\2", lines[number]))
    return None


def _hash(lines: Sequence[str], before: Sequence[int]) -> Slip | None:
    """A # after a space in a value begins a comment, which takes the rest of the line."""
    for number in _near(lines, before):
        line = lines[number]
        if len(uncommented(line)) < len(line) and (match := _HASH.search(line)):
            message = "a # after a space begins a comment: put the text in quotes"
            return Slip(number + 1, match.start(2) + 1, message, _HASH.sub(r'\1"\2"', line))
    return None


def _not_parted(lines: Sequence[str], before: Sequence[int]) -> Slip | None:
    """Two settings in braces without a comma between them."""
    for number in _near(lines, before):
        code = uncommented(lines[number]).rstrip()
        if "{" in code and (match := _NOT_PARTED.search(code, code.index("{"))) and quote_open(code) is None:
            return Slip(number + 1, match.start() + 1, "a comma is missing here", _NOT_PARTED.sub(", ", code))
    return None


def _unquoted_inside(lines: Sequence[str], before: Sequence[int]) -> Slip | None:
    """A value inside braces or brackets that has to be in quotes."""
    for number in _near(lines, before):
        code = uncommented(lines[number]).rstrip()
        for pattern, why in _INSIDE:
            if re.search(r"[{\[]", code) and (match := pattern.search(code)):
                right = pattern.sub(r'\1"\2"', code)
                return Slip(number + 1, match.start(2) + 1, f"a value {why} has to be in quotes", right)
    return None


_INSIDE: Final = (
    (_COLON_INSIDE, "with a colon in it"),
    (_MARK_INSIDE, "that begins with such a character"),
)


def _unquoted_value(lines: Sequence[str], before: Sequence[int]) -> Slip | None:
    """A value that has to be in quotes, because of a character it begins with or of a colon in it."""
    for number in reversed(before[-2:]):
        code = uncommented(lines[number]).rstrip()
        pair = PAIR.match(code) or _ITEM.match(code)
        if pair is None:
            continue
        value = pair[2]
        has_text_after = re.match(r"(?:\{[^{}]*\}|\[[^\[\]]*\])\s*[^\s,}\]]", value) is not None
        if value[0] in "@`%*&!" or has_text_after or (value[0] not in "{[\"'" and ": " in value):
            mark = "'" if '"' in value else '"'
            why = "a value with a colon in it" if ": " in value else f"a value that begins with {value[0]}"
            return Slip(
                number + 1, pair.start(2) + 1, f"{why} has to be in quotes", code[: pair.start(2)] + mark + value + mark
            )
    return None


EXPLANATIONS: Final[tuple[Explanation, ...]] = (
    _no_brackets,
    _braces,
    _formula,
    _hash,
    _apostrophe,
    _unclosed_quote,
    _quote_inside,
    _not_parted,
    _unquoted_inside,
    _unquoted_value,
)
"""From the most certain to the least."""
