"""Two mappings over the events stored: what the one would say otherwise than the other, told and counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from connector.delivery.deliver import Route
from connector.delivery.plan_ahead import plan_all
from connector.insight.differences import Change, compare
from connector.mapping import Mapping as CompiledMapping
from connector.model import Delivery, Plan, Stamp
from connector.settlement import DeliveryState
from connector.store import Store
from connector.store.desk import Filter


@dataclass(frozen=True, slots=True)
class Difference:
    """What another mapping would say of one stored event otherwise than the running one.

    fails: the code and the reason of an event that it alone cannot plan.
    """

    message_id: str
    type: str
    changes: tuple[Change, ...] = ()
    fails: tuple[str, str] = ("", "")


@dataclass(slots=True)
class Comparison:
    """Two mappings over stored events. Iterate to go through them; the counts are complete at the end."""

    store: Store
    route: Route
    would_be: CompiledMapping
    last: int
    events: int = 0
    purged: int = 0
    different: int = 0
    fails: Counter[tuple[str, str]] = field(default_factory=Counter)
    changes: Counter[tuple[str, str, str, int]] = field(default_factory=Counter)

    def __iter__(self) -> Iterator[Difference]:
        """Every stored event the two mappings differ about, oldest first. Raises StoreUnavailable."""
        for step in self.store.history.walk(Filter(destination=self.route.name), self.last):
            present = [one.delivery for one in step if not one.purged]
            self.events, self.purged = self.events + len(present), self.purged + len(step) - len(present)
            for one in differences(present, self.route.mapping, self.would_be, self.route.timezone):
                self.different += 1
                self.changes.update((change.record, change.field, change.kind, change.line) for change in one.changes)
                self.fails.update([one.fails] if one.fails[0] else [])
                yield one

    def as_data(self) -> dict[str, Any]:
        """The counts, with names alone."""
        return {
            "destination": self.route.name,
            "events": self.events,
            "payloads_purged": self.purged,
            "different": self.different,
            "would_newly_fail": [
                {"code": code, "reason": reason, "events": count} for (code, reason), count in self.fails.most_common()
            ],
            "changes": [
                {"record": record, "field": name, "kind": kind, "line": line or None, "events": count}
                for (record, name, kind, line), count in sorted(self.changes.items())
            ],
        }


def differences(
    present: Sequence[Delivery], was: CompiledMapping, would_be: CompiledMapping, timezone: str
) -> Iterator[Difference]:
    """What of these events another mapping would say otherwise."""
    before, failed = plan_all(present, was, timezone)
    after, fails = plan_all(present, would_be, timezone)
    old, new = ({delivery.id: plan for delivery, plan in planned} for planned in (before, after))
    known = {one.delivery_id for one in failed if one.state is DeliveryState.DEAD}
    newly = {one.delivery_id: (one.why.code, one.why.cause) for one in fails if one.state is DeliveryState.DEAD}
    for delivery in present:
        event, nothing = delivery.event, Plan(delivery.event.customer_id, {}, Stamp(0, ""))
        changes = compare(old.get(delivery.id, nothing), new.get(delivery.id, nothing))
        told = newly.get(delivery.id, ("", "")) if delivery.id not in known else ("", "")
        if changes or told[0]:
            yield Difference(event.message_id, event.type, () if told[0] else tuple(changes), told)
