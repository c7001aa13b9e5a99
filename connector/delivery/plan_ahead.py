"""Plan a batch, and the next one while the CRM is still answering."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from collections.abc import Mapping as Read
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Protocol

from connector import telemetry
from connector.carecycle import recognise
from connector.errors import ConnectorError, UnreadableEvent
from connector.mapping import Mapping
from connector.mapping.facts import own_stamp
from connector.mapping.planning import hear, plan
from connector.model import Delivery, Event, Plan
from connector.settlement import UNKNOWN_TYPE, AttemptOutcome, DeliveryState, Refusal, Settled, unreadable

Planned = list[tuple[Delivery, Plan]]


class _Make(Protocol):
    def __call__(self, event: Event, mapping: Mapping, *, timezone: str) -> Plan: ...


@dataclass(slots=True)
class PlannedAhead:
    """A lane's deliveries that were planned before their turn: a cache that saves time and decides nothing.

    The store still says what is due, and whether its payload is still there. The cache holds values: keep it no
    longer than the lease.
    """

    mapping: Mapping | None = None
    events: dict[int, Event] = field(default_factory=dict)
    plans: dict[int, Plan | Settled] = field(default_factory=dict)

    def plan(self, delivery: Delivery, mapping: Mapping, timezone: str) -> Plan | Settled:
        """Return the plan of a delivery, or how it is settled without a plan."""
        if mapping is self.mapping and self.events.get(delivery.id) is delivery.event:
            return self.plans[delivery.id]
        return _plan(delivery, mapping, timezone)

    @contextmanager
    def making(self, look: Callable[[], Iterable[Delivery]], mapping: Mapping, timezone: str) -> Iterator[None]:
        """Plan the deliveries `look` returns in a thread of their own while the block runs."""
        thread = threading.Thread(target=self._make, args=(look, mapping, timezone), name="planner")
        thread.start()
        try:
            yield
        finally:
            thread.join()

    def _make(self, look: Callable[[], Iterable[Delivery]], mapping: Mapping, timezone: str) -> None:
        self.mapping, self.events, self.plans = mapping, {}, {}
        try:
            for delivery in look():
                self.plans[delivery.id] = _plan(delivery, mapping, timezone)
                self.events[delivery.id] = without_payload(delivery).event
        except ConnectorError:  # the next batch looks again, meets the same error and reports it
            return

    def known(self, mapping: Mapping) -> Read[int, Event]:
        """The events, by delivery, that were planned with this mapping."""
        return self.events if mapping is self.mapping else {}


def plan_all(
    due: Iterable[Delivery], mapping: Mapping, timezone: str, ahead: PlannedAhead | None = None
) -> tuple[Planned, list[Settled]]:
    """Return the plans of a batch, and the settlement of each delivery that has none. No payload is kept."""
    ahead = ahead or PlannedAhead()
    planned: Planned = []
    unplanned: list[Settled] = []
    for delivery in due:
        made = ahead.plan(delivery, mapping, timezone)
        if isinstance(made, Settled):
            unplanned.append(made)
        else:
            planned.append((without_payload(delivery), made))
    return planned, unplanned


def without_payload(delivery: Delivery) -> Delivery:
    """What a plan needs beside it: the values that are written are in the plan, and a payload may be large."""
    return replace(delivery, event=replace(delivery.event, payload={}))


def heard(delivery: Delivery, mapping: Mapping, timezone: str) -> Plan | Settled:
    """Return the opt-outs of a delivery as a plan that writes nothing, or how it is settled without a plan."""
    return _plan(delivery, mapping, timezone, hear)


def _plan(delivery: Delivery, mapping: Mapping, timezone: str, make: _Make = plan) -> Plan | Settled:
    if delivery.event.unopened:
        return _opt_outs_alone(delivery)
    try:
        event = recognise.as_read(delivery.event)
        if event is None:
            return Settled(delivery.id, DeliveryState.IGNORED, AttemptOutcome.IGNORED, UNKNOWN_TYPE)
        return make(event, mapping, timezone=timezone)
    except UnreadableEvent as error:
        return _dead(delivery, unreadable(error))
    except Exception as error:  # noqa: BLE001  # a bug that one event triggers must not stop the rest of its lane
        cause = f"the connector itself failed ({telemetry.place(error)})"
        return _dead(delivery, Refusal("FAULT", cause, "report it as a bug, then replay after an update"))


def _opt_outs_alone(delivery: Delivery) -> Plan:
    """Plan an event that cannot be decrypted: it writes nothing, but the opt-outs it is known to raise withhold."""
    raised = dict.fromkeys(delivery.owing, True)
    return Plan(delivery.event.customer_id, raised, own_stamp(delivery.event))


def _dead(delivery: Delivery, why: Refusal) -> Settled:
    return Settled(delivery.id, DeliveryState.DEAD, AttemptOutcome.DEAD, why)
