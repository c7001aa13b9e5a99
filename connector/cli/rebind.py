"""rebind: move a destination to another account of its CRM."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path

import click

from connector.cli.asking import account_of
from connector.cli.options import agency_option, json_option, opened_store, show_json, show_table, who
from connector.crm import CrmAccount
from connector.errors import FixConfiguration, StateChanged
from connector.running.config import AgencyFile, read_agencies
from connector.store import Store
from connector.store.rebinding import Move


class _Moved(Move):
    moved: bool


@click.command()
@agency_option
@click.option("--destination", "name", required=True, help="The destination from the agency file.")
@click.option("--plan", "plan_only", is_flag=True, help="Only show what would change.")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@json_option(_Moved)
def rebind(paths: tuple[Path, ...], name: str, plan_only: bool, yes: bool, as_json: bool) -> None:
    """Move a destination to the CRM account that its credentials lead to now.

    It gets a ledger of its own. The former account's ledger is kept, and comes back if you move back.
    """
    file = _file_of(read_agencies(paths, os.environ), name)
    destination = f"{file.settings.agency}/{name}"
    account = _account(file, name)
    with opened_store() as store:
        move = _planned(store, destination, account)
        if not as_json:
            _show(move)
        is_sure = not plan_only and (yes or click.confirm("Move it?", abort=True, err=True))
        if is_sure:
            store.rebinding.run(move, who())
    if as_json:
        show_json({"moved": is_sure, **asdict(move)})
    elif is_sure:
        click.echo(f"\n{destination} is moved. Restart every worker that still has the former credentials.")


def _file_of(files: list[AgencyFile], name: str) -> AgencyFile:
    """Find the agency file that has this destination. Raises FixConfiguration."""
    having = [file for file in files if name in file.settings.destinations]
    if len(having) != 1:
        number = "no agency file has" if not having else "several agency files have"
        raise FixConfiguration("--destination", f"{number} a destination {name!r}", "name one file with -c")
    return having[0]


def _account(file: AgencyFile, name: str) -> CrmAccount:
    """Ask the CRM which account the credentials lead to. Raises FixConfiguration."""
    crm, account = account_of(file, name)
    if account is None:
        problem = f"{crm.title} does not say which {crm.account} the credentials lead to"
        raise FixConfiguration(f"{file.path}: {name}", problem, "allow them to read the account's details")
    return account


def _planned(store: Store, destination: str, account: CrmAccount) -> Move:
    """Plan the move. Raises StateChanged if there is nothing to move."""
    former = store.accounts.of(destination)
    if former is None:
        raise StateChanged(
            destination, "has no ledger yet", "start the connector: it adopts the first account it meets"
        )
    if former.id == account.id:
        raise StateChanged(destination, f"its ledger is that of {former} already", "there is nothing to do")
    return store.rebinding.plan(destination, account, former)


def _show(move: Move) -> None:
    rows = [
        (f"records of {move.former} whose ledger is kept", move.kept),
        (f"records of {move.new} whose ledger is brought back", move.brought_back),
        ("opt-outs in force, owed to the new account", move.owed_again),
        ("waiting deliveries, written to the new account", move.waiting),
    ]
    show_table(f"{move.destination}: from {move.former} to {move.new}", ("what", "how many"), rows, "")
