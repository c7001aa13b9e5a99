"""What `check --live` asks of the CRM accounts. One that cannot be asked hides nothing about the others."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, replace

import click

from connector.cli import live_values
from connector.cli.options import quiet
from connector.crm import CrmAccount
from connector.delivery.route import Route
from connector.errors import DestinationUnusable
from connector.mapping import Loaded
from connector.running import bootstrap, whose
from connector.running.config import AgencyFile


@dataclass(slots=True)
class Live:
    """Asks accounts, and says on stderr which they are. ledgers: the account of each destination's ledger.

    status: the exit status of the worst: 1 if one is not its ledger's, 2 if one could not be asked.
    """

    ledgers: Mapping[str, CrmAccount]
    status: int = 0

    def check(self, file: AgencyFile, name: str, loaded: Loaded) -> Loaded:
        """Load a mapping once more, against the account of its destination. Raises FixConfiguration."""
        route = bootstrap.open_route(file, name)
        with closing(route.destination), quiet():
            try:
                schema = route.destination.describe(route.mapping.objects)
                fitted = bootstrap.read_mapping(loaded.files[0], schema)
                more = live_values.found(route, loaded, schema)
                loaded = replace(fitted, diagnostics=(*fitted.diagnostics, *more))
                self._name_account(route)
            except DestinationUnusable as error:
                click.echo(f"error[E100] {file.path}: {name}: {error.problem}", err=True)
                self.status = 2
        return loaded

    def _name_account(self, route: Route) -> None:
        account, ours = route.destination.account(), self.ledgers.get(route.name)
        compared = whose.compare(route.mapping.crm, account, route.name, ours)
        click.echo(f"{route.name}: {'; '.join(filter(None, (compared.about, compared.do)))}", err=True)
        if compared.match is whose.Match.ANOTHER:
            self.status = max(self.status, 1)
