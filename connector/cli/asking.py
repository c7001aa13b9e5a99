"""What commands ask a CRM account: its fields, and which account it is."""

from __future__ import annotations

from collections.abc import Iterable

import click

from connector.cli.options import quiet
from connector.crm import Crm, CrmAccount
from connector.errors import DestinationUnusable, FixConfiguration
from connector.mapping import target
from connector.running import bootstrap
from connector.running.config import AgencyFile


def described(file: AgencyFile, name: str, more: Iterable[str] = ()) -> target.TargetSchema:
    """Ask the CRM to describe every object its mapping uses and some more; name on stderr those it does not have.

    Raises FixConfiguration, FixMapping.
    """
    route = bootstrap.open_route(file, name)
    objects = dict.fromkeys([*route.mapping.objects, *more])
    try:
        with quiet():
            schema = route.destination.describe(objects)
    except DestinationUnusable as error:
        raise FixConfiguration(f"{file.path}: {name}", error.problem) from None
    finally:
        route.destination.close()

    for problem in schema.unread.values():
        raise FixConfiguration(f"{file.path}: {name}", problem)
    if absent := [kind for kind in objects if kind not in schema.objects]:
        click.echo(f"{file.path}: {name}: the account does not have {', '.join(absent)}", err=True)
    return schema


def account_of(file: AgencyFile, name: str) -> tuple[Crm, CrmAccount | None]:
    """Ask the CRM which account the credentials lead to. Raises FixConfiguration, FixMapping."""
    route = bootstrap.open_route(file, name)
    try:
        with quiet():
            return route.mapping.crm, route.destination.account()
    except DestinationUnusable as error:
        raise FixConfiguration(f"{file.path}: {name}", error.problem) from None
    finally:
        route.destination.close()
