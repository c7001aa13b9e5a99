"""Part what a batch leaves behind, so that each commit is short: on SQLite every other writer waits for it. Pure.

Nothing is recorded later than the first delivery that rests on it. A crash between two parts leaves the rest due, as a
crash before the first does; what is already recorded of the rest is true, and delivering that again is a replay.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from connector.model import Delivery, Plan
from connector.settlement import Settlement, Streak
from connector.settlement.claiming import each_to_one

Places = Mapping[Hashable, int]
"""The first part with a delivery (by id), a customer (by id), a record (by key) or a message (by id, in a tuple)."""

_LISTS: Final[Mapping[str, Callable[[Any], Sequence[Hashable]]]] = {
    "settled": lambda settled: [settled.delivery_id],
    # What was lost may be of several customers' records, and must be known with whichever comes first.
    "remembered": lambda entry: [] if entry.lost else [entry.key, entry.customer_id, entry.delivery_id],
    "raised": lambda opt_out: [opt_out.customer_id],
    "owed": lambda obligation: [obligation.customer_id],
    "duplicated": lambda customer: [customer],
    "oddities": lambda oddity: [(oddity.message_id,)],
    "asked": lambda question: [question.key, question.customer_id],
    "answered": lambda answer: [answer[0]],
    "released": lambda claim: [claim.key, claim.customer_id],
    "payments": lambda _: [],
    "gone": lambda _: [],
}
"""What the things of each list rest on, or are the ground of; what has neither comes first."""

_BY_CUSTOMER: Final = ("consents", "again")


def in_parts(settlement: Settlement, planned: Iterable[tuple[Delivery, Plan]], most: int) -> list[Settlement]:
    """Part a settlement. The lane's own state is in the last part.

    Values that were given up are in the first part, and in each that may open an item which waits for one.

    planned: its deliveries. most: deliveries in a part; those of one customer stay together if they are no more.
    """
    places = _places(settlement, list(planned), most)
    count = 1 + max(places.values(), default=0)
    # Before it is parted: two parts would each give the same new record to a key.
    settlement = replace(settlement, remembered=each_to_one(settlement.remembered))
    parts: list[dict[str, Any]] = [{name: [] for name in _LISTS} for _ in range(count)]
    for name, about in _LISTS.items():
        for thing in getattr(settlement, name):
            at = min((places[ground] for ground in about(thing) if ground in places), default=0)
            parts[at][name].append(thing)
    for name in _BY_CUSTOMER:
        of_each: Mapping[str, Any] = getattr(settlement, name)
        for number, part in enumerate(parts):
            part[name] = {whose: what for whose, what in of_each.items() if places.get(whose, 0) == number}
    _free_once(parts)
    *first, last = parts
    aside: dict[str, Any] = {"pause": None, "refused": Streak(), "probing": True, "proven": False}
    return [*(replace(settlement, **part, **aside) for part in first), replace(settlement, **last)]


def _free_once(parts: Sequence[dict[str, Any]]) -> None:
    """Look for those who wait for it once, and where there may be more of them: it takes long where much waits."""
    for part in parts[1:]:
        if not any(own.opened for own in part["remembered"]):
            part["freed"] = ()


def _places(settlement: Settlement, planned: Sequence[tuple[Delivery, Plan]], most: int) -> Places:
    places, part, filled = dict[Hashable, int](), 0, 0
    for customer, theirs in _by_customer(settlement, planned).items():
        if filled and filled + max(len(theirs), 1) > most:
            part, filled = part + 1, 0
        places[customer] = part
        for delivery_id in theirs:
            if filled == most:
                part, filled = part + 1, 0
            places[delivery_id] = part
            filled += 1
        filled += not theirs  # of whom consent alone was heard
    for delivery, plan in planned:
        if (at := places.get(delivery.id)) is not None:
            for ground in ((delivery.event.message_id,), *(write.key for write in plan.writes)):
                places[ground] = min(places.get(ground, at), at)
    return places


def _by_customer(settlement: Settlement, planned: Sequence[tuple[Delivery, Plan]]) -> dict[Hashable, list[int]]:
    """The deliveries that end, by customer; one without a customer by itself."""
    whose = {delivery.id: plan.customer_id or delivery.id for delivery, plan in planned}
    theirs: dict[Hashable, list[int]] = {}
    for settled in settlement.settled:
        theirs.setdefault(whose.get(settled.delivery_id, settled.delivery_id), []).append(settled.delivery_id)
    for customer in settlement.consents:
        theirs.setdefault(customer, [])
    return theirs
