"""Steps that shorten a text. Characters are counted as CRMs do: those beyond the common ones, such as emoji, as two."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from connector.carecycle.catalogue import Kind
from connector.mapping.steps import arguments
from connector.mapping.steps.step import TEXTUAL, Example, Format, Step, at_most

_MOST: Final = 10_000
_ELLIPSIS: Final = "…"


def cut(value: str, limit: int) -> str:
    """Shorten a text to at most `limit` UTF-16 code units, never splitting a character.

    >>> cut("Mesa", 3), cut("a\U0001f600b", 2)
    ('Mes', 'a')
    """
    if len(value) * 2 <= limit or len(units := value.encode("utf-16-le", "surrogatepass")) <= limit * 2:
        return value
    return units[: limit * 2].decode("utf-16-le", "ignore")


def first(count: int) -> Format:
    """The first characters, without spaces at the end.

    >>> first(3).apply("Delacroix"), first(3).apply("Al")
    ('Del', 'Al')
    """
    return _shortening("first", count, lambda value: cut(value, count).rstrip())


def last(count: int) -> Format:
    """The last characters, without spaces at the beginning.

    >>> last(4).apply("1EG4-TE5-MK73"), last(4).apply("Al")
    ('MK73', 'Al')
    """
    return _shortening("last", count, lambda value: cut(value[::-1], count)[::-1].lstrip())


def excerpt(count: int) -> Format:
    """The beginning of a text, ending at a word and with an ellipsis, never longer in all.

    >>> excerpt(20).apply("Caller confirmed eligibility"), excerpt(20).apply("Call back"), excerpt(4).apply("Enrolled")
    ('Caller confirmed…', 'Call back', 'Enr…')
    """
    return _shortening("excerpt", count, lambda value: _excerpt(value, count))


def _excerpt(value: str, count: int) -> str:
    if cut(value, count) == value:
        return value
    kept = cut(value, count - 1)
    if not value[len(kept)].isspace():
        kept = _to_last_space(kept)
    return kept.rstrip(" \t\r\n,;:.-") + _ELLIPSIS


def _to_last_space(text: str) -> str:
    """Drop the last, unfinished word; a single word is kept."""
    ends = [number for number, char in enumerate(text) if char.isspace()]
    return text[: ends[-1]] if ends and text[: ends[-1]].strip() else text


def _shortening(name: str, count: int, apply: Callable[[str], str]) -> Format:
    return Format(name, apply, TEXTUAL, Kind.TEXT, at_most(count), keeps=False)


STEPS: Final = (
    Step("first", Example("Delacroix", "Del", 3), argument=arguments.count(1, _MOST), made=first),
    Step("last", Example("1EG4-TE5-MK73", "MK73", 4), argument=arguments.count(1, _MOST), made=last),
    Step(
        "excerpt",
        Example("Caller confirmed eligibility", "Caller confirmed…", 20),
        argument=arguments.count(2, _MOST),
        made=excerpt,
    ),
)
