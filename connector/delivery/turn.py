"""Take a leased lane's turn in its own CRM account: first the opt-outs it owes, then a batch of everything else."""

from __future__ import annotations

from connector.delivery.deliver import deliver_batch, keep_count, rest
from connector.delivery.paying import pay
from connector.delivery.plan_ahead import PlannedAhead
from connector.delivery.read_later import ReadLater
from connector.delivery.route import Pace, Route
from connector.delivery.whose import foreign_account
from connector.store import Store
from connector.store.lanes import Lease


def deliver(
    store: Store,
    route: Route,
    lease: Lease,
    pace: Pace,
    ahead: PlannedAhead | None = None,
    later: ReadLater | None = None,
    *,
    held: bool = False,
) -> bool:
    """Pay what is owed, then drain one batch; return whether to go on. Raises LeaseLost, StoreUnavailable.

    ahead, later: the lane's, kept between batches; see `deliver_batch`.
    held: whether nothing but what is owed is sent, because the account's calls have to last.
    """
    try:
        if error := foreign_account(store, route, lease, pace):
            rest(store, lease, error, pace)
            return False
        usable = pay(store, route, lease, pace)
    finally:
        keep_count(store, route, pace)
    if held or lease.obligations_only or not usable:
        return False
    return deliver_batch(store, route, lease, pace, ahead, later)
