"""Steps for the names of people and places."""

from __future__ import annotations

import re
from typing import Final

from connector.carecycle.catalogue import Kind
from connector.mapping.steps.step import TEXTUAL, Example, Format, Step, same

_LETTER: Final = "[^\\W\\d_][\u0300-\u036f]*"  # with the accents that follow it
_WORD: Final = re.compile(rf"(?<![\w\u0300-\u036f'\u2019])(?:{_LETTER})+(?:['\u2019](?:{_LETTER})+)*")
_LOWER: Final = frozenset({"de", "del"})
"""Small words before another: `de la Cruz`."""
_LOWER_INSIDE: Final = frozenset({"la", "las", "los", "der"})
"""Those that are small only within a name: `de la Cruz`, but `La Mesa`."""
_UPPER: Final = frozenset({"ii", "iii", "iv"})
_SCOTTISH: Final = re.compile(r"mc(?=[^\W\d_]{2})")


def title(value: str) -> str:
    """A name in upper and lower case; a word that already has both stays as it is.

    >>> title("MCDONALD"), title("o'neil"), title("DE LA CRUZ"), title("DeShawn"), title("ÑÚÑEZ-LÓPEZ III")
    ('McDonald', "O'Neil", 'de la Cruz', 'DeShawn', 'Ñúñez-López III')
    """
    return _WORD.sub(lambda word: _word(word[0], value[: word.start()].strip(), value[word.end() :].strip()), value)


def _word(word: str, before: str, after: str) -> str:
    lower = word.lower()
    if (word != lower and word != word.upper()) or len(lower) != len(word):
        return word
    if lower in _UPPER:
        return _upper(lower)
    if after and (lower in _LOWER or (before and lower in _LOWER_INSIDE)):
        return lower
    return _capitalized(lower)


def _capitalized(lower: str) -> str:
    if _SCOTTISH.match(lower):
        return "Mc" + _begun(lower[2:])
    if len(lower) > 2 and lower[1] in "'\u2019":  # O'Neil, D'Angelo; not Mary's
        return _begun(lower[0]) + lower[1] + _begun(lower[2:])
    return _begun(lower)


def _begun(lower: str) -> str:
    return _upper(lower[0]) + lower[1:]


def _upper(text: str) -> str:
    """Upper case, where that does not make the text longer."""
    upper = text.upper()
    return upper if len(upper) == len(text) else text


def initials(value: str) -> str:
    """The first letter of each word, in upper case.

    >>> initials("Marcus J. de la Cruz"), initials("(no name)"), initials("24")
    ('MJDLC', 'NN', '')
    """
    letters = (next((char for char in word if char.isalpha()), "") for word in value.split())
    return "".join(map(_upper, letters))


STEPS: Final = (
    Step("title", Example("MCDONALD", "McDonald"), Format("title", title, TEXTUAL, Kind.TEXT, same)),
    Step(
        "initials",
        Example("Marcus Delacroix", "MD"),
        Format("initials", initials, TEXTUAL, Kind.TEXT, same, keeps=False),
    ),
)
