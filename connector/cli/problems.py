"""problems: list what the CRMs refuse, by cause."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

import click

from connector.cli.options import json_option, opened_store, show_json
from connector.cli.problem_texts import Behind, cause_text, left_out_text, lowered_opt_outs_text, oddity_text
from connector.insight.accounts import Account
from connector.insight.left_out import LeftOut, find_left_out, to_act_on
from connector.insight.lowered import Lowered, find_lowered
from connector.insight.oddities import OddityData, as_data, in_order, unused
from connector.insight.problems import Cause, find_causes
from connector.running import bootstrap
from connector.running.config import read_agencies
from connector.store import Store

_LOOKED_AT: Final = 1_000
"""Of each cause, the customers of this many of its newest dead letters are listed."""

mapping_option = click.option(
    "-c",
    "--config",
    "paths",
    multiple=True,
    type=click.Path(path_type=Path),
    help="An agency file, or a folder of them: adds the lines of its mappings.",
)


class _Cause(Cause):
    people: list[Behind] | None


class _LeftOut(LeftOut):
    fields: list[str]
    left_out: bool


def accounts_of(paths: Sequence[Path], store: Store) -> list[Account]:
    """Open the accounts of the agency files, if any are named."""
    return bootstrap.open_accounts(read_agencies(paths, os.environ), store.accounts.of) if paths else []


@click.command()
@mapping_option
@click.option("--people", "with_people", is_flag=True, help="Also list the customers behind each cause.")
@json_option(list[Lowered | _Cause | _LeftOut | OddityData])
def problems(paths: tuple[Path, ...], with_people: bool, as_json: bool) -> None:
    """List what the CRMs permanently reject, by cause: field, number of customers, mapping line, what to do.

    Also lists the opt-outs that were found lowered in a CRM, the fields left out of records that were written
    otherwise, the fields careCycle sends in another form than it documents, and the values no table translates. Exit
    status 1 if an opt-out is lowered or a value is not used, except values that another record has: they are written by
    themselves once that record no longer has them.
    """
    with opened_store() as store:
        accounts = accounts_of(paths, store)
        causes, left_out = find_causes(store, accounts), find_left_out(store, accounts)
        lowered = find_lowered(store, accounts)
        oddities, now = in_order(store.oddities.all()), store.database.time()
        people = {cause.id: people_behind(store, cause) for cause in causes} if with_people else {}
    if as_json:
        causes_data = [{**asdict(cause), "people": people.get(cause.id)} for cause in causes]
        show_json([*map(asdict, lowered), *causes_data, *map(_left_out_data, left_out), *map(as_data, oddities)])
    else:
        dead = [cause_text(cause, now, people.get(cause.id, ())) for cause in causes] or ["No dead letters."]
        others = [left_out_text(item, now) for item in left_out] + [oddity_text(oddity, now) for oddity in oddities]
        click.echo("\n\n".join([*map(lowered_opt_outs_text, lowered), *dead, *others]))
    raise SystemExit(1 if lowered or causes or to_act_on(left_out) or unused(oddities) else 0)


def people_behind(store: Store, cause: Cause) -> list[Behind]:
    """The customers of a cause's newest dead letters, the newest first."""
    behind: dict[str, Behind] = {}
    for delivery in store.desk.deliveries(cause.chosen, _LOOKED_AT):
        customer_id = delivery.customer_id or ""
        known = behind.setdefault(customer_id, Behind(customer_id, 0, delivery.message_id))
        behind[customer_id] = replace(known, deliveries=known.deliveries + 1)
    return list(behind.values())


def _left_out_data(item: LeftOut) -> dict[str, Any]:
    return {**asdict(item), "fields": [item.field], "left_out": True}
