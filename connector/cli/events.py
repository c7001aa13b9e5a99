"""events: list, show, replay, set aside or discard events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, replace
from pathlib import Path
from typing import Any, TypedDict, cast

import click

from connector.carecycle import catalogue
from connector.cli.event_texts import blocks, totals
from connector.cli.known import require_known
from connector.cli.options import (
    json_option,
    moment,
    opened_store,
    reason_option,
    show_json,
    show_table,
    who,
    width,
)
from connector.cli.plan import TallyData, preview
from connector.cli.progress import progress
from connector.errors import FixConfiguration
from connector.insight.oddities import what_came
from connector.insight.story import Story, story, story_revealed
from connector.settlement import DeliveryState, RecordNote
from connector.settlement.listings import Attempt, DeliveryStatus, DeliveryStory
from connector.store import Store
from connector.store.changing import STEP
from connector.store.desk import PAGE, REPLAYABLE, Filter
from connector.store.evidence import FOUND_LOWERED
from connector.store.occurring import occurring
from connector.web.words import counted, opt_out_words, stamp, undone_words


def _filter(wanted: dict[str, Any]) -> Filter:
    return replace(Filter(), **cast(Any, wanted))


def _known(store: Store, wanted: Filter) -> Filter:
    """Return a filter all of whose names occur. Raises FixConfiguration, which lists those that do."""
    names = occurring(store.database)
    names["type"] = sorted({*names["type"], *catalogue.EVENTS})
    for name, known in names.items():
        require_known(f"--{name.replace('_', '-')}", getattr(wanted, name), known)
    for name in ("customer_id", "message_id"):
        own = getattr(wanted, name)
        if own and not store.desk.deliveries(replace(Filter(), **{name: own}), 1):
            hint = "connector people find finds people, and connector events list shows ids"
            raise FixConfiguration(f"--{name.replace('_', '-')}", f"{own!r} does not occur", hint)
    return wanted


def _filtered(command: Any) -> Any:
    for name, what in (("until", "before"), ("since", "at or after")):
        about = f"Only events received {what} this day or time: 2026-06-18, 2026-06-18T12:00Z."
        command = click.option(f"--{name}", default="", metavar="TIME", callback=moment, help=about)(command)
    for name in ("customer-id", "message-id", "destination", "code", "type"):
        command = click.option(f"--{name}", default="", help=f"Only this {name.replace('-', ' ')}.")(command)
    return command


class _Replayed(TypedDict):
    replayed: int


_left_out = click.option(
    "--left-out", default="", metavar="CODE", help="Only events with a field left out for this code that is still open."
)
_states = click.Choice([state.value for state in REPLAYABLE])
_every_state = click.Choice(["", *(state.value for state in DeliveryState)])
_file = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def events() -> None:
    """List, show, replay, set aside or discard events."""


@events.command("list")
@_filtered
@_left_out
@click.option(
    "--state", default="", type=_every_state, metavar="STATE", help=f"Only this state: {', '.join(DeliveryState)}."
)
@click.option("--limit", default=PAGE, show_default=True, type=click.IntRange(1, 1000), help="How many, newest first.")
@json_option(list[DeliveryStatus])
def list_events(limit: int, as_json: bool, **wanted: Any) -> None:
    """List deliveries, newest first."""
    with opened_store() as store:
        chosen = _known(store, _filter(wanted))
        rows, counts = store.desk.deliveries(chosen, limit), store.desk.by_state(chosen)
    if as_json:
        show_json(rows)
        return
    if not rows:
        click.echo("No delivery matches." if any(wanted.values()) else "No events yet.")
        return
    click.echo("\n".join([*blocks(rows, width()), "", totals(counts, len(rows))]))


@events.command()
@click.argument("message_id")
@click.option("--reveal", is_flag=True, help="Show private values too, if the agency file allows it.")
@click.option("--reason", default="", help="Why. Stored in the audit log, so do not include personal data.")
@json_option(Story)
def show(message_id: str, reveal: bool, reason: str, as_json: bool) -> None:
    """Show one event's story: each destination, each attempt. Values are masked unless revealed."""
    if reveal != bool(reason.strip()):
        raise click.UsageError("use --reveal and --reason together")
    with opened_store() as store:
        shown = story_revealed(store, message_id, who(), reason) if reveal else story(store, message_id)
    if shown is None:
        raise FixConfiguration(message_id, "is not a message in this inbox", "list them with connector events list")
    if as_json:
        show_json(shown)
        return
    _show_story(shown)


def _show_story(shown: Story) -> None:
    show_table(f"{shown.type} {shown.message_id}", ("field", "class", "value"), [astuple(f) for f in shown.payload], "")
    for field in shown.odd:
        click.echo(what_came(field))
    if shown.undecrypted:
        click.echo(shown.undecrypted)
    for delivery in shown.deliveries:
        click.echo(f"\n{delivery.destination}: {delivery.state} {delivery.code} {delivery.reason}".rstrip())
        rows = [
            [*_ended(attempt, note), ", ".join(note.fields), _unwritten(note)]
            for attempt in delivery.tries
            for note in attempt.records
        ]
        _show_untranslated(delivery)
        columns = ("attempt", "record", "object", "CRM id", "outcome", "fields written", "left out")
        show_table("", columns, rows, "no attempt on record")
    _show_since(shown)


