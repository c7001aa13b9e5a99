"""The links between the records of a file: their order, and circles among them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from graphlib import CycleError, TopologicalSorter

from connector.mapping.schema import Record
from connector.mapping.scope import Scope


def points_at(record: Record) -> dict[str, tuple[str | int, ...]]:
    """Map each record this one points at to the location of the link."""
    links: dict[str, tuple[str | int, ...]] = {name: ("associate", i) for i, name in enumerate(record.associate)}
    for target, field in record.fields.items():
        for source in field.nested():
            if source.ref is not None:
                links.setdefault(source.ref, ("fields", target, "ref"))
    return links


def in_order(links: Mapping[str, Iterable[str]]) -> Iterator[str]:
    """Sort records after those they point at; leave out those in a circle or pointing into one."""
    sorter = TopologicalSorter({name: [other for other in others if other in links] for name, others in links.items()})
    with suppress(CycleError):
        sorter.prepare()
    while ready := sorter.get_ready():
        yield from ready
        sorter.done(*ready)


def check_circles(scope: Scope) -> None:
    """Report records that point at each other in a circle."""
    links = {name: points_at(record) for name, record in scope.file.records.items()}
    circle = set(links) - set(in_order(links))
    pointed = {name: {other for other in circle if name in links[other]} for name in circle}
    circle -= set(in_order(pointed))  # these only point into a circle
    for name in sorted(circle):
        for other, loc in links[name].items():
            if other in circle:
                here = scope.at("records", name, *loc)
                here.add("M140", f"'{name}' and '{other}' point at each other in a circle", "remove one of the links")
