"""People learn that the database cannot be written, and that it can again, without a database."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from connector.errors import AlarmNotSent
from connector.insight.alarms import MINUTE
from connector.insight.outage import Outage, as_content, duration, read_outage
from connector.insight.outage_watch import OutageWatch
from connector.insight.sending import Subscriber
from connector.store.meaning import damaged

EVERY = 60 * MINUTE
WRITTEN = "[sunrise] database cannot be written"
DAMAGED = "[sunrise] database damaged"
BROKEN = damaged("its pages contradict each other")


class Folder:
    """A state folder that two processes share, and who has the lock."""

    def __init__(self) -> None:
        self.content: dict[str, dict[str, Any]] = {}
        self.owner: object = None

    def read(self, name: str) -> dict[str, Any] | None:
        return self.content.get(name)

    def write(self, name: str, content: Mapping[str, Any]) -> None:
        self.content[name] = dict(content)


class Lock:
    def __init__(self, folder: Folder) -> None:
        self.folder = folder

    def acquire(self) -> bool:
        if self.folder.owner is None:
            self.folder.owner = self
        return self.folder.owner is self

    def release(self) -> None:
        self.folder.owner = None


class Proof:
    written_at = 0.0
    problem = ""


class People:
    """A mailbox and a chat, either of which may be out of order."""

    def __init__(self) -> None:
        self.mail, self.chat = list[str](), list[str]()
        self.out_of_order: set[str] = set()

    def way(self, name: str) -> Any:
        def send(subject: str, body: str) -> None:
            if name in self.out_of_order:
                raise AlarmNotSent(name, "is out of order")
            getattr(self, name).append(subject + "\n" + body)

        return send

    def subjects(self, name: str = "mail") -> list[str]:
        return [text.splitlines()[0] for text in getattr(self, name)]


class Process:
    """A process that shares a machine's clock and a folder with others."""

    def __init__(self, machine: Machine) -> None:
        self.machine, self.proof = machine, Proof()
        self.lock = Lock(machine.folder)
        ways = {name: machine.people.way(name) for name in ("mail", "chat")}
        self.watch = OutageWatch(
            [Subscriber("sunrise", ways, EVERY)],
            machine.folder,
            self.lock,
            "outage",
            "The worker on web-1",
            self.proof,
            machine.boot,
            lambda: machine.tick,
            lambda: machine.wall,
        )

    def works(self) -> None:
        self.proof.written_at, self.proof.problem = self.machine.tick, ""
        self.watch()

    def fails(self, problem: str = "it is read-only") -> None:
        self.proof.problem = problem
        self.watch()

    def dies(self) -> None:
        if self.machine.folder.owner is self.lock:
            self.machine.folder.owner = None


class Machine:
    boot = "one"

    def __init__(self) -> None:
        self.tick, self.wall = 5_000.0, 1_780_000_000.0
        self.folder, self.people = Folder(), People()

    def later(self, seconds: float) -> None:
        self.tick += seconds
        self.wall += seconds


@pytest.fixture
def machine() -> Machine:
    return Machine()


def out_for(process: Process, seconds: int, step: int = 5) -> None:
    """The database cannot be written for so long."""
    for _ in range(0, seconds, step):
        process.machine.later(step)
        process.fails()


