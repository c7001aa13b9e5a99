"""Is everybody here? Compare what careCycle has with what is held, page by page, and fetch what is missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from connector.carecycle.catalogue import FIELDS, FLAGS, epoch_ms
from connector.carecycle.coercions import COERCIONS
from connector.carecycle.kinds import is_plain
from connector.errors import PauseReason, SourceForbidden, SourceUnusable
from connector.settlement.newest import Kind
from connector.settlement.source import Comparison, Counted, Standing, standing
from connector.source.client import Page
from connector.store import Store
from connector.store.runs import Run

Payload = Mapping[str, Any]
Keep = Callable[[Sequence[Payload]], int]
"""Accepts payloads into the inbox; returns how many were not known so."""

_UPDATED: Final = FIELDS["customer.updatedAt"]
_IN_A_ROW: Final = 3
"""Failures that stop a comparison."""

_OF_ONE: Final = frozenset({PauseReason.OUTAGE, PauseReason.REPLY, PauseReason.REQUEST, PauseReason.UNREACHABLE})
"""What may be wrong with one customer alone."""

_KEPT: Final = frozenset(Counted) - {Counted.LISTED, Counted.LEFT_OUT, Counted.UNREADABLE, Counted.SHRUNK}
"""What goes on being counted in a comparison that is resumed."""

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


class Completeness:
    """One comparison, resumable page by page. run: None to keep nothing of it."""

    def __init__(self, store: Store, agency: str, source: Source, keep: Keep, run: Run | None, wanted: Wanted) -> None:
        self._store, self._agency, self._source, self._keep = store, agency, source, keep
        self._run, self._wanted = run, wanted
        self._total: int | None = None
        # The list is read from its beginning again, because it may have changed; calls go on where they were.
        self._calls_from = int(run.cursor or 1) - 1 if run else 0
        self.comparison = Comparison(
            {what: count for what, count in run.counts.items() if what in _KEPT} if run else {}
        )
        self.no_calls = self.no_details = ""
        self._failures = 0

    def run(self, progress: Callable[[Comparison, int | None], None] = lambda comparison, total: None) -> Comparison:
        """Compare everybody. progress: called after each page, with the total if it is known. Raises SourceUnusable."""
        for page in self._source.pages():
            self.comparison += self._page(page)
            self._total = max(self._total or 0, page.total) if page.total is not None else self._total
            self._note(str(max(page.number, self._calls_from)))
            progress(self.comparison, self._total)
        read = sum(self.comparison[what] for what in (Counted.LISTED, Counted.LEFT_OUT, Counted.UNREADABLE))
        if read < (self._total or 0):
            self.comparison += {Counted.SHRUNK: 1}
        self._note("", ended=True)
        return self.comparison

    def _note(self, cursor: str, *, ended: bool = False) -> None:
        if self._run is not None:
            self._store.runs.note(self._run.id, cursor, self.comparison.counts, ended=ended)

    def _page(self, page: Page) -> Counter[str]:
        by_id = {payload["id"]: payload for payload in page.customers if self._concerns(payload)}
        counts = Counter[str]({Counted.LISTED: len(by_id), Counted.UNREADABLE: page.unreadable})
        counts[Counted.LEFT_OUT] += len(page.customers) - len(by_id)
        held = self._store.newest.held(self._agency, Kind.CUSTOMER, list(by_id))
        everybodys = self._wanted.all_calls and page.number >= self._calls_from
        for customer_id, listed in by_id.items():
            self._compare(customer_id, listed, held.get(customer_id), counts, everybodys=everybodys)
        return counts

    def _compare(
        self, customer_id: str, listed: Payload, held: int | None, counts: Counter[str], *, everybodys: bool
    ) -> None:
        """Compare one customer. everybodys: whether calls are compared of those who do not differ, too."""
        compared, customer = _standing(listed, held), listed
        if compared is not Standing.KNOWN:
            counts[compared] += 1
            detailed = self._fetched_customer(customer_id, listed, counts)
            if detailed is None:
                return
            customer = detailed
        of_this_one = self._wanted.fetch and compared is not Standing.KNOWN  # to count alone, it costs too much
        if everybodys or of_this_one:
            self._calls(customer_id, customer, counts)

    def _concerns(self, listed: Payload) -> bool:
        return (_updated(listed) or self._wanted.since) >= self._wanted.since

    def _fetched_customer(self, customer_id: str, listed: Payload, counts: Counter[str]) -> Payload | None:
        """Fetch one customer, with the details that a list may not have: consent among them. None if they are gone."""
        if not self._wanted.fetch:
            return listed
        try:
            detailed = self._details(customer_id, listed)
        except SourceUnusable as error:
            self._pass_over(error, counts)
            return None
        if detailed is None:
            counts[Counted.GONE] += 1
            return None
        customer = _both(listed, detailed)
        self._take([customer], Counted.FETCHED_CUSTOMERS, counts)
        return customer

    def _take(self, payloads: Sequence[Payload], what: Counted, counts: Counter[str]) -> None:
        new = self._keep(payloads)
        counts[what] += new
        counts[Counted.REPEATED] += len(payloads) - new

    def _pass_over(self, error: SourceUnusable, counts: Counter[str]) -> None:
        """Count one customer of whom careCycle did not answer; several in a row are no single customer's fault."""
        self._failures += 1
        if self._failures >= _IN_A_ROW or error.reason not in _OF_ONE:
            raise error
        counts[Counted.UNANSWERED] += 1

    def _details(self, customer_id: str, listed: Payload) -> Payload | None:
        if self.no_details:
            return listed
        try:
            detailed = self._source.customer(customer_id)
        except SourceForbidden as error:
            self.no_details = error.problem
            return listed
        self._failures = 0
        return detailed

    def _calls(self, customer_id: str, customer: Payload, counts: Counter[str]) -> None:
        if self.no_calls:
            return
        try:
            listed = list(self._source.calls(customer_id, customer))
        except SourceForbidden as error:
            self.no_calls = error.problem
            return
        except SourceUnusable as error:
            self._pass_over(error, counts)
            return
        self._failures = 0
        counts[Counted.CALLS_ASKED] += 1
        for start in range(0, len(listed), _SOME):
            some = {call["id"]: call for call in listed[start : start + _SOME]}
            held = self._store.newest.held(self._agency, Kind.CALL, list(some))
            missing = [call for call_id, call in some.items() if call_id not in held]
            counts[Counted.MISSING_CALLS] += len(missing)
            if self._wanted.fetch:
                self._take(missing, Counted.FETCHED_CALLS, counts)


def _both(listed: Payload, detailed: Payload) -> Payload:
    """Put together what a list and the details say of a customer: nothing erases, and an opt-out in either counts."""
    both = {**listed, **{name: value for name, value in detailed.items() if value is not None}}
    return both | {flag: True for flag in FLAGS if listed.get(flag) is True}


def _standing(listed: Payload, held: int | None) -> Standing:
    """Compare one customer. One whose time cannot be read may be newer: only its content can tell."""
    updated = _updated(listed)
    return Standing.NEWER if updated is None and listed.get("updatedAt") is not None else standing(updated, held)


def _updated(payload: Payload) -> int | None:
    """When a customer was last updated, in epoch ms, read as leniently as events are; None if it does not say."""
    given = payload.get("updatedAt")
    updated = given if is_plain(_UPDATED)(given) else COERCIONS[_UPDATED.kind](given, _UPDATED)
    return epoch_ms(updated) if isinstance(updated, str) else None
