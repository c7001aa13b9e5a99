"""How `connector events list` words deliveries: a block for each event, which fits a terminal of 80 columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from textwrap import wrap

from connector.cli.options import moment_text, plain
from connector.settlement import DeliveryState
from connector.settlement.listings import DeliveryStatus
from connector.web.words import STATES, counted, state_word


def blocks(deliveries: Sequence[DeliveryStatus], width: int) -> Iterator[str]:
    """Format each event with its deliveries. No ID is broken, however long it is. Times are in UTC."""
    events: dict[str, list[DeliveryStatus]] = {}
    for delivery in deliveries:
        events.setdefault(delivery.message_id, []).append(delivery)
    for message_id, own in events.items():
        yield plain(f"{message_id}  {own[0].type or '(not readable)'}")
        yield f"  received {moment_text(own[0].accepted_at)} UTC"
        if own[0].customer_id:
            yield plain(f"  customer {own[0].customer_id}")
        for delivery in own:
            yield from _lines(delivery, width)


def totals(counts: Mapping[str, int], shown: int) -> str:
    """Say how many deliveries the filters choose, by state, and how many of them were listed."""
    every = sum(counts.values())
    by_state = ", ".join(_state(state, counts[state]) for state in STATES if counts.get(state))
    more = f" The newest {shown:,} are shown: --limit shows more." if shown < every else ""
    return f"{counted(every, 'delivery', 'deliveries')}: {by_state}.{more}"


def _state(state: DeliveryState, count: int) -> str:
    return counted(count, "dead letter") if state is DeliveryState.DEAD else f"{count:,} {state_word(state)}"


def _lines(delivery: DeliveryStatus, width: int) -> Iterator[str]:
    tries = counted(delivery.attempts, "attempt")
    settled = f" {moment_text(delivery.settled_at)} UTC" if delivery.settled_at else ""
    yield plain(f"  {delivery.destination}: {delivery.state} {delivery.code}".rstrip() + f"{settled}, {tries}")
    yield from wrap(
        plain(delivery.reason),
        width,
        initial_indent="    ",
        subsequent_indent="    ",
        break_long_words=False,
        break_on_hyphens=False,
    )
