"""A damaged database is never passed over: nothing is acknowledged or written until it is repaired or replaced."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from connector.errors import StoreDamaged, StoreUnavailable
from connector.running.inspection import Inspection
from connector.store import Store, open_store
from connector.store.damage import Damage
from connector.store.integrity import checksums, problems
from connector.store.meaning import damaged
from connector.store.writer import Writer
from connector.web.health import create_admin
from connector.web.waiting import create_waiting_admin
from tests.builders import DATA_KEY, an_arrival
from tests.patience import until

PAGE = 4096
KEYS = {"CONNECTOR_DATA_KEY": DATA_KEY}


class Embedded:
    """A file with some history, and ways to damage it while nobody uses it."""

    def __init__(self, address: str) -> None:
        self.address, self.file = address, Path(address.removeprefix("sqlite:///"))
        store = open_store(address, KEYS)
        for step in range(10):
            store.inbox.accept([an_arrival(f"msg_{step}_{number}") for number in range(100)])
        store.close()
        self.backup = Path(shutil.copy(self.file, self.file.with_name("backup.db")))

    def pages(self, name: str) -> list[int]:
        with closing(sqlite3.connect(self.file)) as connection:
            rows = connection.execute("SELECT pageno FROM dbstat WHERE name = ? AND pagetype = 'leaf'", [name])
            return [number for (number,) in rows]

    def blank(self, number: int) -> None:
        """What a cut of power leaves of a page."""
        with self.file.open("r+b") as file:
            file.seek((number - 1) * PAGE)
            file.write(bytes(PAGE))

    def forget_a_row_in(self, index: str) -> None:
        """A write to an index that never reached the disk."""
        with closing(sqlite3.connect(self.file)) as connection:
            (statement,) = connection.execute("SELECT sql FROM sqlite_master WHERE name = ?", [index]).fetchone()
            (newest,) = connection.execute("SELECT max(id) FROM events").fetchone()
            connection.execute("PRAGMA writable_schema = ON")
            short = f"{statement} WHERE id <> {newest}"
            connection.execute(f"DROP INDEX {index}")
            connection.execute(short)
            connection.execute("UPDATE sqlite_master SET sql = ? WHERE name = ?", [statement, index])
            connection.commit()


@pytest.fixture
def embedded(sqlite_ready: str) -> Embedded:
    return Embedded(sqlite_ready)


@pytest.fixture
def opened() -> Iterator[Callable[[str], Store]]:
    stores: list[Store] = []

    def open_one(address: str) -> Store:
        stores.append(open_store(address, KEYS))
        return stores[-1]

    yield open_one
    for store in stores:
        store.close()


def inspected(store: Store) -> str:
    Inspection(hourly=False).first(store.database)
    return store.database.damage.known()


def refuses(store: Store) -> None:
    """Whatever is written."""
    for write in (
        lambda: store.inbox.accept([an_arrival("later")]),
        lambda: store.lanes.open({"a/b/0": "a/b"}),
        lambda: store.desk.pause("a/b/0", "operator"),
        store.prove,
    ):
        with pytest.raises(StoreDamaged):
            write()


class TestMet:
    @pytest.mark.parametrize("name", ["events", "ix_events_message_id", "deliveries", "ix_deliveries_state_id"])
    def test_a_blank_page_is_found_at_the_start(
        self, embedded: Embedded, opened: Callable[[str], Store], name: str
    ) -> None:
        leaves = embedded.pages(name)
        embedded.blank(leaves[len(leaves) // 2])
        store = opened(embedded.address)
        assert "damaged" in inspected(store)
        refuses(store)

    def test_what_a_write_meets_stops_every_process(self, embedded: Embedded, opened: Callable[[str], Store]) -> None:
        receiver, worker = opened(embedded.address), opened(embedded.address)
        for number in embedded.pages("ix_events_message_id"):
            embedded.blank(number)
        with pytest.raises(StoreDamaged):
            opened(embedded.address).inbox.accept([an_arrival("met")])
        refuses(receiver)
        refuses(worker)
        writer = Writer(receiver.inbox.accept, receiver.prove)
        monitor = create_admin(receiver, writer=writer).test_client()
        until(lambda: "is damaged" in monitor.get("/readyz").json["database"])
        assert monitor.get("/readyz").status_code == 503
        writer.close()

    def test_what_a_read_meets_counts_too(self, embedded: Embedded, opened: Callable[[str], Store]) -> None:
        for number in embedded.pages("ledger") + embedded.pages("events"):
            embedded.blank(number)
        store = opened(embedded.address)
        with pytest.raises(StoreDamaged), store.database.reading() as connection:
            connection.execute(text("SELECT count(payload) FROM events")).all()
        refuses(store)

    def test_an_index_that_lacks_a_row_is_found_by_the_thorough_check_alone(self, embedded: Embedded) -> None:
        embedded.forget_a_row_in("ix_events_message_id")
        store = open_store(embedded.address, KEYS)
        engine = store.database.engine
        assert list(problems(engine, thorough=False)) == []
        assert [line for line in problems(engine, thorough=True) if "missing from index" in line]
        store.close()

    def test_a_file_that_is_no_database(self, embedded: Embedded, opened: Callable[[str], Store]) -> None:
        embedded.blank(1)
        with pytest.raises(StoreDamaged):
            opened(embedded.address)

    def test_a_file_that_stops_being_one_is_met_whoever_looks_next(
        self, embedded: Embedded, opened: Callable[[str], Store]
    ) -> None:
        looks = [opened(embedded.address) for _ in range(3)]
        for store in looks:
            store.prove()
        embedded.file.write_bytes(bytes(embedded.file.stat().st_size))
        embedded.file.with_name(f"{embedded.file.name}-wal").write_bytes(b"")
        for look in (looks[0].prove, looks[1].desk.waiting, lambda: looks[2].lanes.open({"a/b/0": "a/b"})):
            with pytest.raises(StoreDamaged):
                look()

    def test_an_emptied_file_keeps_the_changes_beside_it(self, embedded: Embedded) -> None:
        log = embedded.file.with_name(f"{embedded.file.name}-wal")
        log.write_bytes(b"the newest changes")
        embedded.file.write_bytes(b"")
        with pytest.raises(StoreDamaged, match="Copy both"):
            open_store(embedded.address, KEYS)
        assert log.read_bytes() == b"the newest changes"

    def test_a_file_taken_away_loses_no_changes_beside_it(
        self, embedded: Embedded, opened: Callable[[str], Store]
    ) -> None:
        running = opened(embedded.address)
        assert running.inbox.accept([an_arrival("beside")]) == [True]
        away = embedded.file.rename(embedded.file.with_name("away.db"))
        with pytest.raises(StoreUnavailable, match="is missing"):
            open_store(embedded.address, KEYS)
        assert not embedded.file.exists()
        with pytest.raises(StoreUnavailable):
            running.inbox.accept([an_arrival("meanwhile")])
        away.rename(embedded.file)
        assert opened(embedded.address).inbox.accept([an_arrival("beside")]) == [False]
        assert running.inbox.accept([an_arrival("after")]) == [True]

    def test_a_file_that_somebody_made_empty_loses_no_changes_beside_it(
        self, embedded: Embedded, opened: Callable[[str], Store]
    ) -> None:
        running = opened(embedded.address)
        assert running.inbox.accept([an_arrival("beside")]) == [True]
        away = embedded.file.rename(embedded.file.with_name("away.db"))
        embedded.file.touch()
        for _ in range(3):
            with pytest.raises(StoreUnavailable):
                running.inbox.accept([an_arrival("meanwhile")])
        away.replace(embedded.file)
        Inspection(hourly=False).first(running.database)  # the next of a running process
        assert opened(embedded.address).inbox.accept([an_arrival("beside")]) == [False]

    def test_a_table_that_is_gone(self, ready_address: str, opened: Callable[[str], Store]) -> None:
        store = opened(ready_address)
        with store.database.transaction() as connection:
            connection.execute(text("ALTER TABLE oddities RENAME TO elsewhere"))
        with pytest.raises(StoreDamaged), store.database.reading() as connection:
            connection.execute(text("SELECT count(*) FROM oddities")).all()
        other = opened(ready_address)
        refuses(store)
        refuses(other)
        assert list(problems(store.database.engine, thorough=True)) == ["the table oddities is missing"]
        store.database.damage.clear()
        with store.database.transaction() as connection:
            connection.execute(text("ALTER TABLE elsewhere RENAME TO oddities"))


class TestOver:
    def test_it_lasts_over_restarts_until_the_file_is_replaced(
        self, embedded: Embedded, opened: Callable[[str], Store]
    ) -> None:
        for number in embedded.pages("ix_events_message_id"):
            embedded.blank(number)
        store = opened(embedded.address)
        with pytest.raises(StoreDamaged):
            store.inbox.accept([an_arrival("met")])
        refuses(opened(embedded.address))
        assert inspected(opened(embedded.address))
        shutil.copy(embedded.backup, embedded.file)
        restored = opened(embedded.address)
        assert inspected(restored) == ""
        assert restored.inbox.accept([an_arrival("later")]) == [True]

    def test_it_is_over_once_an_index_was_built_again(self, embedded: Embedded, opened: Callable[[str], Store]) -> None:
        embedded.forget_a_row_in("ix_events_message_id")
        store = opened(embedded.address)
        store.database.damage.note("is damaged: an index lacks a row")
        assert inspected(store) != ""
        with closing(sqlite3.connect(embedded.file)) as connection:
            connection.execute("REINDEX")
        assert inspected(store) == ""
        assert store.inbox.accept([an_arrival("later")]) == [True]

    def test_what_could_not_be_kept_at_first_is_kept_later_and_forgotten_by_every_process(
        self, postgres_ready: str, opened: Callable[[str], Store]
    ) -> None:
        store, other = opened(postgres_ready), opened(postgres_ready)
        now = [100.0]
        damage = store.database.damage = Damage(store.database.engine, lambda: now[0])
        with other.database.engine.begin() as connection:
            connection.execute(text("ALTER TABLE settings RENAME TO elsewhere"))
        damage.note("is damaged: a page")
        with other.database.engine.begin() as connection:
            connection.execute(text("ALTER TABLE elsewhere RENAME TO settings"))
        now[0] += 3
        assert (damage.known(), other.database.damage.known()) == ("is damaged: a page", "is damaged: a page")
        other.database.damage.clear()
        now[0] += 3
        assert damage.known() == ""


class TestReported:
    def test_by_metrics_until_it_is_over(self, embedded: Embedded, opened: Callable[[str], Store]) -> None:
        store = opened(embedded.address)
        monitor = create_admin(store).test_client()
        assert "connector_database_damaged 0.0" in monitor.get("/metrics").text
        store.database.damage.note(damaged("an index lacks a row"))
        assert "connector_database_damaged 1.0" in monitor.get("/metrics").text
        assert inspected(store) == ""
        assert "connector_database_damaged 0.0" in monitor.get("/metrics").text

    def test_by_metrics_of_a_process_that_could_not_open_it(self) -> None:
        monitor = create_waiting_admin(lambda: damaged("it is empty")).test_client()
        assert "connector_database_damaged 1.0" in monitor.get("/metrics").text


class TestSound:
    def test_nothing_is_found(self, ready_address: str, opened: Callable[[str], Store]) -> None:
        store = opened(ready_address)
        assert inspected(store) == ""
        assert list(problems(store.database.engine, thorough=True)) == []

    def test_a_shared_server_says_how_it_checks_pages(
        self, postgres_ready: str, opened: Callable[[str], Store]
    ) -> None:
        figures = checksums(opened(postgres_ready).database.engine)
        assert figures is not None
        assert (figures.failures, figures.amcheck) == (0, False)

    @pytest.mark.slow
    def test_another_trouble_is_no_damage(self, embedded: Embedded, opened: Callable[[str], Store]) -> None:
        store = opened(embedded.address)
        holder = sqlite3.connect(embedded.file, isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable) as raised:
            store.inbox.accept([an_arrival("later")])
        holder.execute("ROLLBACK")
        holder.close()
        assert not isinstance(raised.value, StoreDamaged)
        assert store.inbox.accept([an_arrival("later")]) == [True]
