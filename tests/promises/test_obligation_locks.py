"""A receiver and a worker that change the same obligations never stop each other for good."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import text, update

from connector.settlement import Raised, Settlement
from connector.store.consent_tables import obligations
from tests.promises.stage import HOLD, Stage, a_person

WAITING = text("SELECT count(*) FROM pg_locks WHERE NOT granted")


class TestOneOrderOfLocks:
    def test_lets_both_finish(self, stage: Stage) -> None:
        if stage.store.database.engine.dialect.name == "sqlite":
            pytest.skip("SQLite has one writer at a time")
        for customer in ("c-1", "c-2"):
            stage.accept(customer, a_person(customer, 1, doNotCall=True))
        lease = stage.lease()
        assert lease is not None
        raised = [Raised(customer, "doNotCall", "Contact", "001", 0) for customer in ("c-2", "c-1")]
        worker = threading.Thread(target=stage.store.lanes.settle, args=(lease, Settlement("", raised=raised), HOLD))
        with stage.store.database.transaction() as receiver:
            receiver.execute(touch("c-1"))
            worker.start()
            while not receiver.execute(WAITING).scalar():
                worker.join(0.01)
            receiver.execute(touch("c-2"))
        worker.join()
        assert stage.store.opt_outs.standing()[0].waiting == 0


def touch(customer: str) -> object:
    return update(obligations).where(obligations.c.customer_id == customer).values(attempts=0)
