"""Is everybody here? Compare what careCycle has with what is held, page by page, and fetch what is missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from connector.carecycle.catalogue import epoch_ms
from connector.errors import SourceForbidden
from connector.settlement.newest import Kind
from connector.settlement.source import Comparison, Counted, Standing, standing
from connector.source.client import Page
from connector.store import Store
from connector.store.runs import Run

Payload = Mapping[str, Any]
Keep = Callable[[Sequence[Payload]], int]
"""Accepts payloads into the inbox; returns how many could be read."""

_SOME: Final = 200
"""Calls that are compared at a time."""


class Source(Protocol):
    """careCycle's API. Every method raises SourceUnusable."""

    def pages(self, first: int = 1) -> Iterator[Page]:
        """Every customer, the oldest first."""
        ...

    def customer(self, customer_id: str) -> Payload | None:
        """One customer with everything careCycle shows of them."""
        ...

    def calls(self, customer_id: str, customer: Payload) -> Iterator[Payload]:
        """A customer's calls."""
        ...


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to do. fetch: whether what is missing is fetched. all_calls: whether everybody's calls are compared, or only
    those of customers who are fetched. since: older states are not compared, epoch ms.
    """

    fetch: bool = True
    all_calls: bool = False
    since: int = 0


class SourceCheck:
    """One comparison, resumable page by page. run: None to keep nothing of it."""

    def __init__(self, store: Store, agency: str, source: Source, keep: Keep, run: Run | None, wanted: Wanted) -> None:
        self._store, self._agency, self._source, self._keep = store, agency, source, keep
        self._run, self._wanted = run, wanted
        self._total: int | None = None
        self.comparison = Comparison(run.counts if run else {})
        self.no_calls = self.no_details = ""

    def run(self, progress: Callable[[Comparison, int | None], None] = lambda comparison, total: None) -> Comparison:
        """Compare everybody. progress: called after each page, with the total if it is known. Raises SourceUnusable."""
        page = None
        for page in self._source.pages(int(self._run.cursor or 1) if self._run else 1):
            self.comparison += self._page(page)
            self._total = max(self._total or 0, page.total) if page.total is not None else self._total
            self._note(str(page.number + (not page.last)))
            progress(self.comparison, self._total)
        if page is not None and page.total is not None and page.total < (self._total or 0):
            self.comparison += {Counted.SHRUNK: 1}
        self._note("", ended=True)
        return self.comparison

    def _note(self, cursor: str, *, ended: bool = False) -> None:
        if self._run is not None:
            self._store.runs.note(self._run.id, cursor, self.comparison.counts, ended=ended)

    def _page(self, page: Page) -> Counter[str]:
        counts = Counter[str]({Counted.LISTED: len(page.customers), Counted.UNREADABLE: page.unreadable})
        by_id = {payload["id"]: payload for payload in page.customers if self._concerns(payload)}
        held = self._store.newest.held(self._agency, Kind.CUSTOMER, list(by_id))
        for customer_id, listed in by_id.items():
            compared = standing(_updated(listed), held.get(customer_id))
            customer: Payload | None = listed
            if compared is not Standing.KNOWN:
                counts[compared] += 1
                customer = self._fetched_customer(customer_id, listed, counts)
            of_this_one = self._wanted.fetch and compared is not Standing.KNOWN  # to count alone, it costs too much
            if customer is not None and (self._wanted.all_calls or of_this_one):
                self._calls(customer_id, customer, counts)
        return counts

    def _concerns(self, listed: Payload) -> bool:
        return (_updated(listed) or self._wanted.since) >= self._wanted.since

    def _fetched_customer(self, customer_id: str, listed: Payload, counts: Counter[str]) -> Payload | None:
        """Fetch one customer, with the details that a list may not have: consent among them. None if they are gone."""
        if not self._wanted.fetch:
            return listed
        detailed = self._details(customer_id, listed)
        if detailed is None:
            counts[Counted.GONE] += 1
            return None
        customer = {**listed, **detailed}
        counts[Counted.FETCHED_CUSTOMERS] += self._keep([customer])
        return customer

    def _details(self, customer_id: str, listed: Payload) -> Payload | None:
        if self.no_details:
            return listed
        try:
            return self._source.customer(customer_id)
        except SourceForbidden as error:
            self.no_details = error.problem
            return listed

    def _calls(self, customer_id: str, customer: Payload, counts: Counter[str]) -> None:
        if self.no_calls:
            return
        try:
            listed = list(self._source.calls(customer_id, customer))
        except SourceForbidden as error:
            self.no_calls = error.problem
            return
        counts[Counted.CALLS_ASKED] += 1
        for start in range(0, len(listed), _SOME):
            some = {call["id"]: call for call in listed[start : start + _SOME]}
            held = self._store.newest.held(self._agency, Kind.CALL, list(some))
            missing = [call for call_id, call in some.items() if call_id not in held]
            counts[Counted.MISSING_CALLS] += len(missing)
            counts[Counted.FETCHED_CALLS] += self._keep(missing) if self._wanted.fetch else 0


def _updated(payload: Payload) -> int | None:
    updated = payload.get("updatedAt")
    try:
        return epoch_ms(updated) if isinstance(updated, str) else None
    except ValueError:
        return None
