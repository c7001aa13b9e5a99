"""Check whose CRM account a lane reaches before anything is looked up or written there."""

from __future__ import annotations

import time
from typing import Final

from connector import telemetry
from connector.crm import CrmAccount
from connector.delivery.isolate import worth_a_search
from connector.delivery.lookups import Lookups
from connector.delivery.route import Pace, Route
from connector.destinations.base import another_account
from connector.errors import DestinationUnusable
from connector.store import Store
from connector.store.lanes import Lease

ASK_AGAIN: Final = 15 * 60.0
"""Seconds until a CRM that did not say which account it is is asked again."""


def foreign_account(store: Store, route: Route, lease: Lease, pace: Pace) -> DestinationUnusable | None:
    """Return why the lane must pause: its account is not the ledger's, or cannot be used at all.

    An account whose id cannot be read stops nothing. Raises StoreUnavailable.
    """
    try:
        account = _account(route, lease, pace)
    except DestinationUnusable as error:
        return error
    if account is None:
        return None
    ours = store.accounts.meet(route.name, account)
    if ours.id != account.id:
        return another_account(route.destination.crm, ours, account, route.name)
    _serve(route, account)
    return None


def _account(route: Route, lease: Lease, pace: Pace) -> CrmAccount | None:
    """Return the account that the credentials lead to; None where that cannot be learned."""
    if pace.tick() < route.ask_again_at:
        return None
    try:
        account = route.destination.account()
    except DestinationUnusable as error:
        if not worth_a_search(error.reason, lease.failures):
            raise
        account = None  # the CRM may answer everything but this question
    if account is None:
        route.ask_again_at = pace.tick() + ASK_AGAIN
        telemetry.account_unknown(route.name)
    return account


def _serve(route: Route, account: CrmAccount) -> None:
    """Let the route reach this account alone, without what was learned of another one."""
    if route.account not in (None, account):
        route.lookups = Lookups(time.monotonic)
        if route.describing:
            route.describing.forget()
    route.account = account
    route.destination.serve(account)
