"""What a backfill found, as data and for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypedDict

import click

from connector.cli.options import show_table
from connector.cli.plan import TallyData, show_tally
from connector.insight.rehearse import Expected
from connector.running.backfill import BAD, LEFT_OUT, STATES, Tally
from connector.source.columns import Column, is_other_id
from connector.web.words import counted

_ABOUT: Final = {
    "customer.id": "careCycle's own id: links the row to a customer",
    "customer.updatedAt": "decides which state is newer",
}


class _ColumnData(TypedDict):
    column: str
    field: str | None
    remark: str


class _BadRow(TypedDict):
    where: str
    why: str


class _Backfill(TypedDict):
    agency: str
    customers: int
    calls: int
    unknown: int
    newer: int
    same: int
    older: int
    new: int
    known: int
    too_old: int
    deleted_here: int
    bad_rows: list[_BadRow]
    bad: dict[str, int]
    left_out: dict[str, int]
    columns: list[_ColumnData]


class PlannedBackfill(_Backfill):
    """What `backfill --plan` prints."""

    plan: list[TallyData]


class DoneBackfill(_Backfill):
    """What `backfill` prints. run: its ID."""

    run: str


def columns_as_data(columns: Sequence[Column]) -> list[_ColumnData]:
    """List which field each column of a file fills, and the remark that people see."""
    return [
        {"column": each.name, "field": each.field.path if each.field else None, "remark": _remark(each)}
        for each in columns
    ]


def show_columns(columns: Sequence[Column]) -> None:
    """Print which field each column of a file fills, before anything is done."""
    rows = [(each.name, each.field.path if each.field else "not used", _remark(each)) for each in columns]
    if not rows:
        return
    show_table("Columns", ("column", "field", "remark"), rows, "")
    if all(each.field is None or each.field.path != "customer.updatedAt" for each in columns):
        click.echo("No column updatedAt: the rows fill in what nobody has written yet, and replace nothing.")


def _remark(column: Column) -> str:
    if column.shared:
        return "several columns: used where they agree"
    if column.field:
        return _ABOUT.get(column.field.path, "")
    if is_other_id(column):
        return "there is a column id: that one has careCycle's own ids"
    return f"did you mean {column.meant}? Then call it so" if column.meant else ""


def result_of(agency: str, tally: Tally) -> dict[str, Any]:
    """Return the counts of a run by their names, without values."""
    counts = {
        name: tally.counts[name] for name in ("customers", "calls", *STATES, "new", "known", "too old", "deleted here")
    }
    return {
        "agency": agency,
        **{name.replace(" ", "_"): count for name, count in counts.items()},
        "bad_rows": [{"where": where, "why": why} for where, why in tally.bad],
        "bad": tally.named(BAD),
        "left_out": tally.named(LEFT_OUT),
    }


def exit_status(result: Mapping[str, Any]) -> int:
    """1 if something could not be read, or would be rejected."""
    refused = any(tally[Expected.REFUSED] for tally in result.get("plan", []))
    return 1 if result["bad"] or result["left_out"] or refused else 0


def show_result(result: Mapping[str, Any], *, calls: bool) -> None:
    """Print what a run found, and what comes next. calls: whether those of customers were asked for."""
    of_calls = f" and {counted(result['calls'], 'call')}" if calls or result["calls"] else ""
    click.echo(f"{result['agency']}: {counted(result['customers'], 'customer')}{of_calls} read")
    states = [(result[name.replace(" ", "_")], about) for name, about in STATES.items()]
    _table("", ("customers", "compared with what is held"), [row for row in states if row[0]])
    if result["too_old"]:
        click.echo(f"{result['too_old']} left out: last updated before --since")
    if result["deleted_here"]:
        click.echo(f"{result['deleted_here']} left out: of people who were deleted here, and not newer than that")
    rows = [(count, why, _where(why, result["bad_rows"])) for why, count in result["bad"].items()]
    _table("Could not be used", ("rows", "why", "where (the first ones)"), rows)
    fields = [(count, *name.split(": ", 1)) for name, count in result["left_out"].items()]
    _table("Fields left out; the rest of the row is used", ("rows", "field", "why"), fields)
    _show_what_comes(result)


def _show_what_comes(result: Mapping[str, Any]) -> None:
    if "plan" not in result:
        click.echo(f"run {result['run']}: {result['new']} put in the inbox, {result['known']} were there already.")
    for tally in result.get("plan", []):
        show_tally(tally, "if delivered now", live=False)
    if result["new"]:
        click.echo("connector run (or work) delivers them, after everything that careCycle sends.")


def _where(why: str, bad: Sequence[Mapping[str, str]]) -> str:
    return ", ".join(each["where"] for each in bad if each["why"] == why)


def _table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    if rows:
        show_table(title, columns, rows, "")
