"""problems: list what the CRMs refuse, by cause."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from connector.cli.options import json_option, opened_store, show_json
from connector.cli.problem_texts import cause_text, left_out_text, oddity_text
from connector.insight.accounts import Account
from connector.insight.left_out import LeftOut, find_left_out, to_act_on
from connector.insight.oddities import as_data, in_order, unused
from connector.insight.problems import find_causes
from connector.running import bootstrap
from connector.running.config import read_agencies
from connector.store import Store

mapping_option = click.option(
    "-c",
    "--config",
    "paths",
    multiple=True,
    type=click.Path(path_type=Path),
    help="An agency file, or a folder of them: adds the lines of its mappings.",
)


def accounts_of(paths: Sequence[Path], store: Store) -> list[Account]:
    """Open the accounts of the agency files, if any are named."""
    return bootstrap.open_accounts(read_agencies(paths, os.environ), store.accounts.of) if paths else []


@click.command()
@mapping_option
@json_option
def problems(paths: tuple[Path, ...], as_json: bool) -> None:
    """List what the CRMs permanently reject, by cause: field, number of customers, mapping line, what to do.

    Also lists the fields left out of records that were written otherwise, the fields careCycle sends in another form
    than it documents, and the values no table translates. Exit status 1 if there is any whose value is not used,
    except values that another record has: they are written by themselves once that record no longer has them.
    """
    with opened_store() as store:
        accounts = accounts_of(paths, store)
        causes, left_out = find_causes(store, accounts), find_left_out(store, accounts)
        oddities, now = in_order(store.oddities.all()), store.database.time()
    if as_json:
        show_json([*map(asdict, causes), *map(_left_out_data, left_out), *map(as_data, oddities)])
    else:
        click.echo("\n\n".join(cause_text(cause, now) for cause in causes) or "No dead letters.")
        for text in (
            *(left_out_text(item, now) for item in left_out),
            *(oddity_text(oddity, now) for oddity in oddities),
        ):
            click.echo(f"\n{text}")
    raise SystemExit(1 if causes or to_act_on(left_out) or unused(oddities) else 0)


def _left_out_data(item: LeftOut) -> dict[str, Any]:
    return {**asdict(item), "fields": [item.field], "left_out": True}