class TestAnOutage:
    def test_is_reported_after_a_minute_and_its_end_with_how_long_it_lasted(self, machine: Machine) -> None:
        worker = Process(machine)
        worker.works()
        out_for(worker, 55)
        assert machine.people.subjects() == []
        out_for(worker, 125)
        machine.later(1)
        worker.works()
        assert machine.people.subjects() == [WRITTEN, "[sunrise] over: database cannot be written"]
        assert "could not write to the database for 60 seconds: it is read-only" in machine.people.mail[0]
        assert "It lasted 3 minutes, from 2026-05-28" in machine.people.mail[1]

    def test_as_short_as_a_restart_of_the_database_alarms_nobody(self, machine: Machine) -> None:
        worker = Process(machine)
        worker.works()
        out_for(worker, 20)
        machine.later(1)
        worker.works()
        assert (machine.people.mail, machine.folder.content["outage"]) == ([], {})

    def test_is_noticed_where_a_write_never_returns(self, machine: Machine) -> None:
        worker = Process(machine)
        worker.works()
        for _ in range(70):
            machine.later(1)
            worker.watch()
        assert "could not write to the database for 60 seconds: no answer" in machine.people.mail[0]

    def test_is_repeated_once_in_each_window(self, machine: Machine) -> None:
        worker = Process(machine)
        worker.works()
        out_for(worker, 2 * 3600 + 120, step=30)
        assert machine.people.subjects() == [WRITTEN] * 3

    def test_of_a_day_says_what_to_replay(self, machine: Machine) -> None:
        worker = Process(machine)
        worker.works()
        out_for(worker, 86_400, step=600)
        machine.later(1)
        worker.works()
        assert "replay what failed since 2026-05-28" in machine.people.mail[-1]

    @pytest.mark.parametrize("jump", [-3600, 3600])
    def test_does_not_depend_on_the_wall_clock(self, machine: Machine, jump: int) -> None:
        worker = Process(machine)
        worker.works()
        machine.wall += jump
        out_for(worker, 65)
        machine.wall -= jump
        out_for(worker, 600)
        assert machine.people.subjects() == [WRITTEN]

    def test_of_a_database_that_comes_and_goes_is_not_reported_each_time(self, machine: Machine) -> None:
        worker = Process(machine)
        for _ in range(5):
            worker.works()
            out_for(worker, 90)
            machine.later(1)
            worker.works()
        assert len(machine.people.mail) == 2
        out_for(worker, 305)
        assert len(machine.people.mail) == 3


class TestDamage:
    def test_is_reported_at_once_and_is_over_with_a_database_that_can_be_written(self, machine: Machine) -> None:
        worker = Process(machine)
        worker.works()
        machine.later(1)
        worker.fails(BROKEN)
        assert machine.people.subjects() == [DAMAGED]
        assert "The worker on web-1: the database is damaged: its pages contradict" in machine.people.mail[0]
        out_for(worker, 120)
        worker.works()
        assert machine.people.subjects() == [DAMAGED, "[sunrise] over: database damaged"]

    def test_is_news_to_those_who_know_that_nothing_can_be_written(self, machine: Machine) -> None:
        worker = Process(machine)
        worker.works()
        out_for(worker, 65)
        worker.fails(BROKEN)
        assert machine.people.subjects() == [WRITTEN, DAMAGED]

    def test_is_not_over_while_the_server_is_stopped_for_its_repair(self, machine: Machine) -> None:
        worker = Process(machine)
        worker.works()
        worker.fails(BROKEN)
        out_for(worker, 3600 + 60, step=30)
        worker.dies()
        after = Process(machine)
        machine.later(30)
        after.fails()
        assert machine.people.subjects() == [DAMAGED] * 2
        after.works()
        assert machine.people.subjects()[2:] == ["[sunrise] over: database damaged"]

    def test_of_a_database_that_comes_and_goes_is_reported_at_once_too(self, machine: Machine) -> None:
        worker = Process(machine)
        for _ in range(2):
            worker.works()
            out_for(worker, 90)
            worker.works()
        worker.fails(BROKEN)
        assert machine.people.subjects()[-1] == DAMAGED


class TestAWayThatIsBroken:
    def test_keeps_no_other_from_being_used_and_is_tried_again(self, machine: Machine) -> None:
        worker = Process(machine)
        worker.works()
        machine.people.out_of_order.add("chat")
        out_for(worker, 200)
        assert (len(machine.people.mail), machine.people.chat) == (1, [])
        machine.people.out_of_order.clear()
        out_for(worker, 65)
        assert (len(machine.people.mail), len(machine.people.chat)) == (1, 1)

    def test_learns_that_it_is_over_once_it_works_again(self, machine: Machine) -> None:
        worker = Process(machine)
        worker.works()
        out_for(worker, 65)
        machine.people.out_of_order.add("chat")
        for _ in range(3):
            machine.later(70)
            worker.works()
        machine.people.out_of_order.clear()
        machine.later(70)
        worker.works()
        assert machine.people.subjects("chat") == machine.people.subjects("mail")
        assert "It lasted 2 minutes" in machine.people.chat[-1]


