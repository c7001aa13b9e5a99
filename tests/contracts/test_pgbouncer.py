"""PgBouncer between the store and PostgreSQL, in both modes, without any setting of ours."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from connector.errors import StoreUnavailable
from connector.store import Store
from connector.store.database import open_database
from connector.store.inbox import Arrival, Owed
from connector.store.line import Patience
from tests.builders import DATA_KEY
from tests.chaos.pgbouncer import PgBouncer
from tests.chaos.postgres import Postgres
from tests.patience import PATIENCE, in_the_end

LANE = "sunrise/crm/0"
FEW = "default_pool_size = 2\nserver_idle_timeout = 600\n"


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    server = Postgres()
    server.start()
    yield server
    server.close()


def pooled(server: Postgres, mode: str, more: str = "") -> Iterator[PgBouncer]:
    pooler = PgBouncer(server, mode, more)
    pooler.start()
    yield pooler
    pooler.close()


@pytest.fixture(scope="module", params=["session", "transaction"])
def either(request: pytest.FixtureRequest, server: Postgres) -> Iterator[PgBouncer]:
    yield from pooled(server, request.param)


@pytest.fixture(scope="module")
def few(server: Postgres) -> Iterator[PgBouncer]:
    """In transaction mode, with two sessions for everybody."""
    yield from pooled(server, "transaction", FEW)


def opened(pooler: PgBouncer) -> Store:
    """A store that waits for a busy machine."""
    patient = Patience(connect=PATIENCE, begin=PATIENCE)
    return Store(open_database(pooler.address, {"CONNECTOR_DATA_KEY": DATA_KEY}, patience=patient))


def arrival(message_id: str) -> Arrival:
    return Arrival("sunrise", message_id, "customer.updated", message_id, 1, 1, b"{}", (Owed("sunrise/crm", LANE),))


@pytest.mark.slow
class TestBothModes:
    def test_events_are_kept_and_lanes_drained(self, either: PgBouncer) -> None:
        store = opened(either)
        store.lanes.open({LANE: "sunrise/crm"})
        for number in range(12):  # often enough that the driver would prepare its statements
            message_id = f"{either.mode}-{number}"
            assert store.inbox.accept([arrival(message_id)]) == [True]
            assert store.inbox.accept([arrival(message_id)]) == [False]
            lease = store.lanes.lease("worker", [LANE], 60_000)
            assert lease is not None
            assert message_id in {delivery.event.message_id for delivery in store.inbox.due(LANE, 1000)}
            store.lanes.release(lease)
        store.close()

    def test_workers_find_by_looking_what_no_bell_announces(self, either: PgBouncer, server: Postgres) -> None:
        store = opened(either)
        began = time.monotonic()
        store.database.bell.wait(0.2)
        assert time.monotonic() - began < PATIENCE
        assert server.value("SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'") == 0
        store.close()


class TestTransactionMode:
    @pytest.mark.slow
    def test_sixteen_threads_share_two_sessions(self, few: PgBouncer) -> None:
        store = opened(few)

        def work(thread: int) -> int:
            kept = 0
            for number in range(8):
                kept += sum(store.inbox.accept([arrival(f"{thread}-{number}")]))
                store.desk.lanes()
            return kept

        with ThreadPoolExecutor(16) as threads:
            assert sum(threads.map(work, range(16))) == 128
        store.close()

    def test_nothing_of_ours_is_left_to_the_next_who_gets_the_session(self, few: PgBouncer) -> None:
        names = ("statement_timeout", "idle_in_transaction_session_timeout", "synchronous_commit")
        with psycopg.connect(few.address, autocommit=True) as other:
            before = [other.execute(f"SHOW {name}").fetchone() for name in names]
        store = opened(few)
        store.inbox.accept([arrival("leaves-nothing")])
        store.desk.lanes()
        store.close()
        with psycopg.connect(few.address, autocommit=True) as other:
            assert [other.execute(f"SHOW {name}").fetchone() for name in names] == before
            assert other.execute("SELECT count(*) FROM pg_prepared_statements").fetchone() == (0,)


@pytest.mark.slow
class TestFrozen:
    def test_a_frozen_pooler_holds_nobody_for_long(self, server: Postgres) -> None:
        pooler = PgBouncer(server, "transaction")
        pooler.start()
        brief = Patience(connect=2, begin=1, statement=1)
        store = in_the_end(
            lambda: Store(open_database(pooler.address, {"CONNECTOR_DATA_KEY": DATA_KEY}, patience=brief))
        )
        assert pooler.process is not None
        pooler.process.send_signal(19)
        began = time.monotonic()
        with pytest.raises(StoreUnavailable):
            store.database.moment()
        assert time.monotonic() - began < PATIENCE
        pooler.process.send_signal(18)
        in_the_end(store.database.moment)
        store.close()
        pooler.close()
