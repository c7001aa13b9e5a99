"""Count the values that a destination's mapping did not translate."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from connector.model import Delivery, Plan
from connector.settlement import DeliveryState, Settled
from connector.settlement.oddities import Oddity


def not_translated(
    planned: Iterable[tuple[Delivery, Plan]], settled: Iterable[Settled], destination: str, now: int
) -> Iterator[Oddity]:
    """Yield one for each such field of the deliveries that need no other attempt. now: epoch ms."""
    done = {each.delivery_id for each in settled if each.state is not DeliveryState.READY}
    for delivery, plan in planned:
        for value in plan.untranslated if delivery.id in done else ():
            target = f"{value.record}.{value.field}"
            message_id = delivery.event.message_id
            yield Oddity(
                delivery.event.agency, value.path, destination, target, since=now, until=now, message_id=message_id
            )
