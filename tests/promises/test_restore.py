"""An older copy of the store takes its place: nothing is made twice, and what is sent again brings all up to date."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from connector.delivery.plan_ahead import PlannedAhead
from connector.errors import FixConfiguration
from connector.model import Entry, Mark, Stamp, Timing
from connector.running.backup import backup, restored
from connector.store import Store
from connector.store.database import open_database
from connector.store.desk import Filter
from connector.store.entries import doubt
from tests.builders import DATA_KEY, NOON, an_arrival
from tests.conftest import Clock
from tests.contracts import older
from tests.promises.crm import BY_HAND
from tests.promises.stage import HOLD, Stage, a_person, open_stage


@pytest.fixture
def stage(tmp_path: Path, clock: Clock) -> Iterator[Stage]:
    with open_stage(f"sqlite:///{tmp_path}/connector.db", clock) as stage:
        yield stage


def deliver(stage: Stage, message_id: str, payload: dict[str, Any]) -> None:
    stage.accept(message_id, payload)
    stage.drain()


def copied(stage: Stage, folder: Path) -> Path:
    backup(stage.store, folder / "backup.db", lambda part: None)
    return folder / "backup.db"


@contextmanager
def put_back(stage: Stage, copy: Path, clock: Clock) -> Iterator[Stage]:
    """The copy in the place of a store that is gone; the CRM has gone on."""
    store = Store(open_database(f"sqlite:///{copy}", {"CONNECTOR_DATA_KEY": DATA_KEY}, clock))
    later = Stage.__new__(Stage)
    later.ahead = PlannedAhead()
    later.store, later.clock, later.crm, later.mapping, later.route = (
        store, clock, stage.crm, stage.mapping, stage.route,
    )  # fmt: skip
    later.ahead = PlannedAhead()
    clock.forward(HOLD)
    yield later
    store.close()


class TestRestoring:
    def test_what_waited_in_the_copy_is_delivered_once(self, stage: Stage, clock: Clock, tmp_path: Path) -> None:
        stage.accept("waited", a_person("c-1", 1, city="Rome"))
        copy = copied(stage, tmp_path)
        stage.drain()
        with put_back(stage, copy, clock) as later:
            later.drain()
            assert (len(later.crm.all("Contact", "c-1")), later.state("waited")[0]) == (1, "delivered")

    def test_events_since_the_copy_come_again_and_are_no_duplicates(
        self, stage: Stage, clock: Clock, tmp_path: Path
    ) -> None:
        deliver(stage, "before", a_person("c-1", 1, city="Rome"))
        copy = copied(stage, tmp_path)
        deliver(stage, "after", a_person("c-1", 5, city="Oslo"))
        deliver(stage, "new", a_person("c-2", 5, city="Bonn"))
        with put_back(stage, copy, clock) as later:
            assert later.accept("before", a_person("c-1", 1, city="Rome")) is False
            deliver(later, "new", a_person("c-2", 5, city="Bonn"))
            deliver(later, "after", a_person("c-1", 5, city="Oslo"))
            assert [len(later.crm.all("Contact", one)) for one in ("c-1", "c-2")] == [1, 1]
            assert (later.contact()["City"], later.contact("c-2")["City"], later.crm.broken) == ("Oslo", "Bonn", [])

    @pytest.mark.slow
    @pytest.mark.parametrize("order", [("lost", "next"), ("next", "lost")], ids="-".join)
    def test_a_value_that_came_back_since_is_written_though_the_copy_remembers_it(
        self, stage: Stage, clock: Clock, tmp_path: Path, order: tuple[str, ...]
    ) -> None:
        told = {"lost": a_person("c-1", 5, city="Oslo"), "next": a_person("c-1", 9, city="Rome")}
        deliver(stage, "before", a_person("c-1", 1, city="Rome"))
        copy = copied(stage, tmp_path)
        deliver(stage, "lost", told["lost"])
        with put_back(stage, copy, clock) as later:
            for name in order:
                deliver(later, name, told[name])
            assert later.contact()["City"] == "Rome"

    def test_what_people_edited_since_stays_theirs(self, stage: Stage, clock: Clock, tmp_path: Path) -> None:
        deliver(stage, "before", a_person("c-1", 1, agentName="Ana"))
        copy = copied(stage, tmp_path)
        stage.contact()["Owner"] = BY_HAND
        with put_back(stage, copy, clock) as later:
            deliver(later, "after", a_person("c-1", 5, agentName="Eve"))
            assert (later.contact()["Owner"], later.crm.broken) == (BY_HAND, [])

    def test_what_nobody_edited_is_still_ours(self, stage: Stage, clock: Clock, tmp_path: Path) -> None:
        deliver(stage, "before", a_person("c-1", 1, agentName="Ana"))
        with put_back(stage, copied(stage, tmp_path), clock) as later:
            deliver(later, "after", a_person("c-1", 5, agentName="Eve"))
            assert later.contact()["Owner"] == "Eve"

    @pytest.mark.parametrize("order", [("lost", "next"), ("next", "lost")], ids="-".join)
    @pytest.mark.parametrize("together", [False, True], ids=["apart", "together"])
    def test_what_a_lost_event_wrote_to_a_field_people_may_edit_is_ours_once_it_comes_again(
        self, stage: Stage, clock: Clock, tmp_path: Path, order: tuple[str, ...], together: bool
    ) -> None:
        events = {"lost": a_person("c-1", 5, agentName="Eve"), "next": a_person("c-1", 9, agentName="Kim")}
        deliver(stage, "before", a_person("c-1", 1, agentName="Ana"))
        copy = copied(stage, tmp_path)
        deliver(stage, "lost", events["lost"])
        with put_back(stage, copy, clock) as later:
            for name in order:
                later.accept(name, events[name])
                if not together:
                    later.drain()
            later.drain()
            assert (later.contact()["Owner"], later.crm.broken) == ("Kim", [])

    @pytest.mark.parametrize("order", [("lost", "next"), ("next", "lost")], ids="-".join)
    def test_the_same_of_a_record_that_the_copy_does_not_know(
        self, stage: Stage, clock: Clock, tmp_path: Path, order: tuple[str, ...]
    ) -> None:
        events = {"lost": a_person("c-1", 5, agentName="Eve"), "next": a_person("c-1", 9, agentName="Kim")}
        copy = copied(stage, tmp_path)
        deliver(stage, "lost", events["lost"])
        with put_back(stage, copy, clock) as later:
            for name in order:
                deliver(later, name, events[name])
            assert (later.contact()["Owner"], later.crm.broken) == ("Kim", [])

    def test_what_was_compared_with_an_old_ledger_is_delivered_again(
        self, stage: Stage, clock: Clock, tmp_path: Path
    ) -> None:
        deliver(stage, "before", a_person("c-1", 1, city="Rome"))
        copy = older.keep(f"sqlite:///{tmp_path}/connector.db")
        deliver(stage, "lost", a_person("c-1", 5, city="Oslo"))
        with put_back(stage, Path(copy), clock) as later:
            deliver(later, "next", a_person("c-1", 9, city="Rome"))
            assert later.contact()["City"] == "Oslo"  # the old ledger knows no better
            restored(later.store)
            later.drain()
            assert later.contact()["City"] == "Rome"

    def test_a_copy_made_otherwise_is_put_in_doubt_by_hand(self, stage: Stage) -> None:
        deliver(stage, "before", a_person("c-1", 1, city="Rome"))
        assert restored(stage.store) == 1
        stage.contact()["City"] = "Oslo"  # as an event said that is lost
        deliver(stage, "next", a_person("c-1", 9, city="Rome"))
        assert stage.contact()["City"] == "Rome"

    def test_what_moved_forward_is_known_all_the_same(self) -> None:
        """People may have moved it back since: it is brought once."""
        entry = Entry("1", {"Status": Mark(Stamp(1, "a"), "said", timing=Timing.FORWARD)})
        assert doubt(entry).fields["Status"].digest == "said"

    def test_doubting_twice_is_doubting_once(self) -> None:
        mark = Mark(Stamp(1, "a"), "d")
        entry = Entry("003", {"City": mark}, {"Call": mark})
        assert doubt(doubt(entry)) == doubt(entry)


class TestCopying:
    def test_the_copy_is_one_whole_file_for_its_owner_alone(self, stage: Stage, tmp_path: Path) -> None:
        stage.accept("one", a_person("c-1", 1))
        copy = copied(stage, tmp_path)
        assert copy.stat().st_mode & 0o777 == 0o600
        assert sorted(path.name for path in tmp_path.glob("backup.db*")) == ["backup.db"]

    def test_what_exists_is_never_overwritten(self, stage: Stage, tmp_path: Path) -> None:
        (tmp_path / "backup.db").write_text("precious")
        with pytest.raises(FixConfiguration, match="exists already"):
            copied(stage, tmp_path)
        assert (tmp_path / "backup.db").read_text() == "precious"

    def test_a_folder_that_is_not_there_is_told(self, stage: Stage, tmp_path: Path) -> None:
        with pytest.raises(FixConfiguration, match="cannot be made"):
            copied(stage, tmp_path / "nowhere")

    def test_traffic_goes_on_and_the_copy_is_of_the_moment_it_began(self, stage: Stage, tmp_path: Path) -> None:
        for number in range(40):
            stage.store.inbox.accept([an_arrival(f"m{number}", body=b"x" * 200_000)])
        during: list[float] = []

        def told(part: float) -> None:
            stage.accept(f"during {len(during)}", a_person("c-1", 1))
            during.append(part)

        backup(stage.store, tmp_path / "backup.db", told)
        copy = Store(open_database(f"sqlite:///{tmp_path}/backup.db", {"CONNECTOR_DATA_KEY": DATA_KEY}, lambda: NOON))
        held = len(copy.desk.deliveries(Filter(), 1000))
        copy.close()
        assert len(during) > 1
        assert (held, len(stage.store.desk.deliveries(Filter(), 1000))) == (40, 40 + len(during))

    def test_a_shared_database_is_left_to_its_own_tool(self, postgres_address: str, tmp_path: Path) -> None:
        store = Store(open_database(postgres_address, {"CONNECTOR_DATA_KEY": DATA_KEY}))
        with pytest.raises(FixConfiguration, match="pg_dump"):
            backup(store, tmp_path / "backup.db", lambda part: None)
        store.close()
