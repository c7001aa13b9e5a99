"""Compare two mappings over the stored events: what the edited one would change, listed and counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from connector.delivery.plan_ahead import plan_all
from connector.delivery.route import Route
from connector.insight.differences import Change, compare
from connector.mapping import Mapping as CompiledMapping
from connector.model import Delivery, Plan, Stamp
from connector.settlement import DeliveryState, Settled
from connector.store import Store
from connector.store.desk import Filter


@dataclass(frozen=True, slots=True)
class Difference:
    """What an edited mapping would change for one stored event.

    fails: code and reason, if the event fails with the edited mapping but not with the running one.
    """

    message_id: str
    type: str
    changes: tuple[Change, ...] = ()
    fails: tuple[str, str] = ("", "")


@dataclass(slots=True)
class Comparison:
    """Two mappings over stored events. Iterate to compare them; the counts are complete once the iteration ends."""

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
        """Yield every stored event for which the mappings differ, oldest first. Raises StoreUnavailable."""
        for step in self.store.history.walk(Filter(destination=self.route.name), self.last):
            present = [stored.delivery for stored in step if not stored.purged]
            self.events, self.purged = self.events + len(present), self.purged + len(step) - len(present)
            for difference in differences(present, self.route.mapping, self.would_be, self.route.timezone):
                self._count(difference)
                yield difference

    def _count(self, difference: Difference) -> None:
        self.different += 1
        self.changes.update((change.record, change.field, change.kind, change.line) for change in difference.changes)
        self.fails.update([difference.fails] if difference.fails[0] else [])

    def as_data(self) -> dict[str, Any]:
        """Return the counts, with names but no values."""
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
    """Yield what an edited mapping would change for each of these deliveries, if anything."""
    planned_before, failed_before = plan_all(present, was, timezone)
    planned_after, failed_after = plan_all(present, would_be, timezone)
    before, after = ({delivery.id: plan for delivery, plan in planned} for planned in (planned_before, planned_after))
    dead_before, dead_after = _dead(failed_before), _dead(failed_after)
    for delivery in present:
        event, nothing = delivery.event, Plan(delivery.event.customer_id, {}, Stamp(0, ""))
        if delivery.id in dead_after and delivery.id not in dead_before:
            yield Difference(event.message_id, event.type, fails=dead_after[delivery.id])
        elif changes := compare(before.get(delivery.id, nothing), after.get(delivery.id, nothing)):
            yield Difference(event.message_id, event.type, tuple(changes))


def _dead(settled: Iterable[Settled]) -> dict[int, tuple[str, str]]:
    """Return code and reason of each delivery that became a dead letter, by delivery ID."""
    return {end.delivery_id: (end.why.code, end.why.cause) for end in settled if end.state is DeliveryState.DEAD}
