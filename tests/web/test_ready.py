"""Ready means that a write gets through now; and no machine page waits for a database that does not answer."""

from __future__ import annotations

import itertools
import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from flask.testing import FlaskClient
from sqlalchemy import event

from connector.errors import StoreUnavailable
from connector.store import Store, open_store
from connector.store.writer import Bounded, Writer
from connector.web import readiness
from connector.web.health import create_admin
from tests.builders import DATA_KEY, an_arrival
from tests.patience import PATIENCE, one_in_three, until

CUT = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
)
"""What makes sessions begin with the settings of now."""

BOUND = 4.5
"""Seconds: a page that waited for what the database does would take five, which is SQLite's own patience, or more."""


@pytest.fixture
def opened(ready_address: str) -> Iterator[Store]:
    store = open_store(ready_address, {"CONNECTOR_DATA_KEY": DATA_KEY})
    yield store
    close(store)


def close(store: Store) -> None:
    """Close it once nothing that took long is read any more."""
    pool: Any = store.database.engine.pool
    until(lambda: pool.checkedout() == 0)
    store.close()


@pytest.fixture
def writer(opened: Store) -> Iterator[Writer]:
    writer = Writer(opened.inbox.accept, opened.prove)
    yield writer
    writer.close()


@pytest.fixture
def monitor(opened: Store, writer: Writer) -> Iterator[FlaskClient]:
    monitor = create_admin(opened, writer=writer).test_client()
    yield monitor
    until(lambda: "connector_database_up 1.0" in asked(monitor, "/metrics")[1])  # whatever happened, it comes back


@contextmanager
def locked(address: str) -> Iterator[None]:
    """Another program holds the database, as a migration or an administrator's session does."""
    if address.startswith("sqlite"):
        holder = sqlite3.connect(address.removeprefix("sqlite:///"), isolation_level=None)
        holder.execute("BEGIN EXCLUSIVE")
        yield
        holder.execute("ROLLBACK")
        holder.close()
    else:
        with psycopg.connect(address) as session:
            session.execute("LOCK TABLE deliveries IN ACCESS EXCLUSIVE MODE")
            yield


@contextmanager
def read_only(address: str) -> Iterator[None]:
    """What a standby, or an administrator, makes of a PostgreSQL database."""
    name = psycopg.conninfo.conninfo_to_dict(address)["dbname"]
    with psycopg.connect(address, autocommit=True) as admin:
        admin.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        admin.execute(CUT)
        try:
            yield
        finally:
            admin.execute("SET default_transaction_read_only = off")
            admin.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")


def asked(monitor: FlaskClient, page: str = "/readyz") -> tuple[int, Any, float]:
    """The status, the answer, and how many seconds it took."""
    began = time.monotonic()
    answer = monitor.get(page)
    return answer.status_code, answer.json if answer.is_json else answer.text, time.monotonic() - began


def in_time(monitor: FlaskClient, page: str = "/readyz") -> bool:
    """Whether a page answers without waiting for the database: where it waits, it does so each time."""
    return min(asked(monitor, page)[2] for _ in range(3)) < BOUND


def counted(store: Store, table: str) -> int:
    with store.database.reading() as connection:
        return int(connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one())


class TestReady:
    def test_a_write_gets_through_and_leaves_no_history(self, monitor: FlaskClient, opened: Store) -> None:
        until(lambda: asked(monitor)[:2] == (200, {"ready": True, "database": "ok"}))
        assert [counted(opened, table) for table in ("events", "deliveries", "obligations")] == [0, 0, 0]

    def test_monitors_that_ask_often_cost_one_write_in_a_few_seconds(self, monitor: FlaskClient, opened: Store) -> None:
        writes: list[object] = []
        event.listen(opened.database.engine, "commit", writes.append)

        def asked_often() -> None:
            with ThreadPoolExecutor(8) as monitors:
                answers = list(monitors.map(lambda _: asked(monitor), range(100)))
            assert {(status, answer["database"]) for status, answer, _ in answers} == {(200, "ok")}

        began = time.monotonic()
        one_in_three(asked_often)
        assert len(writes) <= 2 + (time.monotonic() - began) / readiness.FRESH

    def test_events_that_are_kept_spare_it_the_write(self, monitor: FlaskClient, writer: Writer, opened: Store) -> None:
        writes: list[object] = []
        event.listen(opened.database.engine, "commit", writes.append)

        def spared() -> None:
            assert writer(an_arrival()).result(PATIENCE)
            writes.clear()
            assert asked(monitor)[0] == 200
            assert writes == []

        one_in_three(spared)

    def test_an_event_that_could_not_be_kept_ends_it_at_once(self, opened: Store) -> None:
        broken = [False]

        def accept(arrivals: Any) -> Any:
            if broken[0]:
                raise StoreUnavailable("database", "cannot be used now")
            return opened.inbox.accept(arrivals)

        def trial() -> None:
            accept([])

        writer = Writer(accept, trial)
        monitor = create_admin(opened, writer=writer).test_client()
        writer(an_arrival("kept")).result(PATIENCE)
        until(lambda: asked(monitor)[0] == 200)
        broken[0] = True
        with pytest.raises(StoreUnavailable):
            writer(an_arrival("refused")).result(PATIENCE)
        assert asked(monitor)[0] == 503
        writer.close()

    def test_a_full_inbox_is_and_says_so(self, opened: Store) -> None:
        accept = Bounded(opened.inbox.accept, opened.inbox.waiting, limit=1, clock=itertools.count().__next__)
        writer = Writer(accept, opened.prove)
        monitor = create_admin(opened, writer=writer, full=accept.full).test_client()
        until(lambda: asked(monitor)[1]["inbox"] == "ok")
        opened.inbox.accept([an_arrival()])
        accept.look()
        until(lambda: asked(monitor)[0] == 200)
        assert "CONNECTOR_INBOX_LIMIT" in asked(monitor)[1]["inbox"]
        writer.close()

    def test_a_read_only_database_is_not(self, postgres_address: str) -> None:
        store = open_store(postgres_address, {"CONNECTOR_DATA_KEY": DATA_KEY})
        monitor = create_admin(store).test_client()
        with read_only(postgres_address):
            until(lambda: "read-only" in asked(monitor)[1]["database"])
            status, answer, _ = asked(monitor)
            assert (status, answer["ready"]) == (503, False)
        with psycopg.connect(postgres_address, autocommit=True) as admin:
            admin.execute(CUT)
        until(lambda: asked(monitor)[0] == 200)
        store.close()

    def test_a_locked_database_is_not_and_says_so_in_time(self, monitor: FlaskClient, ready_address: str) -> None:
        with locked(ready_address):
            status, answer, _ = asked(monitor)
            assert (status, answer["ready"]) == (503, False)
            assert in_time(monitor)

    def test_a_lost_table_is_not(self, monitor: FlaskClient, opened: Store) -> None:
        with opened.database.transaction() as connection:
            connection.exec_driver_sql("ALTER TABLE obligations RENAME TO elsewhere")
        try:
            assert asked(monitor)[0] == 503
        finally:
            opened.database.damage.clear()
            with opened.database.transaction() as connection:
                connection.exec_driver_sql("ALTER TABLE elsewhere RENAME TO obligations")


