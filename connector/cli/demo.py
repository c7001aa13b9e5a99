"""demo: signed sample webhooks become records in two CRM sandboxes, all on this machine."""

from __future__ import annotations

import contextlib
import random
import signal
import threading
from collections import Counter
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from connector.carecycle.samples import Message, Samples
from connector.cli.demo_story import WITHOUT_THE_FIX, edit, opt_out, outage, to_try
from connector.cli.stage import Stage
from connector.sandbox.wire import Wire
from connector.settlement.listings import DeliveryStory


@click.command()
@click.option("--events", "count", default=300, show_default=True, type=click.IntRange(1), help="How many events.")
@click.option("--exit", "leave", is_flag=True, help="Exit when everything is delivered.")
@click.option("--seed", default=7, show_default=True, help="The same seed generates the same people.")
def demo(count: int, leave: bool, seed: int) -> None:
    """Watch sample webhooks become records in a Salesforce and a HubSpot sandbox on this machine."""
    out = Console(width=None if Console().is_terminal else 110)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt), ExitStack() as closing:
        stage = Stage(closing)
        out.print(
            f"[bold]Sandboxes[/]  Salesforce {stage.salesforce.url}   HubSpot {stage.hubspot.url}", highlight=False
        )
        stage.start(closing, WITHOUT_THE_FIX)
        out.print(f"Connector: receiving at {stage.hook}, files in {stage.folder}", highlight=False)
        if not leave:
            out.print(f"Console: [bold]{stage.admin}/console[/], password [bold]{stage.password}[/]", highlight=False)
        samples = Samples(random.Random(seed), datetime.now(UTC) - timedelta(days=3))
        messages = list(samples.traffic(count))
        asking = opt_out(samples, messages)
        most = count * 3 // 4
        _send(stage, messages[:most], out)
        _drain(stage, out)
        with outage(stage, asking, out):
            _send(stage, messages[most:], out)
        waiting = _drain(stage, out)
        edit(stage, out)
        _report(stage, [*messages, asking], out)
        if not leave:
            to_try(stage, asking, out)
            out.print(
                f"Or open [bold]{stage.admin}/console[/], password [bold]{stage.password}[/]. Ctrl-C stops the demo."
            )
            threading.Event().wait()
        raise SystemExit(1 if waiting or stage.store.desk.dead() else 0)


def _progress(out: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=out
    )


def _send(stage: Stage, messages: list[Message], out: Console) -> None:
    with _progress(out) as bar:
        line = bar.add_task("Sending signed webhooks", total=len(messages))
        for _ in stage.send(messages):
            bar.advance(line)


def _drain(stage: Stage, out: Console) -> int:
    """Wait until everything is delivered; return how many deliveries still wait after the time limit."""
    total = stage.store.desk.waiting()
    with _progress(out) as bar:
        line = bar.add_task("Delivering to the CRMs  ", total=total)
        for waiting in stage.drain():
            bar.update(line, completed=max(0, total - waiting))
        waiting = stage.store.desk.waiting()
        bar.update(line, completed=max(0, total - waiting))
    return waiting


def _report(stage: Stage, messages: list[Message], out: Console) -> None:
    for table in (
        _sent(messages),
        _landed(stage),
        _people(stage),
        _held_back(stage, messages),
        _calls(stage, messages),
    ):
        out.print()
        out.print(table)


def _table(title: str, *columns: str) -> Table:
    return Table(*columns, title=title, title_justify="left", title_style="bold")


def _sent(messages: list[Message]) -> Table:
    table = _table("Sent", "what", "messages")
    for note, number in sorted(Counter(message.note for message in messages).items()):
        table.add_row(note, str(number))
    return table


def _landed(stage: Stage) -> Table:
    table = _table("Written to the CRMs", "CRM", "what", "records")
    for kind in ("Contact", "Task"):
        table.add_row("Salesforce", kind, str(len(stage.salesforce.records(kind))))
    for kind in ("contacts", "calls"):
        table.add_row("HubSpot", kind, str(len(stage.hubspot.records(kind))))
    table.add_row("HubSpot", "addresses opted out of email", str(len(stage.hubspot.opted_out)))
    return table


def _people(stage: Stage) -> Table:
    """Some of the people as each CRM holds them, those with the most opt-outs first."""
    flags = {"DoNotCall": "call", "Do_Not_Text__c": "text", "HasOptedOutOfEmail": "email", "Do_Not_Mail__c": "mail"}
    in_hubspot = {record.get("carecycle_id", ""): record for record in stage.hubspot.records("contacts")}
    table = _table("Some of the people", "name", "state", "do not", "Salesforce", "HubSpot")
    contacts = stage.salesforce.records("Contact")
    for contact in sorted(contacts, key=lambda person: -sum(bool(person.get(flag)) for flag in flags))[:6]:
        name = f"{contact.get('FirstName')} {contact.get('LastName')}"
        opt_outs = ", ".join(word for flag, word in flags.items() if contact.get(flag))
        hubspot_id = in_hubspot.get(contact["careCycle_Id__c"], {}).get("id", "-")
        table.add_row(name, contact.get("MailingState"), opt_outs, contact["Id"], hubspot_id)
    return table


def _held_back(stage: Stage, messages: list[Message]) -> Table:
    """Everything that was not simply delivered, and why."""
    counts: Counter[tuple[str, str]] = Counter()
    for outcome in stage.store.desk.outcomes():
        if outcome.code:
            counts[outcome.state, outcome.reason] += outcome.count
    for message_id in dict.fromkeys(message.message_id for message in messages if message.note.startswith("opt-out")):
        for delivery in stage.store.desk.story(message_id):
            for flag in _withheld(delivery):
                counts["withheld", f"a field withheld by {flag}"] += 1
    repeated = sum(message.note == "sent twice" for message in messages)
    table = _table("Held back, and why", "what", "why", "times")
    table.add_row("duplicate", "the same message arrived twice: stored once", str(repeated))
    for (what, why), number in sorted(counts.items()):
        table.add_row(what, why, str(number))
    return table


def _withheld(delivery: DeliveryStory) -> list[str]:
    notes = [note for attempt in delivery.tries for note in attempt.records]
    return [flag for note in notes for flag in (*note.withheld.values(), note.withheld_by) if flag]


def _calls(stage: Stage, messages: list[Message]) -> Table:
    table = _table("API calls", "CRM", "calls", "with one call per event", "calls per event")
    crms: dict[str, Wire] = {"Salesforce": stage.salesforce, "HubSpot": stage.hubspot}
    for crm, sandbox in crms.items():
        calls = len(sandbox.calls())
        table.add_row(crm, str(calls), str(len(messages)), f"{calls / len(messages):.2f}")
    return table
