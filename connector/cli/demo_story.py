"""What goes wrong in the demo, and how it ends: a CRM that is down, an opt-out meanwhile, a refused value, an edit."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from rich.console import Console

from connector.carecycle.samples import Message, Samples
from connector.cli.stage import Stage
from connector.settlement.listings import LaneStatus
from connector.web.words import counted

WITHOUT_THE_FIX: Final = "language: { en: English, es: Spanish, vi: Vietnamese, else: Other }"
"""Not what the org's field allows, English, Spanish or Other, as an agency finds out when a record is refused."""
WITH_THE_FIX: Final = "language: { en: English, es: Spanish, vi: Other, else: Other }"
_PATIENCE: Final = 60.0
"""Seconds the story waits for each of its turns."""


def opt_out(samples: Samples, messages: list[Message]) -> Message:
    """Make the message in which the first customer who may still be called asks not to be."""
    created = (message.payload for message in messages if message.note == "created")
    person: dict[str, Any] = {name: value for name, value in next(created).items() if name != "event_type"}
    return samples.message(samples.updated(person, doNotCall=True), "opt-out: doNotCall")


@contextmanager
def outage(stage: Stage, asking: Message, out: Console) -> Iterator[None]:
    """Let HubSpot answer 503 while the messages sent inside arrive, and `asking`; then let it answer."""
    out.print("\n[bold]HubSpot stops answering[/] (503), while events go on arriving.")
    stage.hubspot.fault("/", stage.hubspot.html(503), times=10**9)
    yield
    customer = asking.payload["id"]
    list(stage.send([asking]))
    if _waited(lambda: "salesforce" in _reached(stage, asking)):
        out.print(f"  Customer {customer} asks not to be called: Salesforce has the opt-out.", highlight=False)
    if _waited(lambda: _lane(stage, "hubspot").failures > 0):
        lane = _lane(stage, "hubspot")
        out.print(
            f"  HubSpot's lane has paused: {lane.pause_reason}. {counted(lane.opt_outs, 'opt-out')} and "
            f"{counted(lane.ready, 'delivery', 'deliveries')} wait on disk.",
            highlight=False,
        )
    stage.hubspot.faults.clear()
    out.print("[bold]HubSpot answers again[/]: opt-outs go first, then the rest, in order.")
    if _waited(lambda: len(_reached(stage, asking)) == 2):
        out.print(f"  HubSpot has the opt-out of {customer}.", highlight=False)


def edit(stage: Stage, out: Console) -> None:
    """Fix the value that Salesforce refuses by an edit of one line, which the running worker takes over."""
    refused = _refused(stage)
    if not refused:
        return
    out.print(
        f"\n[bold]Salesforce refuses a value[/] of {counted(refused, 'record')}: its picklist Language__c does not "
        "offer Vietnamese. The rest of each record is written.",
        highlight=False,
    )
    out.print("An edit of one line in our-contacts.yaml fixes it, without a restart:", highlight=False)
    out.print(f"  [red]-  {WITHOUT_THE_FIX}[/]\n  [green]+  {WITH_THE_FIX}[/]", highlight=False)
    mapping = stage.folder / "our-contacts.yaml"
    mapping.write_text(mapping.read_text().replace(WITHOUT_THE_FIX, WITH_THE_FIX))
    if _waited(lambda: _refused(stage) == 0):
        out.print(f"  {counted(refused, 'record')} written again, none refused.", highlight=False)


def to_try(stage: Stage, asking: Message, out: Console) -> None:
    """Print three commands, and what they need to reach the demo's database."""
    out.print(
        f"\nIn another terminal, [bold]. {stage.folder}/env[/] and then:\n"
        f"  connector people find {asking.payload['id']}\n"
        "  connector problems\n"
        f"  connector consent report --since {asking.payload['updatedAt'][:10]}",
        highlight=False,
        soft_wrap=True,
    )


def _waited(came: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + _PATIENCE
    while not (there := came()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return there


def _reached(stage: Stage, asking: Message) -> set[str]:
    """Where the opt-out is in the CRM."""
    opt_outs = stage.store.opt_outs.of_message(asking.message_id)
    return {opt_out.destination.rpartition("/")[2] for opt_out in opt_outs if opt_out.applied_at}


def _lane(stage: Stage, crm: str) -> LaneStatus:
    return next(lane for lane in stage.store.desk.lanes() if lane.destination.endswith(crm))


def _refused(stage: Stage) -> int:
    return sum(item.count for item in stage.store.open_items.fields() if item.field == "Language__c")
