"""Judge whether a record that people created in the CRM is the customer's: nothing is guessed. Pure.

A first name that differs always contradicts, except where careCycle's externalId names the record itself. Names that
agree are enough, unless the dates of birth differ; where a name is missing, short or a part of the other, the date of
birth must be the same. What cannot be decided so is a question for people.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from enum import Enum, auto
from typing import Final, NamedTuple, assert_never

from connector.crm import is_same_id
from connector.delivery import names
from connector.delivery.likeness import Likeness, compare_first, compare_last
from connector.delivery.persons import Alike, Comparison, compare_born, compare_person
from connector.mapping import phones
from connector.model import WHO, Candidate, Fact, FactKind, Person


class Verdict(Enum):
    """What a record says to being the customer's."""

    AGREES = auto()
    UNSURE = auto()
    CONTRADICTS = auto()


class HandMade(NamedTuple):
    """A record of the CRM: its id, and its values as text by target field, empty if blank."""

    id: str
    values: Mapping[str, str]


class Strength(NamedTuple):
    """What a record that agrees has beyond its names; the greater of two is the stronger."""

    is_named: bool = False
    is_same_day: bool = False
    is_same_generation: bool = False


_BY_NAMES: Final = Strength()


class Judgement(NamedTuple):
    """The verdict on one record, with the fields that led to it."""

    verdict: Verdict
    candidate: Candidate
    strength: Strength = _BY_NAMES


Equal = Callable[[str, str], bool]
"""Whether two texts are the same value in the CRM."""

_AS_FIELDS: Final = {
    Likeness.SAME: Comparison.SAME,
    Likeness.RELATED: Comparison.BLANK,
    Likeness.MISSING: Comparison.BLANK,
    Likeness.SHARED: Comparison.BLANK,
    Likeness.UNCERTAIN: Comparison.BLANK,
    Likeness.DIFFERENT: Comparison.DIFFERENT,
}


def judge(person: Person | None, step: Sequence[Fact], record: HandMade, id_field: str, equal: Equal) -> Judgement:
    """Judge a record that the CRM returned for the first fact of a step.

    person: None for a record that is no person's: the step alone decides. id_field: where a record has its own id.
    """
    if person is None:
        compared = _of_step(step, record.values, equal, {})
        return _judgement(_with_step(Verdict.AGREES, step, compared, frozenset()), record, compared)
    alike = compare_person(person, record.values)
    compared = _of_step(step, record.values, equal, dict(_of_fields(person, alike)))
    if is_same_id(person.external_id, record.id):
        return _judgement(Verdict.AGREES, record, {id_field: Comparison.SAME, **compared}, _strength(alike, True))
    is_key = any(fact.kind is FactKind.EXTERNAL_ID and compared[fact.field] is Comparison.SAME for fact in step)
    verdict = Verdict.AGREES if is_key else of_person(alike)
    judged = frozenset({person.fields.first, person.fields.last})
    return _judgement(_with_step(verdict, step, compared, judged), record, compared, _strength(alike, is_key))


def _strength(alike: Alike, is_named: bool) -> Strength:
    """is_named: whether careCycle's externalId names the record."""
    return Strength(is_named, alike.born is Comparison.SAME, alike.generation is Comparison.SAME)


def _of_step(
    step: Sequence[Fact], values: Mapping[str, str], equal: Equal, of_person: Mapping[str, Comparison]
) -> dict[str, Comparison]:
    """Compare the facts of a step. of_person: the fields that are compared already."""
    of_facts = {
        fact.field: _compare(fact, values.get(fact.field, ""), equal, is_matched=place == 0)
        for place, fact in enumerate(step)
        if fact.kind not in WHO or fact.field not in of_person
    }
    return {**of_facts, **of_person}


