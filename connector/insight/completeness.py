"""Is everybody here? Compare what careCycle has with what is held, page by page, and fetch what is missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from connector.carecycle.catalogue import FIELDS, FLAGS, epoch_ms
from connector.carecycle.coercions import COERCIONS
from connector.carecycle.kinds import is_plain
from connector.errors import SourceForbidden, SourceUnusable
from connector.settlement.newest import Kind
from connector.settlement.source import Comparison, Counted, Standing, standing
from connector.source.client import Page
from connector.source.patience import Patience
from connector.store import Store
from connector.store.runs import Run

Payload = Mapping[str, Any]
Keep = Callable[[Sequence[Payload]], int]
"""Accepts payloads into the inbox; returns how many were not known so."""

_UPDATED: Final = FIELDS["customer.updatedAt"]
_KEPT: Final = frozenset(Counted) - {
    Counted.LISTED,
    Counted.LEFT_OUT,
    Counted.UNREADABLE,
    Counted.SHRUNK,
    Counted.DELETED,
}
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
        self._patience = Patience()

    def run(self, passed: Callable[[int, int | None], None] = lambda count, total: None) -> Comparison:
        """Compare everybody. Raises SourceUnusable.

        passed: called after each customer with how many were compared, of how many if that is known.
        """
        for page in self._source.pages():
            self._total = max(self._total or 0, page.total) if page.total is not None else self._total
            self.comparison += self._page(page, self._counting(passed))
            self._note(str(max(page.number, self._calls_from)))
            passed(self._read, self._total)
        if self._read < (self._total or 0):
            self.comparison += {Counted.SHRUNK: 1}
        self._note("", ended=True)
        return self.comparison

    def _counting(self, passed: Callable[[int, int | None], None]) -> Callable[[int], None]:
        before = self._read
        return lambda number: passed(before + number, self._total)

    @property
    def _read(self) -> int:
        return sum(self.comparison[what] for what in (Counted.LISTED, Counted.LEFT_OUT, Counted.UNREADABLE))

    def _note(self, cursor: str, *, ended: bool = False) -> None:
        if self._run is not None:
            self._store.runs.note(self._run.id, cursor, self.comparison.counts, ended=ended)

    def _page(self, page: Page, passed: Callable[[int], None]) -> Counter[str]:
        by_id = {payload["id"]: payload for payload in page.customers if self._concerns(payload)}
        counts = Counter[str]({Counted.LISTED: len(by_id), Counted.UNREADABLE: page.unreadable})
        counts[Counted.LEFT_OUT] += len(page.customers) - len(by_id)
        held = self._store.newest.held(self._agency, Kind.CUSTOMER, list(by_id))
        deleted = self._deleted([listed for customer_id, listed in by_id.items() if customer_id not in held])
        counts[Counted.DELETED] += len(deleted)
        everybodys = self._wanted.all_calls and page.number >= self._calls_from
        for number, (customer_id, listed) in enumerate(by_id.items(), 1):
            if customer_id not in deleted:
                self._compare(customer_id, listed, held.get(customer_id), counts, everybodys=everybodys)
            passed(number)
        return counts

    def _compare(
        self, customer_id: str, listed: Payload, held: int | None, counts: Counter[str], *, everybodys: bool
    ) -> None:
        """Compare one customer. everybodys: whether calls are compared of those who do not differ, too."""
        compared, customer = _standing(listed, held), listed
        is_fetched = self._wanted.fetch and compared is not Standing.KNOWN
        if compared is not Standing.KNOWN:
            counts[compared] += 1
        if is_fetched:
            detailed = self._fetched_customer(customer_id, listed, counts)
            if detailed is None:
                return
            customer = detailed
        if everybodys or is_fetched:  # to count alone, the calls cost too much
            self._calls(customer_id, customer, counts)

    def _deleted(self, unknown: Sequence[Payload]) -> set[str]:
        """Those who were deleted here and have not changed since."""
        times = self._store.forget.times(listed["id"] for listed in unknown)
        return {listed["id"] for listed in unknown if (_updated(listed) or 0) <= times.get(listed["id"], -1)}

    def _concerns(self, listed: Payload) -> bool:
        return (_updated(listed) or self._wanted.since) >= self._wanted.since

    def _fetched_customer(self, customer_id: str, listed: Payload, counts: Counter[str]) -> Payload | None:
        """Fetch one customer, with the details that a list may not have: consent among them. What the list says counts
        alone where there are none. None if careCycle did not answer; then the list's opt-outs count all the same.
        """
        try:
            detailed = self._details(customer_id, listed)
        except SourceUnusable as error:
            self._pass_over(error, counts)
            if any(listed.get(flag) is True for flag in FLAGS):
                self._take([listed], Counted.FETCHED_CUSTOMERS, counts)
            return None
        counts[Counted.UNDETAILED] += detailed is None
        customer = _both(listed, detailed or {})
        self._take([customer], Counted.FETCHED_CUSTOMERS, counts)
        return customer

    def _take(self, payloads: Sequence[Payload], what: Counted, counts: Counter[str]) -> None:
        new = self._keep(payloads)
        counts[what] += new
        counts[Counted.REPEATED] += len(payloads) - new

    def _pass_over(self, error: SourceUnusable, counts: Counter[str]) -> None:
        """Count one customer of whom careCycle did not answer. Raises SourceUnusable after several in a row."""
        self._patience.pass_over(error)
        counts[Counted.UNANSWERED] += 1

    def _details(self, customer_id: str, listed: Payload) -> Payload | None:
        if self.no_details:
            return listed
        try:
            detailed = self._source.customer(customer_id)
        except SourceForbidden as error:
            self.no_details = error.problem
            return listed
        self._patience.answered()
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
        self._patience.answered()
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
