"""Put the number of a customer's calls in place of what one event knows of it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from connector.delivery.plan_ahead import Planned
from connector.model import Plan, Write
from connector.settlement.counting import Totals


def with_counts(planned: Planned, count: Callable[[Sequence[Plan]], Totals]) -> Planned:
    """Return what was planned with its counts; `count` is asked once, for the plans that have any.

    Every event of a record says how often its customer was called, also one without a call: a record that is created
    again, or repaired, is whole at once. It costs nothing where the number is what was written last.
    """
    counting = [plan for _, plan in planned if plan.counted]
    if not counting:
        return planned
    totals = count(counting)
    return [(delivery, _counted(plan, totals) if plan.counted else plan) for delivery, plan in planned]


def _counted(plan: Plan, totals: Totals) -> Plan:
    return plan._replace(writes=tuple(_with(write, plan, totals) for write in plan.writes))


def _with(write: Write, plan: Plan, totals: Totals) -> Write:
    fields = dict(write.fields)
    for own in plan.counted:
        known = totals.get((own.key, own.field)) if own.record == write.name and not own.withheld else None
        if known is None:
            continue
        fields.pop(own.field, None)  # what the event by itself makes of its one call
        if (value := own.finish(known.number)) is not None:
            fields[own.field] = own.write._replace(value=value, stamp=known.stamp)
    return write if fields == write.fields else write._replace(fields=fields)