def _with_step(
    verdict: Verdict, step: Sequence[Fact], compared: Mapping[str, Comparison], judged: Container[str]
) -> Verdict:
    """Have every fact of the step agree as well. judged: the fields whose blanks the verdict has considered."""
    if any(compared[fact.field] is Comparison.DIFFERENT for fact in step):
        return Verdict.CONTRADICTS
    blank = any(compared[fact.field] is Comparison.BLANK for fact in step if fact.field not in judged)
    return Verdict.UNSURE if blank and verdict is Verdict.AGREES else verdict


def _judgement(
    verdict: Verdict, record: HandMade, compared: Mapping[str, Comparison], strength: Strength = _BY_NAMES
) -> Judgement:
    def of(wanted: Comparison) -> tuple[str, ...]:
        return tuple(name for name, comparison in compared.items() if comparison is wanted)

    candidate = Candidate(record.id, of(Comparison.SAME), of(Comparison.DIFFERENT), of(Comparison.BLANK))
    return Judgement(verdict, candidate, strength)


def _of_fields(person: Person, alike: Alike) -> Iterator[tuple[str, Comparison]]:
    """List the fields in which the CRM has who a person is, as they compare."""
    fields = person.fields
    parts = (
        (fields.first, _AS_FIELDS[alike.first]),
        (fields.last, _AS_FIELDS[alike.last]),
        (fields.suffix, alike.generation),
        (fields.born, alike.born),
    )
    yield from ((name, comparison) for name, comparison in parts if name)


def of_person(alike: Alike) -> Verdict:
    """Judge by names and dates of birth alone."""
    if alike.generation is Comparison.DIFFERENT or alike.first is Likeness.DIFFERENT:
        return Verdict.CONTRADICTS
    if alike.first is alike.last is Likeness.SAME:  # with another date of birth: a typing error, or a father's son
        return Verdict.UNSURE if alike.born is Comparison.DIFFERENT else Verdict.AGREES
    if alike.born is Comparison.DIFFERENT:
        return Verdict.CONTRADICTS
    match alike.first, alike.last:
        case (Likeness.SAME, Likeness.RELATED) | (Likeness.RELATED | Likeness.MISSING, Likeness.SAME):
            return Verdict.AGREES if alike.born is Comparison.SAME else Verdict.UNSURE
        case (Likeness.RELATED | Likeness.MISSING, Likeness.DIFFERENT):
            return Verdict.CONTRADICTS
        case _:  # also the same first name with another last name: it may be the maiden name
            return Verdict.UNSURE


def _compare(fact: Fact, theirs: str, equal: Equal, *, is_matched: bool) -> Comparison:
    """Compare one fact. is_matched: by the CRM, which also finds an e-mail address that the record does not show."""
    match fact.kind:
        case FactKind.FIRST_NAME:
            return _AS_FIELDS[compare_first(names.parse(fact.value), names.parse(theirs))]
        case FactKind.LAST_NAME:
            return _AS_FIELDS[compare_last(names.parse(fact.value), names.parse(theirs))]
        case FactKind.BIRTH_DATE:
            return compare_born(fact.value, theirs)
        case FactKind.PHONE | FactKind.EMAIL | FactKind.TEXT | FactKind.EXTERNAL_ID:
            return _plain(fact, theirs, equal, is_matched=is_matched)
        case _:
            assert_never(fact.kind)


def _plain(fact: Fact, theirs: str, equal: Equal, *, is_matched: bool) -> Comparison:
    if not theirs:
        return Comparison.SAME if is_matched else Comparison.BLANK
    if fact.kind is FactKind.PHONE:
        is_same = _is_same_phone(fact.value, theirs, equal)
    elif fact.kind is FactKind.EMAIL:
        is_same = fact.value.strip().casefold() == theirs.strip().casefold()
    else:
        is_same = equal(fact.value, theirs)
    return Comparison.SAME if is_same or (is_matched and fact.kind is not FactKind.PHONE) else Comparison.DIFFERENT


def _is_same_phone(ours: str, theirs: str, equal: Equal) -> bool:
    own, other = phones.comparable(ours), phones.comparable(theirs)
    return own == other if own and other else equal(ours, theirs)
