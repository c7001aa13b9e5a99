"""Pay what a lane owes. One opt-out that makes the CRM fail as a whole does not hold up the others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from connector.delivery.isolate import SUSPECTED, Search, Sent, blamed, may_be_one_item, passes_by_itself
from connector.delivery.obligations import Portion, report_payments
from connector.delivery.pausing import pause_for
from connector.delivery.payments import wait_for
from connector.delivery.route import Pace, Route
from connector.errors import ACCOUNT_WIDE, DestinationUnusable
from connector.mapping import Mapping
from connector.settlement import Obligation, ObligationState, Pause, Payment, Refusal, Settlement
from connector.store import Store
from connector.store.lanes import Lease

PORTION: Final = 500
"""Obligations paid in one commit."""


def pay(store: Store, route: Route, lease: Lease, pace: Pace) -> bool:
    """Pay the opt-outs this lane owes now; return whether the CRM account can be used. Raises LeaseLost."""
    while owed := store.obligations.due(lease.lane, PORTION):
        # An edited mapping may replace the one that runs at any time: a portion keeps the one it began with.
        if not _Paying(store, route, lease, pace, route.running.mapping).pay(owed):
            return False
        if len(owed) < PORTION:
            break
    return True


@dataclass(slots=True)
class _Paying:
    """Obligations on their way into one CRM. left: (customer, flag) -> what is not recorded yet."""

    store: Store
    route: Route
    lease: Lease
    pace: Pace
    mapping: Mapping
    left: dict[tuple[str, str], Obligation] = field(default_factory=dict)

    def pay(self, owed: Sequence[Obligation]) -> bool:
        """Pay all of it, or by customer where the CRM fails as a whole; return whether the account can be used."""
        self.left = {_id(obligation): obligation for obligation in owed}
        sent = self._send_some(owed)
        if isinstance(sent, Sent):
            return True
        return self._may_be_one(sent) and self._search(owed)

    def _send_some(self, owed: Sequence[Obligation], *, alone: bool = False) -> Sent | DestinationUnusable:
        portion = Portion(self.store, self.route, self.lease, self.pace, self.mapping, owed)
        portion.write(alone=alone)
        error = portion.unusable
        if error is not None and self._may_be_one(error):
            return error
        portion.settle()
        for obligation in owed:
            self.left.pop(_id(obligation), None)
        return error or (Sent.ANSWERED if portion.answered else Sent.NOTHING_TO_SEND)

    def _may_be_one(self, error: DestinationUnusable) -> bool:
        """Whether one opt-out may be the cause. An outage is one of the whole account unless it lasts."""
        lasts = error.reason not in ACCOUNT_WIDE or self.lease.failures >= SUSPECTED
        return may_be_one_item(error) and lasts

    def _search(self, owed: Sequence[Obligation]) -> bool:
        customers: dict[str, list[Obligation]] = {}
        for obligation in owed:
            customers.setdefault(obligation.customer_id, []).append(obligation)
        search = Search(self._send, self._refuse, self._may_be_one)
        error = search.run(list(customers.values()), owed[0].attempts)
        if error is None:
            return True
        if not self._may_be_one(error):
            return False  # which has paused the lane
        why = Refusal(error.reason.value, error.problem)
        if error.reason in ACCOUNT_WIDE:
            self._rest(pause_for(error, self.store.lanes.standing(self.lease), self.pace.roll()), why)
            return False
        self._settle(self.left.values(), ObligationState.OWED, why)
        return True  # what else is due shows whether the account can be used

    def _rest(self, pause: Pause, why: Refusal) -> None:
        """Pause the lane, and try what is left again as soon as the pause lets opt-outs through."""
        left = [Payment(owed, ObligationState.OWED, why, wait_ms=pause.opt_outs_wait) for owed in self.left.values()]
        settlement = Settlement(self.mapping.version, payments=left, pause=pause)
        self.store.lanes.settle(self.lease, settlement, self.pace.hold_ms)
        report_payments(self.lease, left, pause)

    def _send(self, customers: Sequence[Sequence[Obligation]]) -> Sent | DestinationUnusable:
        return self._send_some([obligation for owed in customers for obligation in owed], alone=True)

    def _refuse(self, owed: Sequence[Obligation], error: DestinationUnusable) -> None:
        state = ObligationState.OWED if passes_by_itself(error) else ObligationState.REFUSED
        self._settle(owed, state, blamed(error))

    def _settle(self, owed: Iterable[Obligation], state: ObligationState, why: Refusal) -> None:
        roll = self.pace.roll()
        payments = [
            Payment(obligation, state, why, wait_ms=wait_for(state, obligation.attempts, roll)) for obligation in owed
        ]
        if payments:
            self.store.lanes.settle(self.lease, Settlement(self.mapping.version, payments=payments), self.pace.hold_ms)
            report_payments(self.lease, payments, None)
        for payment in payments:
            self.left.pop(_id(payment.obligation), None)


def _id(obligation: Obligation) -> tuple[str, str]:
    return obligation.customer_id, obligation.flag
