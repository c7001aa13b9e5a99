"""The evidence of consent: what the report says of an opt-out is what became of it."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy.event import listen

from connector.delivery.route import Running
from connector.store.desk import Filter
from connector.store.evidence import OptOut
from connector.store.opt_outs import STEP, Period
from tests.builders import NOON
from tests.promises.crm import REFUSED, Fault
from tests.promises.stage import ACTIVE_ONLY, DESTINATION, HOUR, LANE, Stage, a_person, a_talk
from tests.promises.test_obligations import moved

EVER = Period(0, 2**62)


def lines(stage: Stage, period: Period = EVER) -> list[OptOut]:
    return list(stage.store.opt_outs.report(period))


def line(stage: Stage) -> OptOut:
    (one,) = lines(stage)
    return one


def pass_on(stage: Stage, message_id: str, payload: dict[str, Any]) -> None:
    stage.accept(message_id, payload)
    stage.drain()


def refused(at: int = 1, **changes: Any) -> dict[str, Any]:
    """An opt-out of somebody whose record the CRM refuses."""
    return a_person("c-1", at, **{"city": REFUSED, "doNotCall": True, **changes})


class TestApplied:
    def test_an_opt_out_is_told_with_when_and_where(self, stage: Stage) -> None:
        stage.accept("m1", a_person("c-1", 1, doNotCall=True))
        stage.clock.forward(5_000)
        stage.drain()
        contact = stage.contact()["Id"]
        assert line(stage) == OptOut(
            "c-1", "doNotCall", "m1", NOON, DESTINATION, "applied", NOON + 5_000, "Contact", contact
        )

    def test_each_flag_is_a_line_of_its_own(self, stage: Stage) -> None:
        pass_on(stage, "m1", a_person("c-1", 1, doNotCall=True, doNotSMS=True))
        assert [(one.flag, one.status) for one in lines(stage)] == [("doNotCall", "applied"), ("doNotSMS", "applied")]

    def test_one_inside_a_call_is_told_as_well(self, stage: Stage) -> None:
        pass_on(stage, "m1", a_talk("k-1", a_person("c-1", 1, doNotSMS=True), 2))
        assert (line(stage).flag, line(stage).status) == ("doNotSMS", "applied")

    def test_it_is_told_once_however_often_it_is_said_again(self, stage: Stage) -> None:
        for at in (1, 2, 3):
            pass_on(stage, f"m{at}", a_person("c-1", at, doNotCall=True))
        assert line(stage).message_id == "m1"

    def test_one_raised_again_after_a_no_is_a_second_one(self, stage: Stage) -> None:
        for at, said in ((1, True), (2, False), (3, True)):
            pass_on(stage, f"m{at}", a_person("c-1", at, doNotCall=said))
            stage.clock.forward(HOUR)
        assert [(one.message_id, one.applied_at) for one in lines(stage)] == [("m1", NOON), ("m3", NOON + 2 * HOUR)]

    def test_a_second_one_that_waits_does_not_pass_for_applied(self, stage: Stage) -> None:
        for at, said in ((1, True), (2, False)):
            pass_on(stage, f"m{at}", a_person("c-1", at, doNotCall=said))
            stage.clock.forward(HOUR)
        stage.accept("m3", a_person("c-1", 3, doNotCall=True))
        assert [one.status for one in lines(stage)] == ["applied", "waiting"]
        assert stage.store.opt_outs.standing()[0].waiting == 1

    def test_one_written_alone_because_the_rest_was_refused(self, stage: Stage) -> None:
        pass_on(stage, "m1", a_person("c-1", 0))
        pass_on(stage, "m2", refused())
        assert (stage.state("m2")[0], line(stage).status) == ("dead", "applied")

    def test_one_that_another_event_brought_in(self, stage: Stage) -> None:
        pass_on(stage, "m1", refused())
        stage.clock.forward(HOUR)
        pass_on(stage, "m2", a_person("c-1", 2, doNotCall=False))
        assert (line(stage).message_id, line(stage).status, line(stage).applied_at) == ("m1", "applied", NOON + HOUR)

    def test_it_stays_on_record_when_the_payload_is_purged(self, stage: Stage) -> None:
        pass_on(stage, "m1", a_person("c-1", 1, doNotCall=True))
        told = line(stage)
        assert stage.store.retention.purge("sunrise", NOON + HOUR) == 1
        assert line(stage) == told


class TestNotApplied:
    def test_one_that_waits(self, stage: Stage) -> None:
        stage.accept("m1", a_person("c-1", 1, doNotCall=True))
        assert (line(stage).status, line(stage).applied_at) == ("waiting", None)

    def test_one_that_waits_for_a_lane_with_the_reason_of_the_pause(self, stage: Stage) -> None:
        stage.crm.faults.append(Fault.DOWN)
        pass_on(stage, "m1", a_person("c-1", 1, doNotCall=True))
        assert (line(stage).status, line(stage).why) == ("paused", "outage: planned")

    def test_one_that_only_some_of_the_customers_records_have(self, stage: Stage) -> None:
        moved(stage)
        stage.crm.meanwhile.append(("after", lambda: stage.crm.faults.append(Fault.DOWN)))
        stage.drain()
        assert sum(contact.get("NoCall") is True for contact in stage.crm.records.values()) == 1
        assert line(stage).status == "paused"

    def test_one_the_crm_refuses_with_its_code_and_field(self, stage: Stage) -> None:
        pass_on(stage, "m1", a_person("c-1", 0))
        stage.crm.unwritable.add("NoCall")
        pass_on(stage, "m2", a_person("c-1", 1, doNotCall=True))
        assert (line(stage).status, line(stage).why) == ("refused", "INVALID_FIELD: hidden from this user")

    def test_one_of_a_record_the_crm_refuses_to_make(self, stage: Stage) -> None:
        pass_on(stage, "m1", refused())
        assert line(stage).status == "no record"
        stage.crm.strict = False
        stage.store.desk.replay(Filter(message_id="m1"), "ana")
        stage.drain()
        assert line(stage).status == "applied"

    @pytest.mark.parametrize("by", ["an operator", "retention"])
    def test_one_whose_dead_letter_was_given_up_is_still_owed(self, stage: Stage, by: str) -> None:
        pass_on(stage, "m1", refused())
        if by == "retention":
            stage.store.retention.give_up("sunrise", NOON + HOUR)
            stage.store.retention.purge("sunrise", NOON + HOUR)
        else:
            stage.store.desk.discard(Filter(message_id="m1"), "ana")
        assert line(stage).status == "no record"
        pass_on(stage, "m2", a_person("c-1", 2, doNotCall=None))
        assert (line(stage).status, stage.contact()["NoCall"]) == ("applied", True)

    def test_one_of_somebody_the_crm_does_not_hold_until_it_does(self, stage: Stage) -> None:
        pass_on(stage, "m1", a_person("c-1", 1, status="Inactive", doNotCall=True))
        assert line(stage).status == "no record"
        pass_on(stage, "m2", a_person("c-1", 2, doNotCall=False))
        assert (line(stage).status, stage.contact()["NoCall"]) == ("applied", True)

    def test_one_whose_call_was_written_while_its_customer_is_not_held(self, stage: Stage) -> None:
        stage.route.running = Running(ACTIVE_ONLY)
        pass_on(stage, "m1", a_talk("k-1", a_person("c-1", 1, doNotCall=True), 2))
        assert (line(stage).status, len(stage.crm.records)) == ("no record", 1)
        pass_on(stage, "m2", a_person("c-1", 2, status="Active", doNotCall=False))
        assert (line(stage).status, stage.contact()["NoCall"]) == ("applied", True)

    def test_a_flag_the_mapping_waives(self, stage: Stage) -> None:
        pass_on(stage, "m1", a_person("c-1", 1, doNotMail=True))
        assert (line(stage).status, line(stage).why) == (
            "not mapped",
            "NOT_MAPPED: the mapping does not carry this flag",
        )

    def test_one_of_a_test_customer(self, stage: Stage) -> None:
        pass_on(stage, "m1", a_person("c-1", 1, doNotCall=True, testCustomer=True))
        assert (line(stage).status, line(stage).why) == ("not mapped", "NOT_MAPPED: test customer")


class TestReading:
    def test_a_period_begins_and_ends_when_it_says(self, stage: Stage) -> None:
        for number in range(3):
            stage.accept(f"m{number}", a_person(f"c-{number}", 1, doNotCall=True))
            stage.clock.forward(HOUR)
        assert [one.message_id for one in lines(stage, Period(NOON + HOUR, NOON + 2 * HOUR))] == ["m1"]

    def test_only_the_agencies_asked_for_are_told(self, stage: Stage) -> None:
        stage.accept("m1", a_person("c-1", 1, doNotCall=True))
        assert len(lines(stage, Period(0, 2**62, ["sunrise"]))) == 1
        assert lines(stage, Period(0, 2**62, ["harvest"])) == []

    def test_a_long_period_is_read_in_steps_and_nobody_is_left_out(self, stage: Stage) -> None:
        people = [(f"m{n}", a_person(f"c-{n}", 1, doNotCall=True)) for n in range(2 * STEP + 1)]
        stage.store.inbox.accept([stage.arrival(*one) for one in people])
        assert [one.message_id for one in lines(stage)] == [name for name, _ in people]


class TestStanding:
    @pytest.fixture
    def standing(self, stage: Stage) -> Any:
        figures = ("waiting", "refused", "oldest_ms")
        return lambda: {name: getattr(stage.store.opt_outs.standing()[0], name) for name in figures}

    def test_what_waits_is_counted_with_its_age(self, stage: Stage, standing: Any) -> None:
        stage.accept("m1", a_person("c-1", 1, doNotCall=True))
        stage.clock.forward(7_000)
        assert standing() == {"waiting": 1, "refused": 0, "oldest_ms": 7_000}

    def test_what_the_crm_refuses_ages(self, stage: Stage, standing: Any) -> None:
        pass_on(stage, "m1", a_person("c-1", 0))
        stage.crm.unwritable.add("NoCall")
        pass_on(stage, "m2", a_person("c-1", 1, doNotCall=True))
        stage.clock.forward(7_000)
        assert standing() == {"waiting": 0, "refused": 1, "oldest_ms": 7_000}

    def test_a_dead_letter_whose_opt_out_was_written_alone_does_not(self, stage: Stage, standing: Any) -> None:
        pass_on(stage, "m1", a_person("c-1", 0))
        pass_on(stage, "m2", refused())
        assert standing() == {"waiting": 0, "refused": 0, "oldest_ms": 0}

    def test_a_later_event_of_somebody_whose_opt_out_is_in_is_none(self, stage: Stage, standing: Any) -> None:
        pass_on(stage, "m1", a_person("c-1", 1, doNotCall=True))
        stage.accept("m2", a_person("c-1", 2, doNotCall=True))
        assert standing() == {"waiting": 0, "refused": 0, "oldest_ms": 0}

    def test_a_lane_with_nothing_in_it_is_told_too(self, stage: Stage) -> None:
        assert [one.name for one in stage.store.opt_outs.standing()] == [LANE]


class TestPriority:
    def test_an_opt_out_inside_a_call_goes_first(self, stage: Stage) -> None:
        stage.accept("m1", a_person("c-1", 1))
        stage.clock.forward(1_000)
        stage.accept("m2", a_talk("k-1", a_person("c-2", 1, doNotMail=True), 2))
        assert [one.event.message_id for one in stage.store.inbox.due(LANE, 2)] == ["m2", "m1"]


class TestCost:
    def test_neither_looks_at_what_was_delivered_long_ago(self, stage: Stage) -> None:
        if stage.store.database.engine.dialect.name != "sqlite":
            pytest.skip("so small a table PostgreSQL reads whole, whatever its indexes")
        plans: list[str] = []

        def explain(connection: Any, _: Any, statement: str, parameters: Any, *__: Any) -> None:
            rows = connection.connection.driver_connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
            plans.extend(str(row[3]) for row in rows)

        stage.accept("m1", a_person("c-1", 1, doNotCall=True))
        listen(stage.store.database.engine, "before_cursor_execute", explain)
        assert len(lines(stage)) == len(stage.store.opt_outs.standing()) == 1
        assert any("ix_events_raised" in plan for plan in plans)
        big = ("events", "deliveries", "obligations", "raises")
        assert [
            plan for plan in plans if plan.startswith("SCAN") and plan.split()[1] in big and "ix_" not in plan
        ] == []
