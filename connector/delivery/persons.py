"""Compare who a customer is with a record of the CRM, by name, suffix and date of birth. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto
from typing import NamedTuple

from connector.delivery import dates, names
from connector.delivery.likeness import Likeness, Words, compare_first, compare_last
from connector.delivery.names import Named, Title
from connector.model import Person, PersonFields

Names = tuple[Named, Named]
"""First and last name."""


class Comparison(Enum):
    """How one field compares. BLANK: the customer or the record has no value for it, or only a part of it."""

    SAME = auto()
    BLANK = auto()
    DIFFERENT = auto()


class Alike(NamedTuple):
    """How a record compares with a person. generation: Jr. or Sr., for instance."""

    first: Likeness
    last: Likeness
    born: Comparison = Comparison.BLANK
    generation: Comparison = Comparison.BLANK


def compare_person(person: Person, values: Mapping[str, str]) -> Alike:
    """Compare a person with a record's values, by target field."""
    ours = names.parse(person.first), names.parse(person.last)
    middle, preferred = names.parse(person.middle).words, names.parse(person.preferred).words
    theirs = _their_names(person.fields, values, ours, middle)
    suffix = values.get(person.fields.suffix, "")
    born = compare_born(person.born, values.get(person.fields.born, ""))
    first = compare_first(ours[0], theirs[0], middle, preferred)
    last = compare_last(ours[1], theirs[1], middle)
    generation = _compare_generations(_generation(person.suffix, *ours), _generation(suffix, *theirs))
    written = f"{values.get(person.fields.first, '')} {values.get(person.fields.last, '')}"
    titles = names.title(f"{person.first} {person.last}"), names.title(written)
    return _not_guessed(ours, theirs, titles, Alike(first, last, born, generation))


def _not_guessed(ours: Names, theirs: Names, titles: tuple[Title, Title], alike: Alike) -> Alike:
    """Correct a comparison by what first and last name say only together."""
    if titles[0] is not titles[1] and Title.COUPLE in titles:
        return alike._replace(first=Likeness.SHARED)
    if alike.first is Likeness.SAME and titles[0] is not titles[1]:
        return alike._replace(first=Likeness.RELATED)
    if names.is_nobody(*ours):
        return alike._replace(first=Likeness.MISSING)
    if alike.first is Likeness.DIFFERENT:
        return _not_contradicting(ours, theirs, alike)
    return alike


def _not_contradicting(ours: Names, theirs: Names, alike: Alike) -> Alike:
    """Leave uncertain what may be one person in spite of first names that differ."""
    if (ours[0].joined, ours[1].joined) == (theirs[1].joined, theirs[0].joined):
        return alike._replace(first=Likeness.UNCERTAIN, last=Likeness.UNCERTAIN)
    if alike.last is Likeness.SAME and alike.born is Comparison.SAME and not names.is_latin(ours[0].joined):
        return alike._replace(
            first=Likeness.UNCERTAIN
        )  # a short form may be like no part of the name: Володя, Владимир
    return alike


def _generation(suffix: str, first: Named, last: Named) -> int:
    return names.generation(suffix) or first.generation or last.generation


def _compare_generations(ours: int, theirs: int) -> Comparison:
    if not (ours and theirs):
        return Comparison.BLANK
    return Comparison.SAME if ours == theirs else Comparison.DIFFERENT


def _their_names(fields: PersonFields, values: Mapping[str, str], ours: Names, middle: Words) -> Names:
    """Read a record's names; one field may hold the whole name, as "Edna Whitaker" or "Whitaker, Edna"."""
    first, last = values.get(fields.first, ""), values.get(fields.last, "")
    theirs = names.parse(first, fields.placeholders), names.parse(last, fields.placeholders)
    if bool(theirs[0].words) is bool(theirs[1].words):
        return theirs
    before, _, after = (first or last).partition(",")
    in_reverse = names.parse(after), names.parse(before)
    if in_reverse[0].words and in_reverse[1].words == ours[1].words and not names.generation(after):
        return in_reverse
    parts = names.split(theirs[0] if theirs[0].words else theirs[1], ours[1])
    # A last name alone may be a double one, of which ours is the end: Garcia Lopez.
    is_double = fields.first and not theirs[0].words and parts and _differ(ours[0], parts[0], middle)
    return theirs if parts is None or is_double else parts


def _differ(ours: Named, theirs: Named, middle: Words) -> bool:
    return compare_first(ours, theirs, middle) is Likeness.DIFFERENT


def compare_born(ours: str, theirs: str) -> Comparison:
    """Compare dates of birth."""
    own, other = dates.parse(ours), dates.parse(theirs)
    if own is None or other is None:
        return Comparison.BLANK
    return Comparison.SAME if own == other else Comparison.DIFFERENT
