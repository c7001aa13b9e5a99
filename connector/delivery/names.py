"""Read the names of people as careCycle and CRMs have them. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Final


def _listed(text: str) -> frozenset[str]:
    return frozenset(text.split())


_PLACEHOLDERS: Final = _listed(
    "unknown unk na none null nil undefined tbd noname nofirstname nolastname notprovided notavailable blank anonymous "
    "contact customer client lead prospect caller test firstname lastname fname lname household family resident"
)
_TITLES: Final = _listed(
    "mr mrs ms miss mx dr doctor prof professor rev reverend pastor sir mister sra srta capt sgt hon"
)
_WIVES: Final = frozenset(("mrs", "sra"))
_GENERATIONS: Final = {
    **dict.fromkeys(("sr", "senior", "snr", "i", "1st"), 1),
    **dict.fromkeys(("jr", "junior", "jnr", "ii", "2nd"), 2),
    **dict.fromkeys(("iii", "3rd"), 3),
    **dict.fromkeys(("iv", "4th"), 4),
    **dict.fromkeys(("v", "5th"), 5),
}
_CREDENTIALS: Final = _listed("md phd dds dmd dvm esq esquire cpa rn lpn jd mba clu chfc ret retd usn usaf usmc")
_UNDECOMPOSED: Final = str.maketrans(
    {"ø": "o", "œ": "oe", "æ": "ae", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "\u0131": "i"}
)
_ACCENTS: Final = re.compile("[\u0300-\u036f]")
_WITHIN: Final = re.compile("[.'`\u00b4\u2018\u2019\u02bb\u02bc]")
"""Periods and apostrophes, which do not part a name."""
_ASIDE: Final = re.compile('[(\\["\u201c]([^)\\]"\u201d]*)[)\\]"\u201d]')
_COUPLE: Final = re.compile(
    r"\b(?:mr|mrs|ms|dr|rev|sr)\b[.,\s]*(?:[&+/;]|\b(?:and|und|et|y)\b)[\s]*(?:mr|mrs|ms|dr|sra)\b\.?", re.I
)
_NOBODY: Final = frozenset((("john", "doe"), ("jane", "doe"), ("first", "last")))
_AND: Final = re.compile(r"[&+/;]|\b(?:and|und|et)\b|(?<=\w\w)\s+y\s+(?=\w\w)", re.I)


@dataclass(frozen=True, slots=True)
class Named:
    """One field of a name, in words without case, accents and punctuation.

    generation: 1 for Sr., 2 for Jr. and so on; 0 if it has none. aliases: what is in brackets. shares: the names of
    each, where it is the name of several people.
    """

    words: tuple[str, ...] = ()
    generation: int = 0
    aliases: tuple[tuple[str, ...], ...] = ()
    shares: tuple[tuple[str, ...], ...] = ()

    @property
    def joined(self) -> str:
        """The name without spaces."""
        return "".join(self.words)


class Title(Enum):
    """Whose name it is by its title, where that may be somebody else's first name."""

    OWN = auto()
    WIFE = auto()
    """Mrs. Harold Whitaker may be Edna."""
    COUPLE = auto()
    """Mr. and Mrs. Harold Whitaker are two people."""


def title(whole: str) -> Title:
    """Read the title of a first and last name.

    >>> title("Mrs. Harold Whitaker"), title("Mr & Mrs Whitaker"), title("Dr. Edna Whitaker")
    (<Title.WIFE: 2>, <Title.COUPLE: 3>, <Title.OWN: 1>)
    """
    if _COUPLE.search(whole):
        return Title.COUPLE
    return Title.OWN if _WIVES.isdisjoint(words(whole)) else Title.WIFE


def is_nobody(first: Named, last: Named) -> bool:
    """Whether a first and last name are a placeholder together: John Doe."""
    return (first.joined, last.joined) in _NOBODY


def parse(text: str, placeholders: Collection[str] = ()) -> Named:
    """Read one field of a name. placeholders: what is written there for a person without a name.

    >>> parse("Dr. Robert (Bob) Smith, Jr.")
    Named(words=('robert', 'smith'), generation=2, aliases=(('bob',),), shares=())
    >>> parse("Harold & Edna").shares, parse("N/A").words, parse("Nobody", ["nobody"]).words
    ((('harold',), ('edna',)), (), ())
    """
    text = _COUPLE.sub(" ", text)
    own, number = _bare(words(_ASIDE.sub(" ", text)))
    joined = "".join(own)
    if joined in _PLACEHOLDERS or set(joined) == {"x"} or joined in {"".join(words(text)) for text in placeholders}:
        return Named()
    aliases = tuple(inside for match in _ASIDE.finditer(text) if (inside := words(match[1])))
    shares = tuple(share for part in _AND.split(text) if (share := _bare(words(part))[0]))
    return Named(own, number, aliases, shares if len(shares) > 1 else ())


def words(text: str) -> tuple[str, ...]:
    """Split a name into words without case, accents and punctuation.

    >>> words("  José-María  O'Neil, Jr."), words("Đặng"), words("-")
    (('jose', 'maria', 'oneil', 'jr'), ('dang',), ())
    """
    plain = _ACCENTS.sub("", unicodedata.normalize("NFKD", text)).casefold().translate(_UNDECOMPOSED)
    letters = (char if char.isalnum() or unicodedata.combining(char) else " " for char in _WITHIN.sub("", plain))
    return tuple("".join(letters).split())


def _bare(own: tuple[str, ...]) -> tuple[tuple[str, ...], int]:
    """Take titles and suffixes off a name, except for its last word; return it and its generation."""
    number = 0
    while len(own) > 1 and own[0] in _TITLES:
        own = own[1:]
    while len(own) > 1 and _is_suffix(own[-1]):
        number = number or _GENERATIONS.get(own[-1], 0)
        own = own[:-1]
    return (() if own and own[0] in _TITLES else own), number


def _is_suffix(word: str) -> bool:
    return word in _CREDENTIALS or (word in _GENERATIONS and not is_initial(word))


def generation(text: str) -> int:
    """The number of a suffix; 0 if it tells no generation.

    >>> generation("Jr."), generation("III"), generation("M.D.")
    (2, 3, 0)
    """
    return next((number for word in words(text) if (number := _GENERATIONS.get(word, 0))), 0)


def is_initial(word: str) -> bool:
    """Whether a word is an initial, a single letter; a Chinese name may be a single character."""
    return len(word) == 1 and unicodedata.category(word) == "Ll"


def full(name: tuple[str, ...]) -> tuple[str, ...]:
    """A name without its initials."""
    return tuple(word for word in name if not is_initial(word))


def split(whole: Named, last: Named) -> tuple[Named, Named] | None:
    """Split a whole name into first and last name where it ends with this last name; None where it does not.

    >>> first, _ = split(parse("Edna M. De La Cruz"), parse("Delacruz"))
    >>> first.words
    ('edna', 'm')
    """
    for place in range(1, len(whole.words)):
        if "".join(whole.words[place:]) == last.joined:
            return replace(whole, words=whole.words[:place]), replace(last, generation=0)
    return None


def is_latin(text: str) -> bool:
    """Whether a name has Latin letters."""
    return any(unicodedata.name(char, "").startswith("LATIN") for char in text)
