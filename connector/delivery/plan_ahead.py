"""The plans of a batch; while the CRM is waited for, those of the next one are made already."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from connector import telemetry
from connector.carecycle import recognise
from connector.errors import ConnectorError, UnreadableEvent
from connector.mapping import Mapping
from connector.mapping.planning import plan
from connector.model import Delivery, Event, Plan
from connector.settlement import UNKNOWN_TYPE, AttemptOutcome, DeliveryState, Refusal, Settled, unreadable

Planned = list[tuple[Delivery, Plan]]


@dataclass(slots=True)
class Beforehand:
    """A lane's deliveries that were planned before their turn. Nothing but work is saved by it.

    What is due, and whether its payload is still there, is asked of the store in its turn. It holds payloads: keep it
    no longer than the lease.
    """

    mapping: Mapping | None = None
    events: dict[int, Event] = field(default_factory=dict)
    plans: dict[int, Plan | Settled] = field(default_factory=dict)

    def plan(self, delivery: Delivery, mapping: Mapping, timezone: str) -> Plan | Settled:
        """The plan of a delivery, or what becomes of it without one."""
        if mapping is self.mapping and self.events.get(delivery.id) is delivery.event:
            return self.plans[delivery.id]
        return _plan(delivery, mapping, timezone)

    @contextmanager
    def making(self, look: Callable[[], Sequence[Delivery]], mapping: Mapping, timezone: str) -> Iterator[None]:
        """Plan what `look` finds, beside what is done within the block."""
        thread = threading.Thread(target=self._make, args=(look, mapping, timezone), name="planner")
        thread.start()
        try:
            yield
        finally:
            thread.join()

    def _make(self, look: Callable[[], Sequence[Delivery]], mapping: Mapping, timezone: str) -> None:
        self.mapping, self.events, self.plans = mapping, {}, {}
        try:
            found = look()
        except ConnectorError:  # whoever looks in their turn meets it again, and tells
            return
        self.plans = {one.id: _plan(one, mapping, timezone) for one in found}
        self.events = {one.id: one.event for one in found}


def plan_all(
    due: Iterable[Delivery], mapping: Mapping, timezone: str, beforehand: Beforehand | None = None
) -> tuple[Planned, list[Settled]]:
    """The plans of a batch; and what becomes of the deliveries that have none."""
    known = beforehand or Beforehand()
    planned: Planned = []
    unplanned: list[Settled] = []
    for delivery in due:
        made = known.plan(delivery, mapping, timezone)
        if isinstance(made, Settled):
            unplanned.append(made)
        else:
            planned.append((delivery, made))
    return planned, unplanned


def _plan(delivery: Delivery, mapping: Mapping, timezone: str) -> Plan | Settled:
    try:
        event = recognise.as_read(delivery.event)
        if event is None:
            return Settled(delivery.id, DeliveryState.IGNORED, AttemptOutcome.IGNORED, UNKNOWN_TYPE)
        return plan(event, mapping, timezone=timezone)
    except UnreadableEvent as error:
        return _dead(delivery, unreadable(error))
    except Exception as error:  # noqa: BLE001  # a fault of ours over one event must not stop the others of its lane
        cause = f"the connector itself failed ({telemetry.place(error)})"
        return _dead(delivery, Refusal("FAULT", cause, "report it as a bug, then replay after an update"))


def _dead(delivery: Delivery, why: Refusal) -> Settled:
    return Settled(delivery.id, DeliveryState.DEAD, AttemptOutcome.DEAD, why)
