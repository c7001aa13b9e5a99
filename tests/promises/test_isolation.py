"""One event over which the CRM fails as a whole becomes a dead letter; everything else goes on, in few calls."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from flask import Response, request
from sqlalchemy import select

from connector.delivery.route import Pace, Route, Running
from connector.delivery.turn import deliver
from connector.destinations import VENDORS
from connector.mapping import load, shipped_folder
from connector.store.consent_tables import obligations
from tests.conftest import Clock
from tests.destinations import hubspot_fixtures, salesforce_fixtures
from tests.promises.crm import Fault
from tests.promises.stage import DESTINATION, HOLD, ZONE, Stage, a_person, open_stage

POISON = "Poisonous"
GARBAGE = Response("<html>Request blocked</html>", 200, content_type="text/html")
TRUNCATED = Response('{"status": "COMPL', 200, content_type="application/json")


class World:
    """A shipped mapping between a real store and a CRM's sandbox, whose clock is turned by hand."""

    names: Sequence[str] = ()

    def __init__(self, stage: Stage, sandbox: Any, destination: Any, crm: str) -> None:
        self.stage, self.sandbox, self.crm = stage, sandbox, crm
        name = {"hubspot": "hubspot.yaml", "salesforce": "salesforce-contact.yaml"}[crm]
        loaded = load(shipped_folder() / name, shipped=shipped_folder(), crms=VENDORS)
        assert loaded.mapping is not None
        self.route = Route(DESTINATION, destination, Running(loaded.mapping), ZONE)

    def accept(self, *names: str, **more: Any) -> None:
        for name in names:
            changes = {"firstName": name, "email": f"{name}@example.com".lower(), **more}
            self.stage.accept(f"m-{name}", a_person(f"c-{name}", 1, **changes))

    def turn(self) -> bool:
        """A worker's turn; whether there was one."""
        pace = Pace(1000, HOLD, roll=lambda: 0.5)
        lease = self.stage.lease()
        if lease is None:
            return False
        while deliver(self.stage.store, self.route, lease, pace):
            continue
        self.stage.store.lanes.release(lease)
        return True

    def pass_time(self, seconds: int) -> None:
        step = max(5, seconds // 2_000)  # a day in smaller steps takes half a minute
        for _ in range(seconds // step):
            self.stage.clock.forward(step * 1_000)
            while self.turn():
                continue

    def fails_over(self, text: str, answer: Response, *, after: int = 0) -> None:
        """From now on the CRM gives this answer to every write that holds the text."""

        def act(handle: Callable[[], Response]) -> Response:
            return answer if text in request.get_data(as_text=True) else handle()

        self.sandbox.fault("batch" if self.crm == "hubspot" else "composite", act, times=10_000)

    def states(self) -> dict[tuple[str, str], list[str]]:
        """(state, code) -> the first names of its events."""
        states: dict[tuple[str, str], list[str]] = {}
        for name in self.names:
            states.setdefault(self.stage.state(f"m-{name}"), []).append(name)
        return states

    def crm_id(self, name: str) -> str:
        (known,) = self.stage.store.ledger.records_of(DESTINATION, [f"c-{name}"])
        return known.crm_id

    def opt_outs(self) -> dict[str, tuple[str, str]]:
        """Customer -> (state, code) of its opt-out."""
        with self.stage.store.database.reading() as connection:
            rows = connection.execute(select(obligations))
            return {row.customer_id: (row.state, row.code) for row in rows}


@pytest.fixture(params=["hubspot", "salesforce"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    crm: AbstractContextManager[Any]
    if request.param == "hubspot":
        crm = hubspot_fixtures.sandbox_and_destination(index_lag=0.0)
    else:
        crm = salesforce_fixtures.sandbox_and_destination()
    with open_stage(f"sqlite:///{tmp_path}/connector.db", Clock()) as stage, crm as (sandbox, destination):
        yield World(stage, sandbox, destination, request.param)


GOOD = tuple(f"Good{number}" for number in range(200))


class TestOnePoisonousEvent:
    @pytest.mark.slow
    @pytest.mark.parametrize("answer", [GARBAGE, TRUNCATED], ids=["html", "truncated"])
    def test_is_set_aside_and_the_good_ones_arrive_in_few_calls(self, world: World, answer: Response) -> None:
        world.names = (*GOOD[:77], POISON, *GOOD[77:])
        world.accept(*world.names)
        world.fails_over(POISON, answer)
        world.pass_time(120)
        states = world.states()
        assert states.pop(("dead", "UNANSWERED")) == [POISON]
        assert {state: len(names) for state, names in states.items()} == {("delivered", ""): 200}
        assert world.stage.lane().paused_until <= world.stage.clock()
        assert len(world.sandbox.seen) < 120
        assert not world.turn()


class TestTroubleOfTheWholeAccount:
    @pytest.mark.parametrize(
        "status", [200, 403, *(pytest.param(status, marks=pytest.mark.slow) for status in (500, 418))]
    )
    def test_never_becomes_a_dead_letter_and_is_asked_ever_more_rarely(self, world: World, status: int) -> None:
        world.names = GOOD[:30]
        world.accept(*world.names)
        page = Response("<html>We will be back</html>", status, content_type="text/html")
        world.fails_over("", page)
        world.pass_time(6 * 3600)
        assert set(world.states()) == {("ready", "")}
        assert len(world.sandbox.seen) < 6 * 4 * 4 + 200
        world.sandbox.faults.clear()
        world.pass_time(1800)
        assert set(world.states()) == {("delivered", "")}

    @pytest.mark.slow
    def test_that_comes_in_the_middle_of_a_search_blames_few(self, world: World) -> None:
        world.names = (*GOOD[:60], POISON)
        world.accept(*world.names)
        world.fails_over(POISON, GARBAGE)
        world.pass_time(30)
        world.sandbox.faults.clear()
        world.sandbox.fault("composite" if world.crm == "salesforce" else "batch", GARBAGE, times=10_000, skip=1)
        world.pass_time(3600)
        assert len(world.states().get(("dead", "UNANSWERED"), [])) <= 5
        world.sandbox.faults.clear()
        world.pass_time(1800)
        assert {code for _, code in world.states()} <= {"", "UNANSWERED"}


class TestALonePoisonousEvent:
    def test_waits_until_another_event_shows_that_it_is_the_cause(self, world: World) -> None:
        world.names = (POISON,)
        world.accept(POISON)
        world.fails_over(POISON, GARBAGE)
        world.pass_time(3600)
        assert {state for state, _ in world.states()} == {"ready"}
        world.names = (POISON, "Good")
        world.accept("Good")
        world.pass_time(1800)
        states = world.states()
        assert states.pop(("delivered", "")) == ["Good"]
        assert set(states) <= {("dead", "UNANSWERED"), ("ready", "UNREADABLE_REPLY")}  # the latter holds nothing up

    @pytest.mark.slow
    def test_is_given_up_after_a_day(self, world: World) -> None:
        world.names = (POISON,)
        world.accept(POISON)
        world.fails_over(POISON, GARBAGE)
        world.pass_time(26 * 3600)
        assert world.states().keys() <= {("dead", "UNANSWERED"), ("dead", "UNREADABLE_REPLY")}


class TestManyPoisonousEvents:
    @pytest.mark.slow
    def test_are_all_set_aside(self, world: World) -> None:
        poison = [f"{POISON}{number}" for number in range(12)]
        world.names = (*GOOD[:20], *poison, *GOOD[20:60])
        world.accept(*world.names)
        world.fails_over(POISON, GARBAGE)
        world.pass_time(3600)
        states = world.states()
        assert sorted(states.pop(("dead", "UNANSWERED"))) == sorted(poison)
        assert set(states) == {("delivered", "")}


class TestAPoisonousOptOut:
    @pytest.mark.slow
    def test_is_refused_alone_and_holds_up_nothing(self, world: World) -> None:
        world.names = (*GOOD[:40], POISON, *GOOD[40:80])
        world.accept(*world.names)
        world.pass_time(5)
        for name in world.names:
            opted_out = a_person(f"c-{name}", 2, firstName=name, email=f"{name}@example.com".lower(), doNotCall=True)
            world.stage.accept(f"n-{name}", opted_out)
        seen = len(world.sandbox.seen)
        world.fails_over(f'"{world.crm_id(POISON)}"', GARBAGE)
        world.pass_time(300)
        states = world.opt_outs()
        not_written = {("refused", "UNANSWERED"), ("owed", "UNREADABLE_REPLY"), ("owed", "reply")}
        assert states.pop(f"c-{POISON}") in not_written
        assert set(states.values()) == {("applied", "")}
        assert world.stage.state("n-Good0")[0] == "delivered"
        assert len(world.sandbox.seen) - seen < 200

    @pytest.mark.slow
    def test_of_an_account_that_gives_no_answers_is_neither_refused_nor_asked_for_all_the_time(
        self, world: World
    ) -> None:
        world.accept(*GOOD[:30], doNotCall=True)
        world.fails_over("", GARBAGE)
        world.pass_time(6 * 3600)
        assert {state for state, _ in world.opt_outs().values()} <= {"owed", "no record"}
        assert len(world.sandbox.seen) < 500
        world.sandbox.faults.clear()
        world.pass_time(2 * 3600)
        assert set(world.opt_outs().values()) == {("applied", "")}

    @pytest.mark.slow
    def test_leaves_the_search_where_the_account_fails_meanwhile(self, world: World) -> None:
        world.accept(*GOOD[:4])
        world.pass_time(5)
        for name in GOOD[:4]:
            world.stage.accept(f"n-{name}", a_person(f"c-{name}", 2, firstName=name, doNotCall=True))
        # HubSpot is asked twice more after a reply that cannot be read.
        write, times = ("/batch/update", 3) if world.crm == "hubspot" else ("/composite/sobjects", 1)
        world.sandbox.fault(write, GARBAGE, times=times)
        world.sandbox.fault(write, Response("<html>down</html>", 503, content_type="text/html"), skip=1, times=99)
        assert world.turn()
        assert world.stage.lane().paused
        world.sandbox.faults.clear()
        world.pass_time(3600)
        assert set(world.opt_outs().values()) == {("applied", "")}


class TestAnOlderEventThatGoesAlone:
    def test_exposes_nobody_whose_newer_event_waits(self, stage: Stage) -> None:
        may_text = {"phoneNumber": "+16025550100", "doNotSMS": False}
        stage.accept("m", a_person("c-1", 1, **may_text))
        stage.accept("o", a_person("c-2", 1, phoneNumber=None))
        for _ in range(3):
            stage.crm.faults.append(Fault.DOWN)
            stage.drain()
            stage.clock.forward(3_600_000)
        stage.accept("n", a_person("c-1", 2, **(may_text | {"doNotSMS": None})))
        stage.drain_in_time()
        assert stage.state("n")[0] == "delivered"
        assert [row.fields["Mobile"] for row in stage.crm.writes if row.fields.get("Mobile")] == []
