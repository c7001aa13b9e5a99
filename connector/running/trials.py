"""What a trial needs of one destination: its account as it is now."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

from pydantic import BaseModel

from connector.crm import CrmAccount
from connector.delivery.route import Route, Running
from connector.insight.accounts import Link, named, no_link
from connector.insight.trial.way import Known
from connector.mapping import Loaded, Severity
from connector.mapping.target import TargetSchema
from connector.running import bootstrap
from connector.running.config import AgencyFile


@dataclass(frozen=True, slots=True)
class Contact:
    """A destination whose CRM answers. sources: record of the mapping -> its key's source, as the file has it.

    misfits: how many problems `check --live` finds. link: the page of a record.
    """

    route: Route
    account: CrmAccount | None
    schema: TargetSchema
    sources: Mapping[str, str]
    misfits: int
    link: Link


@contextmanager
def opened(file: AgencyFile, name: str) -> Iterator[Route]:
    """Open a destination, without calling its CRM yet. Raises FixConfiguration, FixMapping."""
    route = bootstrap.open_route(file, name)
    try:
        yield route
    finally:
        route.destination.close()


def contact(file: AgencyFile, name: str, route: Route) -> Contact:
    """Ask the CRM for its account and schema, and fit the mapping to them. Raises DestinationUnusable."""
    account = route.destination.account()
    schema = route.destination.describe(route.mapping.objects)
    route.destination.recall(schema)
    path = bootstrap.mapping_path(file, file.settings.destinations[name])
    checked = bootstrap.read_mapping(path, schema)
    fitted = checked if checked.mapping else bootstrap.read_mapping(path, schema, checked=False)
    running = Running(fitted.mapping or route.mapping)
    link = named(bootstrap.open_accounts([file], lambda _: account), route.name)
    return Contact(
        replace(route, running=running, describing=Known(schema)),
        account,
        schema,
        _sources(fitted),
        sum(problem.severity is Severity.ERROR for problem in checked.diagnostics),
        link.link if link else no_link,
    )


def _sources(loaded: Loaded) -> dict[str, str]:
    """The source of the first key of each record, as YAML on one line."""
    records = loaded.written[0].records if loaded.written else {}
    return {name: _source(next(iter(record.key.values()))) for name, record in records.items() if record.key}


def _source(key: BaseModel) -> str:
    dumped = key.model_dump(by_alias=True, exclude_defaults=True)
    alone = dumped.get("from", []) if len(dumped) == 1 else []
    return str(alone[0]) if len(alone) == 1 else json.dumps(dumped)