class TestSeveralProcesses:
    def test_of_one_machine_report_it_once(self, machine: Machine) -> None:
        processes = [Process(machine), Process(machine)]
        for process in processes:
            process.works()
        for _ in range(20):
            machine.later(5)
            for process in processes:
                process.fails()
        machine.later(1)
        for process in processes:
            process.works()
        assert machine.people.subjects() == [WRITTEN, "[sunrise] over: database cannot be written"]

    def test_report_that_it_is_over_only_when_it_is_for_who_reported_it(self, machine: Machine) -> None:
        worker, receiver = Process(machine), Process(machine)
        receiver.works()
        worker.works()
        for _ in range(20):
            machine.later(5)
            receiver.works()
            worker.fails()
        assert machine.people.subjects() == [WRITTEN]

    def test_go_on_where_one_of_them_died(self, machine: Machine) -> None:
        first, second = Process(machine), Process(machine)
        first.works()
        second.works()
        out_for(first, 65)
        first.dies()
        out_for(second, 65)
        second.works()
        assert machine.people.subjects() == [WRITTEN, "[sunrise] over: database cannot be written"]


class TestARestart:
    def test_in_the_middle_repeats_nothing_and_reports_the_end(self, machine: Machine) -> None:
        before = Process(machine)
        before.works()
        out_for(before, 65)
        before.dies()
        after = Process(machine)
        out_for(after, 300)
        machine.later(1)
        after.works()
        assert machine.people.subjects() == [WRITTEN, "[sunrise] over: database cannot be written"]
        assert "It lasted 6 minutes" in machine.people.mail[1]

    def test_without_the_file_repeats_it_once(self, machine: Machine) -> None:
        before = Process(machine)
        before.works()
        out_for(before, 65)
        before.dies()
        machine.folder.content.clear()
        out_for(Process(machine), 300)
        assert machine.people.subjects() == [WRITTEN] * 2

    def test_again_and_again_while_it_lasts_does_not_keep_it_from_being_reported(self, machine: Machine) -> None:
        for _ in range(8):
            process = Process(machine)
            machine.later(10)
            process.proof.problem = "it does not answer"
            process.watch(ending=True)
            process.dies()
        assert machine.people.subjects() == [WRITTEN]

    def test_of_the_machine_repeats_nothing(self, machine: Machine) -> None:
        before = Process(machine)
        before.works()
        out_for(before, 65)
        before.dies()
        machine.tick, machine.boot = 20.0, "two"
        after = Process(machine)
        out_for(after, 300)
        machine.later(1)
        after.works()
        assert machine.people.subjects() == [WRITTEN, "[sunrise] over: database cannot be written"]


class TestWhatIsKept:
    def test_comes_back_as_it_was(self) -> None:
        outage = Outage(1, None, {"sunrise mail": 2}, damaged=True)
        assert read_outage(as_content(outage, "one"), "one", 9) == outage

    @pytest.mark.parametrize("content", [None, {}])
    def test_is_nothing_without_an_outage(self, content: dict[str, Any] | None) -> None:
        assert read_outage(content, "one", 9) is None

    @pytest.mark.parametrize("content", [{"since": 1}, {"boot": "one", "since": "x", "until": None, "sent": {}}])
    def test_is_nothing_where_it_cannot_be_read(self, content: dict[str, Any]) -> None:
        assert read_outage(content, "one", 9) is None


@pytest.mark.parametrize(
    ("ms", "text"),
    [(61_000, "61 seconds"), (120_000, "2 minutes"), (3_600_000, "1 h 0 min"), (90_061_000, "25 h 1 min")],
)
def test_a_duration_is_written_for_people(ms: int, text: str) -> None:
    assert duration(ms) == text
