"""Lowering an opt-out that a customer spoke in a call: that one, and nothing else."""

from __future__ import annotations

from sqlalchemy import select

from connector.model import Stamp
from connector.settlement import FlagState, Settlement
from connector.store import Store
from connector.store.consent_tables import obligations
from connector.store.inbox import Owed
from tests.builders import CUSTOMER, DESTINATION, LANE, an_arrival

HUBSPOT = "sunrise/hubspot"
LANES = {LANE: DESTINATION, f"{HUBSPOT}/0": HUBSPOT}
FLAGS = frozenset({"doNotCall", "doNotSMS"})
OTHER = "somebody-else"


def test_it_takes_back_this_customers_flag_alone_and_not_what_carecycle_says(store: Store) -> None:
    store.lanes.open(LANES)
    owed = tuple(Owed(destination, lane) for lane, destination in LANES.items())
    store.inbox.accept([an_arrival("m", raised=FLAGS, owed=owed)])
    store.inbox.accept([an_arrival("other", raised=FLAGS, owed=owed, customer_id=OTHER)])
    for lane, carecycle in ((LANE, False), (f"{HUBSPOT}/0", True)):
        spoken = FlagState(Stamp(1, "a"), value=carecycle, spoken=True)
        lease = store.lanes.lease("a worker", [lane], 60_000)
        assert lease is not None
        known = {CUSTOMER: {"doNotCall": spoken, "doNotSMS": FlagState(Stamp(1, "a"), value=True)}}
        store.lanes.settle(lease, Settlement("v1", consents=known), 60_000)
    assert store.lowering.lower(CUSTOMER, "doNotCall", "ana", "agreed by letter") == [HUBSPOT, DESTINATION]
    with store.database.reading() as connection:
        columns = (obligations.c.destination, obligations.c.customer_id, obligations.c.flag)
        left = {tuple(row) for row in connection.execute(select(*columns))}
    every = {(place, whose, flag) for place in LANES.values() for whose in (CUSTOMER, OTHER) for flag in FLAGS}
    assert left == every - {(DESTINATION, CUSTOMER, "doNotCall")}
