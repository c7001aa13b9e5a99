"""A process that runs meets a database it cannot work with: it says why, keeps off, and goes on once it can."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text

from connector.errors import StoreDamaged, StoreUnavailable
from connector.running.opening import Announced
from connector.store import Store
from connector.store.database import open_database
from connector.store.writer import Writer
from connector.web.health import create_admin
from tests.builders import DATA_KEY, DESTINATION, LANE, an_arrival
from tests.contracts import older
from tests.contracts.test_history import address as address
from tests.patience import until

OTHER_KEY = base64.b64encode(bytes(range(32))).decode()


def opened(address: str, keys: str = DATA_KEY) -> Store:
    return Store(open_database(address, {"CONNECTOR_DATA_KEY": keys}))


def changed(address: str, *statements: str) -> str:
    """A copy of the database with these changes; the database stays as it is."""
    before = older.keep(address)
    store = opened(address)
    with store.database.transaction() as connection:
        for statement in statements:
            connection.execute(text(statement))
    store.close()
    copy = older.keep(address, "_changed")
    older.put_back(address, before)
    return copy


@pytest.fixture
def process(address: str) -> Iterator[Store]:
    store = opened(address)
    store.inbox.accept([an_arrival("before")])
    yield store
    store.close()


def refuses(store: Store, why: str) -> None:
    """Whatever is written, with the same words; only what broken connections say may come first."""
    for write in (
        lambda: store.inbox.accept([an_arrival("later")]),
        store.prove,
        store.watches.try_to_write,
    ):
        said = ""
        for _ in range(3):
            with pytest.raises(StoreUnavailable) as raised:
                write()
            assert not isinstance(raised.value, StoreDamaged)
            said = raised.value.problem
            if why in said:
                break
        assert why in said


def goes_on(store: Store) -> None:
    for _ in range(3):
        try:
            store.commits.check()
            break
        except StoreUnavailable:
            continue
    assert store.inbox.accept([an_arrival("later")]) == [True]
    assert store.database.damage.known() == ""


EMPTY = ["DROP TABLE commits", "DROP TABLE settings", "DROP TABLE watches", "DROP TABLE alembic_version"]
HALF = ["DELETE FROM settings"]
FORMER = ["UPDATE alembic_version SET version_num = '0025'", "DROP TABLE gaps"]


class TestInThePlaceOfOurs:
    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("statements", "why"),
        [(EMPTY, "has no tables"), (HALF, "its key is not there"), (FORMER, "of revision 0025")],
        ids=["empty", "being restored", "from before an upgrade"],
    )
    def test_it_is_left_alone_until_ours_is_back(
        self, process: Store, address: str, statements: list[str], why: str
    ) -> None:
        ours, other = older.keep(address), changed(address, *statements)
        older.put_back(address, other)
        refuses(process, why)
        older.put_back(address, ours)
        goes_on(process)

    def test_one_that_an_earlier_key_seals_is_left_alone(self, address: str) -> None:
        copy = older.keep(address)
        both = opened(address, f"{OTHER_KEY},{DATA_KEY}")
        list(both.rotation.steps())
        both.close()
        process = opened(address, OTHER_KEY)
        process.inbox.accept([an_arrival("lost")])
        older.put_back(address, copy)
        refuses(process, "lacks the key")
        with pytest.raises(StoreUnavailable, match="lacks the key"):
            process.commits.check()
        writer = Writer(process.inbox.accept, process.prove)
        monitor = create_admin(process, writer=writer).test_client()
        until(lambda: "lacks the key" in monitor.get("/readyz").json["database"])
        assert monitor.get("/readyz").status_code == 503
        writer.close()
        process.close()


class TestTwoThreads:
    def test_that_meet_the_same_older_database_note_it_once(self, process: Store, address: str) -> None:
        copy = older.keep(address)
        process.inbox.accept([an_arrival("lost")])
        older.put_back(address, copy)
        settle: Callable[[], None] = process.commits.went_back
        for _ in range(2):
            settle_anyway(settle)
        assert len(process.gaps.all()) == 1


def settle_anyway(act: Callable[[], None]) -> None:
    """As often as connections break."""
    for _ in range(3):
        try:
            act()
        except StoreUnavailable:
            continue
        return


class TestAnAgencyAddedSince:
    def test_its_lanes_are_made_again_in_an_older_copy(self, address: str) -> None:
        copy = older.keep(address)
        worker = opened(address)
        lanes = partial(worker.lanes.open, {LANE: DESTINATION})
        announced = Announced(lanes, lanes, worker.database.doubts)
        announced()
        older.put_back(address, copy)
        for _ in range(3):
            settle_anyway(worker.prove)
            announced()
        worker.inbox.accept([an_arrival("after")])
        waiting = worker.lanes.waiting([LANE])
        worker.close()
        assert [lane.name for lane in waiting] == [LANE]


class TestTheFilesBesideAFile:
    @pytest.mark.parametrize("endings", [["-wal"], ["-wal", "-shm"]])
    def test_a_log_that_was_taken_away_is_noticed_and_what_is_in_it_is_kept(
        self, sqlite_ready: str, endings: list[str]
    ) -> None:
        """By the commit after it: nothing more is kept in a file that ends with the last process."""
        process = opened(sqlite_ready)
        process.inbox.accept([an_arrival("before")])
        file = Path(sqlite_ready.removeprefix("sqlite:///"))
        for ending in endings:
            file.with_name(file.name + ending).unlink()
        with pytest.raises(StoreUnavailable, match="taken away"):
            process.inbox.accept([an_arrival("meanwhile")])
        assert process.inbox.accept([an_arrival("after"), an_arrival("before")]) == [True, False]
        assert process.gaps.open() is None
        process.close()


@pytest.mark.slow
def test_who_waits_for_another_process_that_migrates_is_told(postgres_address: str) -> None:
    with psycopg.connect(postgres_address) as other:
        other.execute("SELECT pg_advisory_lock(7263841)")
        with pytest.raises(StoreUnavailable, match="holds a lock"):
            opened(postgres_address)
