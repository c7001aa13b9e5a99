"""problems and why: what the CRMs refuse, by cause; why they hold what they hold. In plain words."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import click

from connector.cli.options import json_option, opened_store, show_json
from connector.errors import FixConfiguration
from connector.insight.accounts import Account
from connector.insight.explain import RecordWhy, Why, explain
from connector.insight.problems import Cause, find_causes
from connector.running import bootstrap
from connector.running.config import read_agencies
from connector.web.words import counted, said_words, since, stamp

mapping_option = click.option(
    "-c",
    "--config",
    "paths",
    multiple=True,
    type=click.Path(path_type=Path),
    help="An agency file, or a folder of them: tells the lines of its mappings too.",
)


def accounts_of(paths: Sequence[Path]) -> list[Account]:
    """The accounts of the agency files named; none without."""
    return bootstrap.open_accounts(read_agencies(paths, os.environ)) if paths else []


@click.command()
@mapping_option
@json_option
def problems(paths: tuple[Path, ...], as_json: bool) -> None:
    """Tell what the CRMs refuse for good, by cause: which field, for how many customers, where mapped, what to do.

    Exit status 1 when there is any.
    """
    accounts = accounts_of(paths)
    with opened_store() as store:
        causes = find_causes(store, accounts)
    if as_json:
        show_json([asdict(cause) for cause in causes])
    else:
        now = int(time.time() * 1000)
        click.echo("\n\n".join(_told(cause, now) for cause in causes) or "No dead letters.")
    raise SystemExit(1 if causes else 0)


def _told(cause: Cause, now: int) -> str:
    customers = f" of {counted(cause.customers, 'customer')}" if cause.customers else ""
    lines = [
        f"{cause.destination}: {cause.what} ({cause.code})",
        f"  {counted(cause.count, 'delivery', 'deliveries')}{customers} {since(cause.since, now)}",
    ]
    if cause.places:
        lines.append(f"  mapped at {', '.join(cause.places)} (record {cause.record})")
    replay = f"connector events replay --destination {cause.destination} --code {cause.code}"
    return "\n".join([*lines, f"  {cause.do}", f"  {replay}"])


@click.command()
@click.argument("id")
@mapping_option
@json_option
def why(id: str, paths: tuple[Path, ...], as_json: bool) -> None:
    """Tell why the CRM holds what it holds: for a customer, a call or a message, by its ID.

    Of each field: which event wrote it, when, by which mapping, and why other events did not. With -c the mapping's
    lines are told too, and what each event would have said; a call's ID is found only with it.
    """
    accounts = accounts_of(paths)
    with opened_store() as store:
        told = explain(store, id, accounts)
    if told is None:
        hint = "connector events list shows ids" if paths else "for a call, name the agency file with -c"
        raise FixConfiguration(id, "is no customer, call or message known here", hint)
    if as_json:
        show_json(asdict(told))
    else:
        click.echo("\n".join(_story(told)))


def _story(told: Why) -> Iterator[str]:
    whom = f"customer {told.customer_id}" if told.customer_id else told.asked
    yield f"{whom}: {counted(told.events, 'event')}" + (" (the newest)" if told.capped else "")
    if told.purged:
        yield f"{told.purged} of them are no longer kept: of those only what was written down then is told"
    if told.unmapped:
        yield f"without the mapping of {', '.join(told.unmapped)} (name its file with -c) some reasons stay untold"
    for record in told.records:
        yield ""
        yield from _record(record)


def _record(record: RecordWhy) -> Iterator[str]:
    yield f"{record.destination}: {record.object} {record.crm_id or '(not in the CRM)'} {record.link}".rstrip()
    if record.withheld:
        yield f"  the whole record is withheld by {record.withheld}"
    for one in record.fields:
        yield f"  {one.field}" + (f"   ({one.place})" if one.place else "")
        for said in [one.writer, *one.others] if one.writer else one.others:
            yield f"    {stamp(said.at)}  {said.type} {said.message_id}: {said_words(said)}"
