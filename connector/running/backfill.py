"""Bring customers and calls from a source into the inbox, a step at a time: what is stored is never begun again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from connector import receive
from connector.carecycle.api_names import CUSTOMER
from connector.receive import Agency, Fetch
from connector.running.fetching import not_forgotten
from connector.settlement.newest import Kind
from connector.source.steps import Payload, Step
from connector.store import Store
from connector.store.inbox import Arrival

BAD: Final = "bad: "
LEFT_OUT: Final = "left out: "
"""What the names of some counts begin with."""

STATES: Final = {
    "unknown": "unknown here",
    "newer": "newer than what is held",
    "same": "as held",
    "older": "older than what is held",
}
"""What of customers is counted -> what it says of them."""

_LISTED: Final = 100

Keep = Callable[[Sequence[Arrival]], Sequence[bool]]
"""Stores arrivals; True for each that was not there."""
CallsOf = Callable[[Payload], Iterator[Payload]]
"""The calls of a customer, as payloads."""


@dataclass(slots=True)
class Tally:
    """What a run met. bad: the first rows that could not be used, and why."""

    counts: Counter[str] = field(default_factory=Counter)
    bad: list[tuple[str, str]] = field(default_factory=list)

    def read(self, step: Step) -> None:
        """Count what a step could not use."""
        self.counts.update(f"{BAD}{why}" for _, why in step.bad)
        self.counts.update(f"{LEFT_OUT}{path}: {why}" for path, why in step.unclear)
        self.bad.extend(step.bad[: _LISTED - len(self.bad)])

    def named(self, prefix: str) -> dict[str, int]:
        """The counts whose name begins with this, without it."""
        return {name.removeprefix(prefix): count for name, count in self.counts.items() if name.startswith(prefix)}


@dataclass(frozen=True, slots=True)
class Backfill:
    """One run. since: what was last updated before this is left out, epoch ms."""

    store: Store
    agency: Agency
    how: Fetch
    keep: Keep
    tally: Tally
    since: int = 0
    calls_of: CallsOf | None = None

    def take(self, step: Step, passed: Callable[[int], None] = lambda number: None) -> None:
        """Bring in the customers of one step, then their calls. Raises StoreUnavailable, SourceUnusable.

        passed: called after each customer whose calls were asked for, with how many there were.
        """
        self.tally.read(step)
        self._take(step.payloads)
        if self.calls_of is None:
            return
        for number, payload in enumerate(step.payloads, 1):
            if payload["event_type"] == CUSTOMER:
                self._take(self._calls_not_held(payload, self.calls_of))
            passed(number)

    def _calls_not_held(self, customer: Payload, calls_of: CallsOf) -> list[Payload]:
        calls = {call["id"]: call for call in calls_of(customer)}
        held = self.store.newest.held(self.agency.name, Kind.CALL, calls.keys())
        self.tally.counts["calls held"] += len(held)
        return [call for identity, call in calls.items() if identity not in held]

    def _take(self, payloads: Iterable[Payload]) -> None:
        how = replace(self.how, now=self.store.database.moment())
        read = [arrival for payload in payloads if (arrival := self._arrival(payload, how))]
        arrivals = not_forgotten(self.store, read)
        self.tally.counts["deleted here"] += len(read) - len(arrivals)
        self._compare(arrivals)
        new = self.keep(arrivals) if arrivals else []
        self.tally.counts["new"] += sum(new)
        self.tally.counts["known"] += len(new) - sum(new)

    def _arrival(self, payload: Payload, how: receive.Fetch) -> Arrival | None:
        """Return what is stored of it; None if it was last updated too long ago."""
        arrival = receive.fetched(self.agency, payload, how)
        if (arrival.source_time or 0) < self.since and (arrival.call_id or "updatedAt" in payload):
            self.tally.counts["too old"] += 1
            return None
        return arrival

    def _compare(self, arrivals: Iterable[Arrival]) -> None:
        """Count the customers by what is known of them already, and the calls."""
        times = {}
        for arrival in arrivals:
            if arrival.call_id:
                self.tally.counts["calls"] += 1
            elif arrival.customer_id:
                times[arrival.customer_id] = arrival.source_time or 0
        held = self.store.newest.held(self.agency.name, Kind.CUSTOMER, times.keys())
        self.tally.counts["customers"] += len(times)
        self.tally.counts.update(_state(at, held.get(customer)) for customer, at in times.items())


def _state(at: int, held: int | None) -> str:
    if held is None:
        return "unknown"
    return "same" if at == held else "newer" if at > held else "older"
