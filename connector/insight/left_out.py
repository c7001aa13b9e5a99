"""Fields left out of records because the CRMs refuse them: which, for how many customers, what to do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from connector.insight.accounts import Account, named, no_link, place
from connector.insight.words import sentences
from connector.settlement import DeliveryState, Refusal
from connector.settlement.listings import OpenField
from connector.store import Store
from connector.store.desk import Filter

LISTED: Final = 20
"""How many records are listed that wait for a value another record has."""


@dataclass(frozen=True, slots=True)
class Held:
    """A record written without a value, and the record that has it. Empty where not known."""

    customer_id: str
    crm_id: str
    holder: str
    holder_link: str


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Open items with the same destination, code, field and record of the mapping.

    what: the refusal in a sentence; do: what to do about it. count: of records. since: epoch ms of the first; newest:
    the newest delivery's ID. place: where the mapping writes the field, as file:line.
    held: the newest ones whose value another record has. waits: all of them are such, so that nobody has to act.
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
    held: tuple[Held, ...] = ()
    waits: bool = False

    @property
    def chosen(self) -> Filter:
        """A filter that selects the deliveries whose replay sends such fields again."""
        return Filter(destination=self.destination, left_out=self.code, state=DeliveryState.DELIVERED)


def find_left_out(store: Store, accounts: Sequence[Account] = ()) -> list[LeftOut]:
    """List the open items by code and field, the most first. accounts: used to look up the mapping lines."""
    return [_left_out(store, group, named(accounts, group.destination)) for group in store.open_items.fields()]


def to_act_on(left_out: Sequence[LeftOut]) -> list[LeftOut]:
    """Return those that do not end by themselves."""
    return [item for item in left_out if not item.waits]


def _left_out(store: Store, group: OpenField, account: Account | None) -> LeftOut:
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
        tuple(_held(store, group, account)) if group.held else (),
        group.held == group.count,
    )


def _held(store: Store, group: OpenField, account: Account | None) -> Iterator[Held]:
    """List the newest records of a group that wait for a value another record has."""
    link = account.link if account else no_link
    for item in store.open_items.held.newest(group, LISTED):
        address = link(group.object, item.holder) if item.holder else ""
        yield Held(item.customer_id or "", item.crm_id or "", item.holder, address)
