"""The opt-outs an event asks for, whatever can still be read of it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from connector.carecycle import recognise
from connector.errors import UnreadableEvent
from connector.mapping import Mapping as CompiledMapping
from connector.mapping.planning import flags_alone, plan
from connector.model import Delivery, Event, Plan
from connector.settlement import Obligation


def no_longer_kept(owed: Obligation) -> Delivery:
    """Stand in for a delivery that retention removed: we still know who opted out."""
    event = Event(owed.destination.partition("/")[0], "", "", owed.customer_id, owed.since, owed.since, {})
    return Delivery(0, 0, owed.since, event)


def flags_plan_of(event: Event, owed: Sequence[Obligation], mapping: CompiledMapping, timezone: str) -> Plan:
    """Plan the opt-outs of an event, or of its customer alone where the event's type is not mapped or not readable."""
    flags_plan = None
    for candidate in _candidates(event, owed):
        flags_plan = flags_alone(plan(candidate, mapping, timezone=timezone))
        if any(write.flags for write in flags_plan.writes):
            break
    assert flags_plan is not None  # there is always a candidate
    flags = {obligation.flag for obligation in owed}
    return flags_plan._replace(consent={flag: value for flag, value in flags_plan.consent.items() if flag in flags})


def read_again(event: Event) -> Event | None:
    """Return a stored event as this version reads it; None if it cannot."""
    try:
        return recognise.as_read(event)
    except UnreadableEvent:
        return None


def _candidates(event: Event, owed: Sequence[Obligation]) -> Iterator[Event]:
    """Yield the event and its customer as an update; where it cannot be read, who opted out of what."""
    readable = read_again(event)
    if readable is not None and readable.customer_id is not None:
        yield readable
        customer = readable.payload.get("customer", readable.payload)
        if isinstance(customer, Mapping):
            yield replace(readable, type="customer.updated", payload={**customer, "event_type": "customer.updated"})
        return
    customer_id = owed[0].customer_id
    known = {"event_type": "customer.updated", "id": customer_id, **{obligation.flag: True for obligation in owed}}
    yield replace(event, type="customer.updated", customer_id=customer_id, payload=known, unopened=None)
