"""Compare who a customer is with a record of the CRM, by name, suffix and date of birth. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto
from typing import NamedTuple

from connector.delivery import dates, names
from connector.delivery.likeness import Likeness, Words, compare_first, compare_last
from connector.delivery.names import Named
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
    suffix, born = values.get(person.fields.suffix, ""), values.get(person.fields.born, "")
    return Alike(
        compare_first(ours[0], theirs[0], middle, preferred),
        compare_last(ours[1], theirs[1], middle),
        compare_born(person.born, born),
        _compare_generations(_generation(person.suffix, *ours), _generation(suffix, *theirs)),
    )


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


def is_same_id(external_id: str, crm_id: str) -> bool:
    """Whether careCycle's externalId is the record's own id, in either length that Salesforce has for one.

    >>> is_same_id("003Hs00000ABCDE", "003Hs00000ABCDEIA3"), is_same_id("051", "51"), is_same_id("", "")
    (True, False, False)
    """
    if {len(external_id), len(crm_id)} == {15, 18}:
        return external_id[:15] == crm_id[:15]
    return bool(external_id) and external_id == crm_id
