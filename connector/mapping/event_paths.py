"""The event fields that decide a value, and which of them are health information."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress

from connector.carecycle import catalogue
from connector.mapping import conditions, templates
from connector.mapping.formats import UnknownFormatError, in_template
from connector.mapping.schema_sources import MappedField, Source
from connector.mapping.steps.step import Format, WrongArgumentError


def of_source(source: Source) -> Iterator[str]:
    """List every event field that decides what a source gives; a malformed template has none."""
    yield from source.read
    yield from source.join or ()
    if source.template:
        yield from of_template(source.template)
    if source.lookup:
        yield from source.lookup.paths
    for case in source.cases or ():
        yield from conditions.reads(case.when)
    for inner in source.branches():
        yield from of_source(inner)
    if isinstance(source, MappedField):
        yield from conditions.reads(source.when)
        yield from ("call.id",) if source.count else ()


def comes_with(source: Source, event: str) -> bool:
    """Whether an event carries every field that decides what a source gives."""
    return all(event in catalogue.carried_by(path) for path in of_source(source) if path in catalogue.FIELDS)


def of_template(template: str) -> Iterator[str]:
    """List the event fields a template reads; a malformed template has none."""
    try:
        yield from (slot.path for slot in templates.slots(templates.parse(template)))
    except templates.UnbalancedError:
        return


def is_timed(source: Source) -> bool:
    """Whether a source gives something else as time passes: an age, or what depends on how far off a day is."""
    steps = [*(source.format or ()), *steps_of(source.template or "")]
    conditions_of = [case.when for case in source.cases or ()]
    conditions_of += [source.when] if isinstance(source, MappedField) else []
    return (
        any(step.timed for step in steps)
        or any(conditions.is_timed(condition) for condition in conditions_of)
        or any(map(is_timed, source.branches()))
    )


def steps_of(template: str) -> Iterator[Format]:
    with suppress(templates.UnbalancedError, UnknownFormatError, WrongArgumentError):  # reported by the checks
        for slot in templates.slots(templates.parse(template)):
            yield from map(in_template, slot.formats)


def health_information(paths: Iterable[str]) -> list[str]:
    """Pick the event fields that are health information, each once."""
    known = (catalogue.FIELDS[path] for path in dict.fromkeys(paths) if path in catalogue.FIELDS)
    return [field.path for field in known if field.privacy in catalogue.HEALTH_INFORMATION]
