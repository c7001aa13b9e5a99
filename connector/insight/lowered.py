"""Opt-outs that are no longer in their CRM, with the people they belong to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from connector.insight.accounts import Account, named
from connector.settlement.verification import LoweredOptOut
from connector.store import Store

CODE: Final = "OPT_OUT_LOWERED"
DO: Final = (
    "Find out who or what lowers them in the CRM. "
    "connector reconcile crm -c agency.yaml --all --repair raises them again."
)
_LISTED: Final = 50


@dataclass(frozen=True, slots=True)
class Person:
    """An opt-out, and a record that no longer shows it. found_at: epoch ms. link: empty if it is not known."""

    customer_id: str
    flag: str
    object: str
    crm_id: str
    found_at: int
    link: str = ""


@dataclass(frozen=True, slots=True)
class Lowered:
    """A destination's opt-outs that are no longer in its CRM.

    people: the newest found, one for each record that lacks one. found_at: when the newest was, epoch ms.
    do: what to do about it.
    """

    destination: str
    count: int
    found_at: int
    people: tuple[Person, ...] = ()
    code: str = CODE
    do: str = DO


def find_lowered(store: Store, accounts: Sequence[Account] = ()) -> list[Lowered]:
    """List the destinations whose CRM has lost opt-outs. accounts: used to link the records."""
    here: dict[str, Lowered] = {}
    for lane in store.opt_outs.standing():
        if lane.lowered:
            so_far = here.get(lane.destination, Lowered(lane.destination, 0, 0))
            at = max(so_far.found_at, lane.lowered_at)
            here[lane.destination] = replace(so_far, count=so_far.count + lane.lowered, found_at=at)
    return [replace(own, people=_people(store, own, named(accounts, own.destination))) for own in here.values()]


def lowered_of(
    store: Store, customer_id: str | None, accounts: Sequence[Account] = (), agency: str = ""
) -> tuple[Person, ...]:
    """One customer's opt-outs that are no longer in a CRM; of one agency, if it is named."""
    theirs = store.found_lowered.of([customer_id]) if customer_id else ()
    here = [own for own in theirs if agency in ("", own.destination.partition("/")[0])]
    return tuple(_person(own, named(accounts, own.destination)) for own in here)


def _people(store: Store, here: Lowered, account: Account | None) -> tuple[Person, ...]:
    return tuple(_person(own, account) for own in store.found_lowered.all(here.destination, _LISTED))


def _person(own: LoweredOptOut, account: Account | None) -> Person:
    link = account.link(own.object, own.crm_id) if account else ""
    return Person(own.customer_id, own.flag, own.object, own.crm_id, own.found_at, link)
