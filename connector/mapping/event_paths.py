"""The event fields that decide a value, and which of them are health information."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from connector.carecycle import catalogue
from connector.mapping import conditions, templates
from connector.mapping.schema_sources import MappedField, Source


def of_source(source: Source) -> Iterator[str]:
    """List every event field that decides what a source gives; a malformed template has none."""
    yield from source.from_ or ()
    yield from source.join or ()
    if source.template:
        yield from of_template(source.template)
    if source.lookup:
        yield from source.lookup.match.values()
    for case in source.cases or ():
        yield from conditions.reads(case.when)
    for inner in source.branches():
        yield from of_source(inner)
    if isinstance(source, MappedField):
        yield from conditions.reads(source.when)


def of_template(template: str) -> Iterator[str]:
    """List the event fields a template reads; a malformed template has none."""
    try:
        yield from (slot.path for slot in templates.slots(templates.parse(template)))
    except templates.UnbalancedError:
        return


def health_information(paths: Iterable[str]) -> list[str]:
    """Pick the event fields that are health information, each once."""
    known = (catalogue.FIELDS[path] for path in dict.fromkeys(paths) if path in catalogue.FIELDS)
    return [field.path for field in known if field.privacy in catalogue.HEALTH_INFORMATION]
