"""A destination with fewer partitions than before: nothing is left in the lanes that no longer exist."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import select

from connector.carecycle.signature import Verifier
from connector.receive import Agency, read
from connector.running.partitions import Mover, lanes_of
from connector.store.consent_tables import obligations
from connector.store.desk import Filter
from connector.store.tables import deliveries
from tests.builders import SECRET
from tests.promises.stage import DESTINATION, HOLD, HOUR, LANE, Stage, a_person

FOUR, ONE = {DESTINATION: 4}, {DESTINATION: 1}
BEFORE = Agency("sunrise", Verifier("sunrise", [SECRET]), {"crm": 4})


@pytest.fixture
def mover(stage: Stage) -> Mover:
    """Twelve customers in four lanes, half of them opted out; one lane is configured now."""
    stage.store.lanes.open(lanes_of(FOUR))
    for number in range(12):
        body = json.dumps(a_person(f"c-{number}", 1, doNotCall=number % 2 == 0)).encode()
        stage.store.inbox.accept([read(BEFORE, f"m{number}", body, stage.clock())])
    assert len(lanes_in_use(stage)) == 4
    return Mover(stage.store, ONE, lambda: stage.clock() / 1000)


def lanes_in_use(stage: Stage) -> set[str]:
    with stage.store.database.reading() as connection:
        return {*connection.execute(select(deliveries.c.lane).union(select(obligations.c.lane))).scalars()}


class TestFewerPartitions:
    def test_leave_no_delivery_and_no_opt_out_behind(self, stage: Stage, mover: Mover) -> None:
        mover()
        stage.drain()
        assert lanes_in_use(stage) == {LANE}
        assert [record.get("NoCall") for record in stage.crm.records.values()].count(True) == 6
        assert (len(stage.crm.records), stage.store.desk.waiting()) == (12, 0)
        assert stage.store.opt_outs.standing()[0].waiting == 0

    def test_leave_a_lane_alone_while_a_worker_holds_it(self, stage: Stage, mover: Mover) -> None:
        held = stage.store.lanes.lease("an old worker", sorted(lanes_of(FOUR).keys() - lanes_of(ONE)), HOLD)
        assert held is not None
        mover()
        assert lanes_in_use(stage) == {LANE, held.lane}
        stage.clock.forward(HOUR)
        mover()
        assert lanes_in_use(stage) == {LANE}

    def test_leave_nothing_behind_that_is_replayed_later(self, stage: Stage, mover: Mover) -> None:
        with stage.store.database.transaction() as connection:
            connection.execute(deliveries.update().values(state="dead"))
        mover()
        stage.store.desk.replay(Filter(), "ana")
        stage.clock.forward(HOUR)
        mover()
        stage.drain()
        assert (len(stage.crm.records), stage.store.desk.waiting()) == (12, 0)
