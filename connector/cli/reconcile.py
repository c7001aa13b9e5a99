"""reconcile: is everything where it should be?"""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import Final, TypedDict

import click

from connector.cli.options import (
    agency_option,
    chosen,
    json_option,
    opened_store,
    plain,
    quiet,
    show_json,
    show_table,
    who,
)
from connector.cli.reconcile_source import source
from connector.cli.reconcile_texts import differing_lines, next_lines
from connector.insight.accounts import Link, named, no_link
from connector.running import bootstrap
from connector.running.config import AgencyFile, read_agencies
from connector.running.reconciling import How, Reconciled
from connector.running.reconciling import reconcile as compare
from connector.settlement.verification import Difference, Verified
from connector.store import Store

_SAMPLE: Final = 500
_SHOWN: Final = 50
_LISTED: Final = 10_000
"""Records listed with --json: the rest is counted."""


class _Record(TypedDict):
    object: str
    crm_id: str
    customer_id: str | None
    link: str
    differences: dict[Difference, list[str]]


class _Result(Reconciled):
    records: list[_Record]


@click.group()
def reconcile() -> None:
    """Compare what the connector knows with what is there."""


reconcile.add_command(source)


@reconcile.command()
@agency_option
@click.option("--destination", "only", help="Only this destination from the agency files.")
@click.option("--sample", type=click.IntRange(1), help=f"Compare this many records, by chance. Default: {_SAMPLE}.")
@click.option("--all", "everything", is_flag=True, help="Compare every record.")
@click.option(
    "--repair",
    is_flag=False,
    flag_value="lost",
    type=click.Choice(["lost", "owned"]),
    help="Queue what is missing and what opt-outs demand; with =owned also what people changed in fields the mapping "
    "always writes.",
)
@click.option("--plan", "plan_only", is_flag=True, help="Only show what --repair would do.")
@json_option(list[_Result])
def crm(
    paths: tuple[Path, ...],
    only: str | None,
    sample: int | None,
    everything: bool,
    repair: str | None,
    plan_only: bool,
    as_json: bool,
) -> None:
    """Compare the records in each CRM with what was written to them.

    Exit status 1 if something is missing, merged, lowered, unlinked or twice in a CRM, or a CRM cannot be read. What
    people changed and CRMs reformatted is shown and is no fault.
    """
    if everything and sample:
        raise click.UsageError("name one of --sample and --all")
    how = How(
        None if everything else sample or _SAMPLE, repair=repair is not None, owned=repair == "owned", plan=plan_only
    )
    with opened_store() as store:
        wanted = chosen(read_agencies(paths, os.environ), only)
        compared = [_compare(store, file, name, how) for file, name in wanted]
    _show_all(compared, how, as_json=as_json)
    raise SystemExit(0 if all(done.is_fine for done, _ in compared) else 1)


_Compared = tuple[Reconciled, list[_Record]]


def _show_all(compared: list[_Compared], how: How, *, as_json: bool) -> None:
    if as_json:
        show_json([{**asdict(done), "records": differing} for done, differing in compared])
        return
    for done, differing in compared:
        _show(done, differing, how)


def _compare(store: Store, file: AgencyFile, name: str, how: How) -> _Compared:
    account = named(bootstrap.open_accounts([file], store.accounts.of), f"{file.settings.agency}/{name}")
    link = account.link if account else no_link
    differing: list[_Record] = []

    def report(verified: Verified) -> None:
        if len(differing) < _LISTED:
            differing.append(_data(verified, link))

    with quiet():
        done = compare(store, file, name, how, report)
    repaired = done.repaired
    if how.repair and not how.plan and (repaired.records or repaired.fields or repaired.opt_outs):
        counts = f"{repaired.records} records, {repaired.fields} fields and {repaired.opt_outs} opt-outs again"
        store.repairing.write_down(who(), done.destination, counts)
    return done, differing


def _data(verified: Verified, link: Link) -> _Record:
    held = verified.held
    return {
        "object": held.object,
        "crm_id": held.crm_id,
        "customer_id": held.customer_id,
        "link": link(held.object, held.crm_id),
        "differences": {difference: list(fields) for difference, fields in verified.differences.items()},
    }


def _show(done: Reconciled, differing: list[_Record], how: How) -> None:
    rows: list[tuple[str, object]] = [("compared", done.compared), ("as written", done.same)]
    rows += [(difference.value, count) for difference, count in done.differing.items() if count]
    rows += [("hidden records, or deleted for good", done.hidden)] if done.hidden else []
    rows += [("fields that could not be read", done.unreadable)] if done.unreadable else []
    rows += [*_repairs(done, how), ("API calls", done.calls)]
    show_table(done.destination, ("records", "how many"), rows, "")
    next_steps = () if how.repair and not how.plan else next_lines(done.differing)
    for line in (*differing_lines(differing, _SHOWN), *next_steps):
        click.echo(plain(line))
    if done.problem:
        click.echo(f"{done.destination}: {done.problem}", err=True)


def _repairs(done: Reconciled, how: How) -> list[tuple[str, object]]:
    """What was queued, or would be."""
    if not (how.repair or how.plan):
        return []
    repaired, is_plan = done.repaired, how.plan
    counts = {
        "records written in full again": repaired.records,
        "fields and links written again": repaired.fields,
        "records whose opt-outs are raised again": repaired.opt_outs,
        "records without a stored event: their next event writes them": repaired.impossible,
        "records written meanwhile: left alone": repaired.meanwhile,
    }
    return [(f"{'would be: ' if is_plan else 'queued: '}{what}", count) for what, count in counts.items() if count]
