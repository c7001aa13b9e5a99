"""One history: an older database in the place of ours is noticed, and put in order while everything runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from connector.backoff import DAY
from connector.errors import LeaseLost, PauseReason, StoreUnavailable
from connector.running.marks import Marks, check_files
from connector.running.state import State
from connector.settlement import Settlement
from connector.settlement.gaps import Lost
from connector.store import Store
from connector.store.database import open_database
from connector.store.lanes import Lease
from tests.builders import DATA_KEY, DESTINATION, LANE, an_arrival
from tests.contracts import older

HOLD = 60_000


def opened(address: str) -> Store:
    store = Store(open_database(address, {"CONNECTOR_DATA_KEY": DATA_KEY}))
    store.lanes.open({LANE: DESTINATION})
    return store


@pytest.fixture
def address(database_address: str) -> Iterator[str]:
    opened(database_address).close()
    yield database_address
    older.drop(database_address)


@pytest.fixture
def process(address: str) -> Iterator[Store]:
    store = opened(address)
    yield store
    store.close()


def accepted(store: Store, *names: str) -> list[bool]:
    """Accept events, as often as a sender tries while connections break."""
    for _ in range(3):
        try:
            return store.inbox.accept([an_arrival(name) for name in names])
        except StoreUnavailable:
            continue
    return store.inbox.accept([an_arrival(name) for name in names])


def settled(store: Store, lease: Lease) -> None:
    """Settle a batch, as often as connections break."""
    for _ in range(3):
        try:
            store.lanes.settle(lease, Settlement("v1"), HOLD)
        except StoreUnavailable:
            continue


def gap(store: Store) -> Lost:
    missing = store.gaps.open()
    assert missing is not None
    return missing


class TestNoticing:
    @pytest.mark.slow
    def test_a_database_that_goes_on_is_no_gap(self, process: Store, tmp_path: Path) -> None:
        marks = Marks(process, State(tmp_path), "receive")
        for name in ("a", "b"):
            accepted(process, name)
            marks.look()
        assert process.gaps.open() is None

    @pytest.mark.slow
    def test_a_process_that_starts_with_a_wrong_clock_deletes_no_count_of_another(
        self, process: Store, address: str, tmp_path: Path
    ) -> None:
        accepted(process, "a")
        ahead = process.database.moment() + 100 * DAY
        wrong = Store(open_database(address, {"CONNECTOR_DATA_KEY": DATA_KEY}, lambda: ahead))
        with Marks(wrong, State(tmp_path), "work").kept():
            accepted(process, "b")
        wrong.close()
        assert process.gaps.open() is None

    def test_what_is_accepted_after_a_failover_is_kept_and_the_gap_is_counted(
        self, process: Store, address: str
    ) -> None:
        accepted(process, "before")
        copy = older.keep(address)
        before = process.database.moment()
        accepted(process, "lost 1", "lost 2")
        accepted(process, "lost 3")
        older.put_back(address, copy)
        assert accepted(process, "after") == [True]
        missing = gap(process)
        assert (missing.events, missing.another) == (3, False)
        assert missing.since <= before <= missing.until

    @pytest.mark.slow
    def test_a_commit_that_failed_is_no_gap(self, process: Store, address: str) -> None:
        accepted(process, "before")
        older.put_back(address, older.keep(address))
        accepted(process, "after")
        accepted(process, "later")
        assert process.gaps.open() is None

    @pytest.mark.slow
    def test_a_copy_that_has_gone_further_than_what_it_replaced_is_noticed(self, process: Store, address: str) -> None:
        accepted(process, "before")
        copy = older.keep(address)
        accepted(process, "lost")
        older.put_back(address, copy)
        other = opened(address)
        for name in ("x", "y", "z"):
            accepted(other, name)
        assert other.gaps.open() is None
        accepted(process, "after")
        assert gap(process).events == 1
        other.close()

    def test_a_process_that_starts_notices_by_its_file(self, address: str, tmp_path: Path) -> None:
        process = opened(address)
        accepted(process, "before")
        copy = older.keep(address)
        accepted(process, "lost 1", "lost 2")
        Marks(process, State(tmp_path), "receive").look()
        process.close()
        older.put_back(address, copy)
        later = opened(address)
        check_files(later, State(tmp_path))
        assert gap(later).events == 2
        check_files(later, State(tmp_path))
        assert len(later.gaps.all()) == 1
        later.close()

    def test_an_idle_process_notices_when_it_looks(self, process: Store, address: str, tmp_path: Path) -> None:
        marks = Marks(process, State(tmp_path), "receive")
        accepted(process, "before")
        copy = older.keep(address)
        accepted(process, "lost")
        older.put_back(address, copy)
        for _ in range(3):
            marks.look()
        assert gap(process).events == 1

    @pytest.mark.slow
    def test_an_empty_database_in_the_same_place_is_noticed(self, address: str, tmp_path: Path) -> None:
        store = opened(address)
        copy = ""
        if not address.startswith("sqlite"):
            pytest.skip("needs the file to be taken away")
        accepted(store, "lost")
        Marks(store, State(tmp_path / "state"), "receive").look()
        store.close()
        Path(address.removeprefix("sqlite:///")).unlink()
        later = opened(address)
        check_files(later, State(tmp_path / "state"))
        assert (gap(later).another, gap(later).since, copy) == (True, 0, "")
        later.close()

    @pytest.mark.slow
    def test_a_database_made_otherwise_in_the_place_of_a_running_process_is_noticed(
        self, address: str, tmp_path: Path
    ) -> None:
        if not address.startswith("sqlite"):
            pytest.skip("needs the file to be replaced")
        made = f"sqlite:///{tmp_path}/older.db"
        opened(made).close()
        process = opened(address)
        accepted(process, "lost")
        older.put_back(address, f"{tmp_path}/older.db")
        accepted(process, "after")
        later = opened(address)
        assert (gap(process).another, gap(process).since) == (True, 0)
        assert process.database.identity == later.database.identity
        process.close()
        later.close()

    @pytest.mark.slow
    def test_another_database_elsewhere_is_no_gap(self, process: Store, tmp_path: Path) -> None:
        accepted(process, "here")
        Marks(process, State(tmp_path / "state"), "receive").look()
        elsewhere = opened(f"sqlite:///{tmp_path}/elsewhere.db")
        check_files(elsewhere, State(tmp_path / "state"))
        assert elsewhere.gaps.open() is None
        elsewhere.close()

    @pytest.mark.slow
    @pytest.mark.parametrize(
        "data",
        [
            {},
            {"points": 1},
            *(
                {"database": "x", "process": "y", "points": {"inbox": numbers}}
                for numbers in (["a"], [float("inf")] * 4, [10**30] * 4, [1, 1, -5, 0])
            ),
        ],
    )
    def test_a_damaged_file_says_nothing(self, process: Store, tmp_path: Path, data: dict[str, object]) -> None:
        State(tmp_path).write("history-receive", data)
        check_files(process, State(tmp_path))
        assert process.gaps.open() is None


class TestPausing:
    def test_no_lane_is_leased_for_deliveries_while_a_gap_is_open(self, process: Store, address: str) -> None:
        accepted(process, "before")
        copy = older.keep(address)
        accepted(process, "lost")
        older.put_back(address, copy)
        accepted(process, "after")
        assert process.lanes.lease("worker", [LANE], HOLD) is None
        assert process.lanes.next_due_ms([LANE], HOLD) == HOLD
        (lane,) = process.desk.lanes()
        assert (lane.paused, lane.pause_code) == (True, PauseReason.HISTORY)

    def test_a_batch_that_was_read_before_is_not_recorded(self, process: Store, address: str) -> None:
        accepted(process, "before")
        lease = process.lanes.lease("worker", [LANE], HOLD)
        assert lease is not None
        copy = older.keep(address)
        for _ in range(2):
            try:
                process.lanes.intend(lease, [], HOLD)
                break
            except StoreUnavailable:
                continue
        older.put_back(address, copy)
        with pytest.raises(LeaseLost):
            settled(process, lease)
        assert gap(process).events == 0


class TestRestored:
    def test_it_resolves_the_gap_and_takes_every_lane(self, process: Store, address: str) -> None:
        accepted(process, "before")
        copy = older.keep(address)
        accepted(process, "lost")
        older.put_back(address, copy)
        accepted(process, "after")
        done = process.restoring.run(process.restoring.plan(), "cli:ana")
        assert done.gap is not None
        assert done.gap.events == 1
        assert process.gaps.open() is None
        assert process.lanes.lease("worker", [LANE], HOLD) is not None
        assert process.audit.entries()[0].action == "restored"

    def test_a_batch_under_way_is_not_recorded(self, process: Store) -> None:
        accepted(process, "before")
        lease = process.lanes.lease("worker", [LANE], HOLD)
        assert lease is not None
        process.restoring.run(process.restoring.plan(), "cli:ana")
        with pytest.raises(LeaseLost):
            process.lanes.settle(lease, Settlement("v1"), HOLD)

    @pytest.mark.slow
    def test_what_is_noticed_after_it_is_noted_and_holds_nothing(self, process: Store, address: str) -> None:
        accepted(process, "before")
        copy = older.keep(address)
        accepted(process, "lost")
        older.put_back(address, copy)
        operator = opened(address)
        operator.restoring.run(operator.restoring.plan(), "cli:ana")
        operator.close()
        accepted(process, "after")
        assert process.gaps.open() is None
        assert [noted.events for noted in process.gaps.all()] == [1]
