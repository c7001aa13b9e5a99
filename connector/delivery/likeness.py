"""Compare the names of people. Pure."""

from __future__ import annotations

from enum import Enum, auto
from typing import Final

from connector.delivery.names import Named, full, is_initial, is_latin
from connector.delivery.nicknames import is_short_form

Words = tuple[str, ...]

_PARTICLES: Final = frozenset(
    ("de", "del", "la", "las", "los", "da", "das", "do", "dos", "di", "du", "le", "van", "von", "der", "den", "al", "y")
)


class Likeness(Enum):
    """How two first names, or two last names, compare."""

    SAME = auto()
    RELATED = auto()
    """One may stand for the other: Bob and Robert, an initial, Garcia and Garcia-Lopez."""
    MISSING = auto()
    """There is nothing to compare."""
    SHARED = auto()
    """One is the name of several people, among them the other: Harold & Edna."""
    UNCERTAIN = auto()
    """They differ, but both may be one person's: first and last name swapped, or short forms that we do not know."""
    DIFFERENT = auto()


def compare_first(ours: Named, theirs: Named, middle: Words = (), preferred: Words = ()) -> Likeness:
    """Compare first names. middle, preferred: the middle name, and what the customer is called, in careCycle."""
    if not _comparable(ours, theirs):
        return Likeness.MISSING
    if ours.joined == theirs.joined:
        return _equal(ours)
    if ours.shares or theirs.shares:
        return _compare_shares(ours, theirs)
    likeness = _compare_given(ours.words, theirs.words, middle)
    if likeness is Likeness.DIFFERENT and _is_alias(ours, theirs, preferred):
        return Likeness.RELATED
    return likeness


def _comparable(ours: Named, theirs: Named) -> bool:
    """Whether both are names, in the same script."""
    return bool(ours.words and theirs.words) and is_latin(ours.joined) is is_latin(theirs.joined)


def _equal(name: Named) -> Likeness:
    return Likeness.RELATED if is_initial(name.joined) else Likeness.SAME


def _compare_shares(ours: Named, theirs: Named) -> Likeness:
    pairs = [(own, other) for own in ours.shares or (ours.words,) for other in theirs.shares or (theirs.words,)]
    is_among = any(_compare_given(own, other, ()) is not Likeness.DIFFERENT for own, other in pairs)
    return Likeness.SHARED if is_among else Likeness.DIFFERENT


def _is_alias(ours: Named, theirs: Named, preferred: Words) -> bool:
    """Whether one is called as the other, according to what is in brackets or the preferred name."""
    pairs = [
        *((ours.words, alias) for alias in theirs.aliases),
        *((alias, theirs.words) for alias in (*ours.aliases, preferred) if alias),
    ]
    return any(_compare_given(own, other, ()) is not Likeness.DIFFERENT for own, other in pairs)


def _compare_given(ours: Words, theirs: Words, middle: Words) -> Likeness:
    for own, other in ((ours, theirs), (_after_initials(ours), _after_initials(theirs))):
        if own[0] == other[0] and not is_initial(own[0]):
            return _compare_rest(own[1:], other[1:], middle)
    own, other = _after_initials(ours), _after_initials(theirs)
    if "".join(full(own)) == "".join(full(other)):
        return Likeness.SAME
    goes_by_middle = other[0] in full(middle)
    return Likeness.RELATED if goes_by_middle or is_short_form(own[0], other[0]) else Likeness.DIFFERENT


def _compare_rest(ours: Words, theirs: Words, middle: Words) -> Likeness:
    """Compare what follows the same first word: more first names, middle names and initials."""
    own, other = (*ours, *middle), theirs
    for place, pair in enumerate(zip(own, other, strict=False)):
        if not _may_be_same(*pair):
            is_first_name = place < len(ours) and not any(map(is_initial, pair))
            return Likeness.DIFFERENT if is_first_name else Likeness.RELATED
    more = (*ours[len(other) :], *other[len(own) :])
    return Likeness.SAME if all(map(is_initial, more)) else Likeness.RELATED


def _may_be_same(own: str, other: str) -> bool:
    return own == other or (own[0] == other[0] and (is_initial(own) or is_initial(other)))


def _after_initials(name: Words) -> Words:
    """Take the initials off the front of a name that has more."""
    while len(name) > 1 and is_initial(name[0]):
        name = name[1:]
    return name


def compare_last(ours: Named, theirs: Named, middle: Words = ()) -> Likeness:
    """Compare last names. A part of a double name may be the whole of it, or another family's: it is RELATED."""
    if not _comparable(ours, theirs):
        return Likeness.MISSING
    if ours.joined == theirs.joined:
        return _equal(ours)
    own, other = full(ours.words), full(theirs.words)
    if theirs.words == (*middle, *ours.words) or (own and "".join(own) == "".join(other)):
        return Likeness.SAME
    also = {"".join(alias) for alias in (*ours.aliases, *theirs.aliases)}  # Smith (Whitaker)
    is_part = _may_be_same(ours.joined, theirs.joined) or _is_part(set(own), set(other))
    return Likeness.RELATED if is_part or also & {ours.joined, theirs.joined} else Likeness.DIFFERENT


def _is_part(own: set[str], other: set[str]) -> bool:
    own, other = own - _PARTICLES, other - _PARTICLES
    return bool(own and other) and (own <= other or other <= own)