def _show_untranslated(delivery: DeliveryStory) -> None:
    for note in (note for attempt in delivery.tries[-1:] for note in attempt.records):
        for name, path in note.untranslated.items():
            click.echo(f"nothing in the mapping translates or formats a value of {path} for {note.record}.{name}")


def _show_since(shown: Story) -> None:
    """Print where its opt-outs are, and what of it was undone."""
    for undone in shown.undone:
        click.echo(f"\n{undone.destination}: {undone_words(undone)}")
    for opt_out in shown.opt_outs:
        is_there = opt_out.applied_at and opt_out.crm_check != FOUND_LOWERED
        at = f" since {stamp(opt_out.applied_at or 0)}" if is_there else ""
        click.echo(f"\n{opt_out.destination}: opt-out {opt_out.flag} {opt_out_words(opt_out)}{at}")


def _ended(attempt: Attempt, note: RecordNote) -> tuple[str | None, ...]:
    return attempt.outcome, note.record, note.object, note.crm_id, note.verdict


def _unwritten(note: RecordNote) -> str:
    return ", ".join(f"{name} ({code})" for name, code in note.left_out.items())


@events.command()
@_filtered
@_left_out
@click.option("--state", type=_states, help="Only this state.  [default: dead; delivered with --left-out]")
@click.option("--all", "every", is_flag=True, help="All deliveries in this state.")
@click.option("--plan", "planning", is_flag=True, help="Change nothing: show what would happen. Needs -c.")
@click.option(
    "-c", "--config", "paths", multiple=True, type=click.Path(path_type=Path), help="An agency file or folder."
)
@click.option("--mapping", type=_file, help="With --plan: preview with this mapping.")
@click.option("--live", is_flag=True, help="With --plan: also read from the CRM. Nothing is written.")
@reason_option
@json_option(_Replayed | list[TallyData])
def replay(
    every: bool,
    planning: bool,
    paths: Sequence[Path],
    mapping: Path | None,
    live: bool,
    as_json: bool,
    reason: str,
    state: str | None,
    **wanted: Any,
) -> None:
    """Deliver again: dead letters, or deliveries in another state. Never returns a record to an older state."""
    if not (every or any(wanted.values())):
        raise click.UsageError("name at least one filter (--message-id, --code, --destination, --since, ...), or --all")
    if planning != bool(paths) or ((mapping or live) and not planning):
        raise click.UsageError("--plan needs -c; -c, --mapping and --live need --plan")
    usual = DeliveryState.DELIVERED if wanted["left_out"] else DeliveryState.DEAD
    chosen = replace(_filter(wanted), state=state or usual)
    if planning:
        with opened_store() as store:
            _known(store, replace(chosen, destination=""))  # the agency files know the destination
        raise SystemExit(preview(paths, chosen, mapping, live=live, as_json=as_json))
    with opened_store() as store:
        _known(store, chosen)
        with progress("replaying", STEP, lambda: store.desk.count(chosen)) as show_count:
            count = store.desk.replay(chosen, who(), show_count, reason)
    if as_json:
        show_json({"replayed": count})
    else:
        click.echo(f"{counted(count, 'delivery', 'deliveries')} queued again")


@events.command("set-aside")
@click.argument("message_id")
@click.option("--destination", default="", help="Which one, if it waits for several.")
@click.option("--reason", required=True, help="Why. Stored in the audit log, so do not include personal data.")
def set_aside(message_id: str, destination: str, reason: str) -> None:
    """Set aside a waiting event that holds up its lane.

    It becomes a dead letter, and the lane continues. Its opt-outs are still written. Replay it once its cause is fixed.
    """
    wanted = Filter(message_id=message_id, destination=destination, state=DeliveryState.READY)
    with opened_store() as store:
        require_known("--destination", destination, occurring(store.database)["destination"])
        waiting = store.desk.deliveries(wanted)
        if len(waiting) > 1:
            names = ", ".join(delivery.destination for delivery in waiting)
            raise click.UsageError(f"it waits for several destinations, name one with --destination: {names}")
        for delivery in waiting:
            store.desk.set_aside(delivery.id, who(), reason)
    if not waiting:
        raise FixConfiguration(message_id, "does not wait to be delivered", "connector events show shows its story")
    click.echo(f"{message_id} is set aside, and its lane continues.")
    click.echo(f"To deliver it again: connector events replay --message-id {message_id}")


@events.command()
@_filtered
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@reason_option
def discard(yes: bool, reason: str, **wanted: Any) -> None:
    """Discard dead letters permanently."""
    if not any(wanted.values()):
        raise click.UsageError("name at least one filter: --message-id, --code, --destination, ...")
    if not yes:
        click.confirm("Discard these dead letters permanently?", abort=True)
    with opened_store() as store:
        count = store.desk.discard(_known(store, _filter(wanted)), who(), reason)
    click.echo(f"{counted(count, 'delivery', 'deliveries')} discarded")
