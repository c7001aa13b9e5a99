"""Drain one batch of a leased lane: plan, fold, write, settle, record."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from connector import catalogue, telemetry
from connector.consent import States
from connector.destinations.base import Destination
from connector.errors import DestinationUnusable, UnreadableEvent
from connector.fold import Folded, fold
from connector.lookups import Lookups
from connector.mapping import Mapping
from connector.model import Delivery, Plan, Value
from connector.plan import plan
from connector.settle import Circumstances, consents_after, pause_for, refused_alike, remember, settle_delivery
from connector.store import Store
from connector.store.lanes import Lease, Settled, Settlement
from connector.write import Answer, Writing


@dataclass(slots=True)
class Route:
    """One destination as a worker serves it: the CRM, the mapping that is running, and what it remembers between."""

    name: str
    destination: Destination
    mapping: Mapping
    timezone: str
    lookups: Lookups = field(default_factory=lambda: Lookups(time.monotonic))


@dataclass(frozen=True, slots=True)
class Pace:
    """How much a worker takes at once and how long it may hold a lane."""

    batch: int = 1000
    hold_ms: int = 15_000
    clock: Callable[[], float] = time.time
    roll: Callable[[], float] = random.random


def deliver(store: Store, route: Route, lease: Lease, pace: Pace) -> bool:
    """Drain one batch; whether to go on with the next. Raises LeaseLost, StoreUnavailable."""
    due = store.inbox.due(lease.lane, pace.batch)
    if not due:
        return False
    started = pace.clock()
    mapping = route.mapping  # an edited one may take its place at any time: a batch keeps the one it began with
    planned, unreadable = _plan(due, mapping, route.timezone)
    folded, states, writing = _write(store, route, planned)
    now = pace.clock()
    around = Circumstances(int(now * 1000), pace.roll, int((now - started) * 1000))
    settlement = _settle(lease, mapping.version, planned, folded, states, writing, around)
    settlement = replace(settlement, settled=[*unreadable, *settlement.settled])
    paused = store.lanes.settle(lease, settlement, pace.hold_ms)
    _tell(lease, due, settlement)
    return not paused


Planned = list[tuple[Delivery, Plan]]


def _plan(due: list[Delivery], mapping: Mapping, timezone: str) -> tuple[Planned, list[Settled]]:
    planned: Planned = []
    unreadable: list[Settled] = []
    for delivery in due:
        try:
            if catalogue.read(delivery.event.payload, delivery.event.message_id) is None:
                unreadable.append(Settled(delivery.id, "ignored", "ignored", "UNKNOWN_TYPE", "no known type of event"))
            else:
                planned.append((delivery, plan(delivery.event, mapping, timezone=timezone)))
        except UnreadableEvent as error:
            unreadable.append(Settled(delivery.id, "dead", "dead", error.code, error.problem))
        except Exception as error:  # noqa: BLE001  # a fault of ours over one event must not stop the others of its lane
            problem = f"a fault of the connector itself ({telemetry.place(error)}): please report it"
            unreadable.append(Settled(delivery.id, "dead", "dead", "FAULT", problem))
    return planned, unreadable


def _write(store: Store, route: Route, planned: Planned) -> tuple[list[Folded], dict[str, States], Writing]:
    def digest(value: Value) -> str:
        return store.database.digest(route.destination.normal(value))

    customers = {one.customer_id for _, one in planned if one.customer_id is not None}
    consents = store.ledger.consents(route.name, customers)
    folded, states = fold([(delivery.id, one) for delivery, one in planned], consents)
    keys = {write.key for _, one in planned for write in one.writes}
    writing = Writing(route.destination, route.lookups, digest, store.ledger.entries(route.name, keys), consents)
    writing.run(folded)
    return folded, states, writing


def _settle(
    lease: Lease,
    version: str,
    planned: Planned,
    folded: list[Folded],
    states: dict[str, States],
    writing: Writing,
    around: Circumstances,
) -> Settlement:
    answers, unusable = writing.answers, writing.unusable
    if cause := refused_alike(answers.values()):
        unusable = DestinationUnusable(lease.lane, cause[0], f"20 records running were refused: {cause[1]}")
        answers = {key: one for key, one in answers.items() if not _refused_for(one, cause[0])}
    asked = {one.write.key for one in folded}
    settled = (settle_delivery(delivery, one, asked, answers, around) for delivery, one in planned)
    remembered = (remember(answer, writing.digest) for answer in answers.values())
    return Settlement(
        version,
        [one for one in settled if one is not None],
        [one for one in remembered if one is not None],
        consents_after(states, writing.answers.values()),
        pause_for(unusable, lease.failures, around.roll()) if unusable else None,
    )


def _refused_for(answer: Answer, code: str) -> bool:
    return answer.outcome is not None and answer.outcome.code == code


def _tell(lease: Lease, due: list[Delivery], settlement: Settlement) -> None:
    messages = {delivery.id: delivery.event.message_id for delivery in due}
    for one in settlement.settled:
        fields = tuple(sorted({name for record in one.records for name in record["fields"]}))
        message = messages[one.delivery_id]
        telemetry.delivery_settled(lease.destination, message, one.outcome, one.code, fields)
    if pause := settlement.pause:
        telemetry.lane_paused(lease.lane, lease.destination, pause.code, pause.reason, pause.wait_ms / 1000)
