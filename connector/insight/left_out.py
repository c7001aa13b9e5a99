"""Fields left out of records because the CRMs refuse them: which, for how many customers, what to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from connector.insight.accounts import Account, named, place
from connector.insight.words import sentences
from connector.settlement import DeliveryState, Refusal
from connector.settlement.listings import OpenField
from connector.store import Store
from connector.store.desk import Filter


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Open items with the same destination, code, field and record of the mapping.

    what: the refusal in a sentence; do: what to do about it. count: of records. since: epoch ms of the first; newest:
    the newest delivery's ID. place: where the mapping writes the field, as file:line.
    """

    destination: str
    object: str
    record: str
    field: str
    code: str
    count: int
    customers: int
    since: int
    newest: int
    what: str
    do: str
    place: str = ""

    @property
    def chosen(self) -> Filter:
        """A filter that selects the deliveries whose replay sends such fields again."""
        return Filter(destination=self.destination, left_out=self.code, state=DeliveryState.DELIVERED)


def find_left_out(store: Store, accounts: Sequence[Account] = ()) -> list[LeftOut]:
    """List the open items by code and field, the most first. accounts: used to look up the mapping lines."""
    return [_left_out(group, named(accounts, group.destination)) for group in store.open_items.fields()]


def _left_out(group: OpenField, account: Account | None) -> LeftOut:
    what, action = sentences(Refusal(group.code, group.reason, group.action))
    return LeftOut(
        group.destination,
        group.object,
        group.record,
        group.field,
        group.code,
        group.count,
        group.customers,
        group.since,
        group.newest,
        what,
        action,
        (place(account.loaded(), group.record, group.field) if account else "") or "",
    )
