"""Nothing waits for ever for PostgreSQL: each wait ends, and new connections are used as soon as they work."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from sqlalchemy import event

from connector.errors import StoreUnavailable
from connector.store import Store
from connector.store.database import open_database
from connector.store.inbox import Arrival, Owed
from connector.store.line import Patience, lasting
from tests.builders import DATA_KEY
from tests.chaos.postgres import Postgres
from tests.chaos.proxy import Proxy
from tests.patience import in_the_end, one_in_three, until

BRIEF = Patience(connect=2, begin=1, statement=1)
"""So that a test lasts no minutes."""

AT_ONCE = 60.0
"""Seconds that a call may take with these limits on a machine that stands still for a while; without any, for ever."""


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    server = Postgres()
    server.start()
    yield server
    server.close()


@pytest.fixture
def proxy(server: Postgres) -> Iterator[Proxy]:
    proxy = Proxy(server.port)
    yield proxy
    proxy.close()


@pytest.fixture
def store(proxy: Proxy) -> Iterator[Store]:
    def opened() -> Store:
        return Store(open_database(Postgres.address_at(proxy.port), {"CONNECTOR_DATA_KEY": DATA_KEY}, patience=BRIEF))

    store = in_the_end(opened)
    yield store
    store.close()


def arrival(message_id: str) -> Arrival:
    return Arrival("sunrise", message_id, "customer.updated", message_id, 1, 1, b"{}", (Owed("sunrise/crm", "lane"),))


def kept(store: Store, sent: Arrival) -> bool:
    """Send it; whether it was acknowledged."""
    try:
        store.inbox.accept([sent])
    except StoreUnavailable:
        return False
    return True


def goes_on(store: Store, after: str) -> None:
    """Wait until an event is kept; each time another, as one is there already whose answer came too late."""
    numbers = itertools.count()
    assert in_the_end(lambda: store.inbox.accept([arrival(f"{after}-{next(numbers)}")])) == [True]


def given_up(call: Callable[[], object]) -> None:
    """Do it; it must end, and say that the database is unavailable. One that goes on ends with its connection."""
    thread = ThreadPoolExecutor(1)
    doing = thread.submit(call)
    thread.shutdown(wait=False)
    with pytest.raises(StoreUnavailable):
        doing.result(AT_ONCE)


class TestSilentConnections:
    @pytest.mark.slow
    def test_an_idle_connection_that_has_gone_mute_is_replaced_without_failing(
        self, store: Store, proxy: Proxy
    ) -> None:
        numbers = itertools.count()

        def replaced() -> None:
            proxy.mute(new=False)
            began = time.monotonic()
            assert store.inbox.accept([arrival(f"after-{next(numbers)}")]) == [True]
            assert time.monotonic() - began < AT_ONCE

        one_in_three(replaced)

    def test_a_statement_without_an_answer_is_given_up(self, store: Store, proxy: Proxy) -> None:
        def write() -> None:
            with store.database.transaction() as connection:
                proxy.mute(new=False)
                connection.exec_driver_sql("SELECT 1")

        given_up(write)
        goes_on(store, "given-up")

    @pytest.mark.slow
    def test_a_read_without_an_answer_is_given_up(self, store: Store, proxy: Proxy) -> None:
        def read() -> None:
            with store.database.reading() as connection:
                proxy.mute(new=False)
                connection.exec_driver_sql("SELECT 1")

        given_up(read)

    def test_after_a_commit_without_an_answer_the_same_event_is_neither_lost_nor_doubled(
        self, store: Store, proxy: Proxy
    ) -> None:
        def write() -> None:
            with store.database.transaction() as connection:
                store.inbox._insert_events(connection, [arrival("unsure")])
                proxy.mute(new=False)

        given_up(write)
        deadline = time.monotonic() + AT_ONCE
        while not kept(store, arrival("unsure")):  # until the server ends the transaction whose commit never came
            assert time.monotonic() < deadline
        with store.database.reading() as connection:
            count = connection.exec_driver_sql("SELECT count(*) FROM events WHERE message_id = 'unsure'").scalar_one()
        assert count == 1

    @pytest.mark.slow
    def test_a_rollback_without_an_answer_is_given_up(self, store: Store, proxy: Proxy) -> None:
        def fail() -> None:
            with store.database.transaction():
                proxy.mute(new=False)
                raise KeyError

        given_up(fail)

    @pytest.mark.slow
    def test_a_server_that_answers_a_byte_at_a_time_is_given_up(self, store: Store, proxy: Proxy) -> None:
        proxy.drip = 0.2
        given_up(store.desk.lanes)

    @pytest.mark.slow
    def test_sixteen_mute_connections_in_use_free_themselves(self, store: Store, proxy: Proxy) -> None:
        def free_themselves() -> None:
            held = threading.Barrier(17, timeout=20)

            def hold() -> None:
                with store.database.transaction() as connection:
                    held.wait()  # all are open
                    held.wait()  # all are mute
                    connection.exec_driver_sql("SELECT 1")

            with ThreadPoolExecutor(16) as threads:
                waiting = [threads.submit(hold) for _ in range(16)]
                held.wait()
                proxy.mute(new=False)
                held.wait()
                assert {type(one.exception(AT_ONCE)) for one in waiting} == {StoreUnavailable}

        one_in_three(free_themselves)
        goes_on(store, "after-sixteen")

    @pytest.mark.slow
    def test_the_whole_pool_is_replaced_after_a_single_wait(self, store: Store, proxy: Proxy) -> None:
        def replaced() -> None:
            with ThreadPoolExecutor(8) as threads:
                together = threading.Barrier(8, timeout=20)

                def touch() -> None:
                    with store.database.reading():
                        together.wait()

                for one in [threads.submit(touch) for _ in range(8)]:
                    one.result(AT_ONCE)
            proxy.mute(new=False)
            waits: list[object] = []
            event.listen(store.database.engine, "invalidate", lambda *broken: waits.append(broken))
            for _ in range(20):
                store.database.moment()
            assert len(waits) == 1

        one_in_three(replaced)


@pytest.mark.slow
class TestConnecting:
    @pytest.mark.slow
    def test_a_server_that_accepts_and_says_nothing_is_given_up(self, store: Store, proxy: Proxy) -> None:
        proxy.mute()
        given_up(store.database.moment)
        proxy.speak()
        in_the_end(store.database.moment)

    def test_opening_a_database_behind_a_mute_server_is_given_up(self, proxy: Proxy) -> None:
        proxy.mute()
        address = Postgres.address_at(proxy.port)
        given_up(lambda: open_database(address, {"CONNECTOR_DATA_KEY": DATA_KEY}, patience=BRIEF))

    def test_a_host_that_is_mute_is_passed_over_for_the_next(self, server: Postgres, proxy: Proxy) -> None:
        proxy.mute()
        address = f"postgresql://postgres@/postgres?host=127.0.0.1:{proxy.port}&host=127.0.0.1:{server.port}"
        one_in_three(lambda: open_database(address, {"CONNECTOR_DATA_KEY": DATA_KEY}, patience=BRIEF).close())


class TestBell:
    def test_a_mute_bell_holds_nobody_longer_than_they_want_to_wait(self, proxy: Proxy) -> None:
        patient = Patience(connect=2 * AT_ONCE, begin=2 * AT_ONCE)
        address = Postgres.address_at(proxy.port)
        with closing(Store(open_database(address, {"CONNECTOR_DATA_KEY": DATA_KEY}, patience=patient))) as store:
            store.database.bell.wait(0.01)
            proxy.mute()
            began = time.monotonic()
            for _ in range(5):
                store.database.bell.wait(0.1)
            assert time.monotonic() - began < AT_ONCE

    @pytest.mark.slow
    def test_it_rings_again_over_a_new_connection(self, store: Store, server: Postgres, proxy: Proxy) -> None:
        def rings() -> bool:
            with server.connection() as connection:
                connection.execute("NOTIFY connector_ready")
            return store.database.bell.wait(5)

        until(rings)
        proxy.mute(new=False)
        until(rings)


class TestAProcessThatWasFrozen:
    def test_has_not_waited_meanwhile(self) -> None:
        now = [0.0]
        is_over = lasting(5.0, lambda: now[0])
        now[0] = 600.0
        assert not is_over()
        for _ in range(39):
            now[0] += 0.1
            assert not is_over()
        now[0] += 0.2
        assert is_over()
