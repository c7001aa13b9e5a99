"""What the console and the commands show operators of one message: its content, masked, and what happened to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from connector.carecycle.recognise import OddField
from connector.insight.masking import ShownField, masked, revealed
from connector.insight.undone import Undone, undone_of
from connector.settlement import unopenable
from connector.settlement.listings import DeliveryStory
from connector.store import Store
from connector.store.evidence import OptOut


@dataclass(frozen=True, slots=True)
class Story:
    """One message: its payload's fields, its odd fields, its deliveries with every attempt, and its opt-outs.

    undecrypted: why no field can be shown, and what to do; empty where the payload could be decrypted.
    undone: what it wrote, where an operator restored what was there before.
    """

    message_id: str
    type: str
    payload: Sequence[ShownField]
    deliveries: Sequence[DeliveryStory]
    undecrypted: str = ""
    odd: Sequence[OddField] = ()
    opt_outs: Sequence[OptOut] = ()
    undone: Sequence[Undone] = ()


def story(store: Store, message_id: str) -> Story | None:
    """Show one message: its masked payload, its deliveries and every attempt; None if the message is unknown."""
    deliveries = store.desk.story(message_id)
    if not deliveries:
        return None
    event_type, event = deliveries[0].type, store.desk.event(message_id)
    shown = masked(event.payload if event else {}, event_type)
    why = unopenable(event.unopened) if event and event.unopened else None
    undecrypted = f"Nothing of the content can be shown: {why.cause}. What to do: {why.action}." if why else ""
    odd, opt_outs = store.oddities.of(message_id), store.opt_outs.of_message(message_id)
    undone = undone_of(store, message_id)
    return Story(message_id, event_type, shown, deliveries, undecrypted, odd, opt_outs, undone)


def story_revealed(store: Store, message_id: str, who: str, reason: str) -> Story | None:
    """Show one message with every value, after recording who asked and why. Raises FixConfiguration."""
    shown = story(store, message_id)
    if shown is None:
        return None
    return replace(shown, payload=revealed(store.reveal.payload(message_id, who, reason), shown.type))
