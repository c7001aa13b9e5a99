"""Take a leased lane's turn: first the opt-outs it owes, then a batch of everything else."""

from __future__ import annotations

from connector.delivery.deliver import deliver_batch, keep_count
from connector.delivery.paying import pay
from connector.delivery.plan_ahead import PlannedAhead
from connector.delivery.route import Pace, Route
from connector.store import Store
from connector.store.lanes import Lease


def deliver(store: Store, route: Route, lease: Lease, pace: Pace, ahead: PlannedAhead | None = None) -> bool:
    """Pay what is owed, then drain one batch; return whether to go on. Raises LeaseLost, StoreUnavailable.

    ahead: the lane's plans made ahead, kept between batches; None plans each batch in its own turn.
    """
    try:
        usable = pay(store, route, lease, pace)
    finally:
        keep_count(store, route, pace)
    if not usable:
        return False
    return not lease.obligations_only and deliver_batch(store, route, lease, pace, ahead)