class TestShared:
    def test_what_took_too_long_is_shown_to_those_who_ask_next_for_some_time(self) -> None:
        calls, now = list[Future[str]](), [0.0]

        def begin() -> Future[str]:
            calls.append(Future())
            return calls[-1]

        shared = readiness.Shared(begin, lambda: now[0], keeps=60)
        with pytest.raises(TimeoutError):
            shared.ask(0)
        calls[0].set_result("the first")
        now[0] = 59.0
        assert [shared.ask(0), shared.ask(0), len(calls)] == ["the first", "the first", 2]
        now[0] = 60.0
        with pytest.raises(TimeoutError):
            shared.ask(0)
        calls[1].set_exception(StoreUnavailable("database", "cannot be used now"))
        with pytest.raises(TimeoutError):
            shared.ask(0)


def _age(text: str) -> float:
    return float(
        next(line for line in text.splitlines() if line.startswith("connector_figures_age_seconds ")).split()[1]
    )


class TestInTime:
    def test_figures_that_take_long_are_those_of_before_and_the_database_is_up(self, postgres_address: str) -> None:
        store = open_store(postgres_address, {"CONNECTOR_DATA_KEY": DATA_KEY})
        store.lanes.open({"sunrise/crm/0": "sunrise/crm"})
        monitor = create_admin(store).test_client()
        until(lambda: "connector_deliveries_ready{" in asked(monitor, "/metrics")[1])
        with psycopg.connect(postgres_address) as session:
            session.execute("LOCK TABLE verifications IN ACCESS EXCLUSIVE MODE")
            ages = [_age(asked(monitor, "/metrics")[1]) for _ in range(2)]
            text = asked(monitor, "/metrics")[1]
        assert "connector_database_up 1.0" in text
        assert "connector_deliveries_ready{" in text
        assert readiness.PATIENCE <= ages[0] < ages[1]
        close(store)

    def test_a_page_waits_for_less_than_two_seconds(self) -> None:
        assert readiness.PATIENCE < 2

    @pytest.mark.parametrize("page", ["/readyz", "/livez", "/metrics"])
    def test_every_machine_page_answers(self, monitor: FlaskClient, ready_address: str, page: str) -> None:
        with locked(ready_address):
            assert in_time(monitor, page)

    def test_metrics_have_the_counters_and_say_that_the_database_is_down(
        self, monitor: FlaskClient, writer: Writer, ready_address: str
    ) -> None:
        until(lambda: "connector_database_up 1.0" in asked(monitor, "/metrics")[1])
        writer.written_at = float("-inf")  # as after a few seconds
        with locked(ready_address):
            text = asked(monitor, "/metrics")[1]
        assert "connector_database_up 0.0" in text
        assert "connector_store_unavailable_total" in text

    def test_monitors_and_scrapes_do_not_pile_up(self, monitor: FlaskClient, ready_address: str) -> None:
        asked(monitor)
        with locked(ready_address):
            before = threading.active_count()
            with ThreadPoolExecutor(10) as monitors:
                pages = ["/readyz", "/metrics"] * 50
                slowest = [max(monitors.map(lambda page: asked(monitor, page)[2], pages)) for _ in range(3)]
            assert min(slowest) < BOUND  # where pages pile up, they do each time; a machine that is busy is slow once
            assert threading.active_count() <= before + 2

    def test_it_lives_without_its_database(self, monitor: FlaskClient, ready_address: str) -> None:
        with locked(ready_address):
            assert asked(monitor, "/livez")[0] == 200
