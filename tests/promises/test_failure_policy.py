"""What becomes of a delivery when the CRM is in trouble: the outcome table, held on both databases."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from connector import backoff
from connector.delivery.route import Running
from connector.delivery.turn import deliver
from connector.errors import LeaseLost
from connector.mapping import Mapping
from connector.settlement import Theirs
from connector.store.desk import Filter
from tests.promises.crm import BY_HAND, REFUSED, SINCE, Fault, Killed
from tests.promises.stage import HOLD, HOUR, LANE, MAPPINGS, Stage, a_person, a_talk, compiled

ONCE = """\
version: 1
crm: salesforce
consent: {{ waive: [doNotCall, doNotSMS, doNotEmail, doNotMail] }}
records:
  contact:
    object: Contact
    key: {{ Key: customer.id }}
    {how}
    fields: {{ LastName: customer.lastName, Owner: {{ from: customer.agentName, write: unless_edited }} }}
  call:
    object: Call
    events: [call.completed]
    key: {{ Key: call.id }}
    fields: {{ Who: {{ ref: contact }} }}
"""


def waits(stage: Stage) -> int:
    """Milliseconds until something is due."""
    return stage.store.lanes.next_due_ms([LANE], 10 * HOUR)


def crowd(stage: Stage, count: int, **changes: Any) -> list[str]:
    """So many customers, one event each."""
    ids = [f"e{number}" for number in range(count)]
    for number, message_id in enumerate(ids):
        stage.accept(message_id, a_person(f"c-{number}", 1, **changes))
    return ids


def faulty_for_calls() -> Mapping:
    """A mapping whose compiled filter fails for every call."""
    programs = dict(MAPPINGS[0].programs)
    programs["call.completed"] = replace(programs["call.completed"], filter=lambda *_: bool(1 // 0))
    return replace(MAPPINGS[0], programs=programs)


class TestDeferral:
    def test_waits_double_and_end_at_an_hour(self) -> None:
        least = [backoff.delay(attempts, 0.0) for attempts in range(40)]
        most = [backoff.delay(attempts, 1.0) for attempts in range(40)]
        assert most[:3] == [5_000, 10_000, 20_000]
        assert all(2 * low == high for low, high in zip(least, most, strict=True))
        assert max(most) == most[-1] == HOUR

    def test_a_locked_record_waits_longer_each_time(self, stage: Stage) -> None:
        stage.crm.refuses = False  # nothing is tried twice at once
        stage.accept("m", a_person("c-1", 1))
        found = []
        for _ in range(4):
            stage.crm.faults.append(Fault.LOCKED)
            stage.drain()
            found.append(waits(stage))
            stage.clock.forward(found[-1])
        assert found == [3_750, 7_500, 15_000, 30_000]

    def test_it_is_dead_only_after_both_a_day_and_twelve_attempts(self, stage: Stage) -> None:
        stage.accept("m", a_person("c-1", 1))
        stage.crm.faults += [Fault.LOCKED] * 1_000
        began = stage.clock()
        for _ in range(60):
            if stage.state("m")[0] == "ready":
                stage.clock.forward(max(waits(stage), 1))
                stage.drain()
        assert stage.state("m") == ("dead", "LOCKED")
        assert stage.clock() - began >= 24 * HOUR
        assert stage.settled("m").attempts >= 12

    def test_twelve_attempts_within_a_day_are_not_enough(self, stage: Stage) -> None:
        stage.crm.refuses = False  # nothing is tried twice at once
        stage.accept("m", a_person("c-1", 1))
        stage.crm.faults += [Fault.LOCKED] * 15
        for _ in range(15):
            stage.clock.forward(max(waits(stage), 1))
            stage.drain()
        assert (stage.settled("m").attempts, stage.state("m")[0]) == (15, "ready")

    def test_one_locked_record_holds_no_neighbour_back(self, stage: Stage) -> None:
        stage.crm.refuses = False  # nothing is tried twice at once
        first, second = crowd(stage, 2)
        stage.crm.faults.append(Fault.LOCKED)
        stage.drain()
        assert (stage.state(first)[0], stage.state(second)[0]) == ("ready", "delivered")


class TestPause:
    def test_a_lane_pauses_with_its_reason_and_costs_no_attempt(self, stage: Stage) -> None:
        stage.accept("m", a_person("c-1", 1))
        stage.crm.faults.append(Fault.DOWN)
        stage.drain()
        assert (stage.lane().paused, stage.lane().pause_code) == (True, "outage")
        assert (stage.settled("m").attempts, stage.settled("m").tries) == (0, ())

    def test_it_probes_and_goes_on_by_itself(self, stage: Stage) -> None:
        stage.accept("m", a_person("c-1", 1))
        stage.crm.faults.append(Fault.DOWN)
        stage.drain()
        stage.clock.forward(waits(stage))
        stage.drain()
        assert stage.state("m") == ("delivered", "")
        assert (stage.lane().paused, stage.lane().pause_reason) == (False, "")

    def test_each_failed_probe_lengthens_the_rest_up_to_a_quarter_of_an_hour(self, stage: Stage) -> None:
        stage.accept("m", a_person("c-1", 1))
        rests = []
        for _ in range(10):
            stage.crm.faults.append(Fault.DOWN)
            stage.drain()
            rests.append(waits(stage))
            stage.clock.forward(rests[-1])
        assert rests[:3] == [3_750, 7_500, 15_000]
        assert rests[-1] == 15 * 60_000 * 3 // 4

    def test_a_success_makes_the_next_rest_short_again_within_the_same_lease_too(self, stage: Stage) -> None:
        crowd(stage, 2)
        for _ in range(5):
            stage.crm.faults.append(Fault.DOWN)
            stage.drain()
            stage.clock.forward(waits(stage))
        lease = stage.lease()
        assert lease is not None
        assert deliver(stage.store, stage.route, lease, stage.pace(batch=1))
        stage.crm.faults.append(Fault.DOWN)
        assert not deliver(stage.store, stage.route, lease, stage.pace(batch=1))
        assert (waits(stage), stage.lane().failures) == (3_750, 1)

    def test_what_was_answered_before_the_destination_was_lost_stands(self, stage: Stage) -> None:
        stage.accept("m", a_talk("k-1", a_person("c-1", 1), 2))
        stage.crm.meanwhile.append(("after", lambda: stage.crm.faults.append(Fault.DOWN)))
        stage.drain()
        assert (stage.state("m")[0], len(stage.crm.records)) == ("ready", 1)
        stage.clock.forward(HOUR)
        stage.drain()
        assert (stage.state("m")[0], stage.crm.calls) == ("delivered", 3)


class TestStopTheLine:
    def test_twenty_refused_for_one_cause_one_batch_after_another_stop_it(self, stage: Stage) -> None:
        ids = crowd(stage, 30, city=REFUSED)
        for _ in range(len(ids) // 3):
            stage.deliver(batch=3)
        dead = [one for one in ids if stage.state(one)[0] == "dead"]
        assert len(dead) == 18
        assert stage.lane().pause_code == "BAD_VALUE"
        assert "20 records in a row were rejected" in stage.lane().pause_reason

    def test_a_probe_fills_no_dead_letters_while_the_cause_lasts(self, stage: Stage) -> None:
        ids = crowd(stage, 30, city=REFUSED)
        stage.drain()
        for _ in range(5):
            stage.clock.forward(waits(stage))
            stage.drain()
        assert {stage.state(one)[0] for one in ids} == {"ready"}
        assert stage.lane().failures == 6

    def test_it_goes_on_once_the_cause_is_gone(self, stage: Stage) -> None:
        ids = crowd(stage, 30, city=REFUSED)
        stage.drain()
        stage.crm.strict = False
        stage.drain_in_time()
        assert {stage.state(one)[0] for one in ids} == {"delivered"}

    def test_a_record_accepted_in_between_starts_the_count_anew(self, stage: Stage) -> None:
        crowd(stage, 15, city=REFUSED)
        stage.drain()
        stage.accept("good", a_person("good", 1))
        stage.drain()
        for number in range(15):
            stage.accept(f"again{number}", a_person(f"d-{number}", 1, city=REFUSED))
        stage.drain()
        assert not stage.lane().paused
        assert stage.store.desk.dead()[0].count == 30

    def test_a_resumed_lane_has_its_count_begin_anew(self, stage: Stage) -> None:
        first = crowd(stage, 19, city=REFUSED)
        stage.drain()
        stage.accept("twentieth", a_person("c-20", 1, city=REFUSED))
        stage.drain()
        assert (stage.state("twentieth")[0], stage.lane().paused) == ("ready", True)
        stage.store.desk.resume(LANE, "ana")
        stage.drain()
        assert {stage.state(one)[0] for one in [*first, "twentieth"]} == {"dead"}
        assert (stage.lane().paused, stage.lane().failures) == (False, 0)


class TestPoison:
    def test_a_refused_record_holds_no_neighbour_back(self, stage: Stage) -> None:
        stage.accept("bad", a_person("c-1", 1, city=REFUSED))
        stage.accept("good", a_person("c-2", 1))
        stage.drain()
        assert (stage.state("bad"), stage.state("good")) == (("dead", "BAD_VALUE"), ("delivered", ""))

    def test_a_bad_event_does_not_take_the_good_ones_of_its_record_with_it(self, stage: Stage) -> None:
        stage.accept("older", a_person("c-1", 1, city="Mesa"))
        stage.accept("bad", a_person("c-1", 2, city=REFUSED))
        stage.accept("newer", a_person("c-1", 3, lastName="Okafor"))
        stage.drain()
        assert [stage.state(one)[0] for one in ("older", "bad", "newer")] == ["delivered", "dead", "delivered"]
        assert (stage.contact()["City"], stage.contact()["LastName"]) == ("Mesa", "Okafor")

    def test_the_bad_one_of_a_burst_is_found_in_few_calls(self, stage: Stage) -> None:
        for at in range(64):
            stage.accept(f"m{at}", a_person("c-1", at, city=REFUSED if at == 40 else f"City {at}"))
            stage.accept(f"n{at}", a_person("c-2", at, city=REFUSED if at == 63 else f"City {at}"))
        stage.drain()
        assert [one.message_id for one in stage.store.desk.deliveries(Filter(state="dead"))] == ["n63"]
        assert (stage.contact("c-1")["City"], stage.contact("c-2")["City"]) == ("City 63", "City 62")
        assert stage.crm.calls <= 2 * 6 + 2  # and one that creates them before they are looked for

    def test_an_opt_out_merged_into_a_refused_write_goes_out(self, stage: Stage) -> None:
        stage.accept("first", a_person("c-1", 1))
        stage.drain()
        stage.accept("bad", a_person("c-1", 2, city=REFUSED, doNotCall=True))
        stage.drain()
        assert (stage.state("bad")[0], stage.contact()["NoCall"]) == ("dead", True)

    def test_a_fault_of_ours_over_one_event_is_its_dead_letter_and_no_more(self, stage: Stage) -> None:
        stage.accept("odd", a_talk("k-1", a_person("c-1", 1), 2))
        stage.accept("good", a_person("c-2", 1))
        stage.route.running = Running(faulty_for_calls())
        stage.drain()
        assert (stage.state("odd"), stage.state("good")) == (("dead", "FAULT"), ("delivered", ""))
        assert "ZeroDivisionError at test_failure_policy.py" in stage.settled("odd").reason

    def test_its_dead_letter_passes_once_the_fault_is_mended(self, stage: Stage) -> None:
        stage.accept("odd", a_talk("k-1", a_person("c-1", 1), 2))
        stage.route.running = Running(faulty_for_calls())
        stage.drain()
        stage.route.running = Running(MAPPINGS[0])
        stage.store.desk.replay(Filter(code="FAULT"), "ana")
        stage.drain()
        assert stage.state("odd") == ("delivered", "")


class TestOptOutsFirst:
    def test_an_opt_out_passes_a_backlog(self, stage: Stage) -> None:
        ids = crowd(stage, 5)
        stage.accept("opt-out", a_person("c-9", 1, doNotCall=True))
        stage.deliver(batch=1)
        assert stage.state("opt-out")[0] == "delivered"
        assert {stage.state(one)[0] for one in ids} == {"ready"}

    def test_within_a_call_it_is_the_first_row(self, stage: Stage) -> None:
        crowd(stage, 5)
        stage.accept("opt-out", a_person("c-9", 9, doNotCall=True))
        stage.drain()
        assert stage.crm.writes[0].key.value == "c-9"


class TestOptOutsAreNeverLost:
    def test_one_that_found_no_record_goes_out_when_the_record_is_made(self, stage: Stage) -> None:
        stage.accept("opt-out", a_person("c-1", 2, doNotCall=True, status="Inactive"))
        stage.drain()
        assert stage.state("opt-out") == ("skipped", "NO_RECORD")
        stage.accept("late", a_person("c-1", 1))
        stage.drain()
        assert stage.contact()["NoCall"] is True

    def test_a_record_made_anew_carries_it_again(self, stage: Stage) -> None:
        stage.accept("opt-out", a_person("c-1", 1, doNotCall=True))
        stage.drain()
        stage.crm.records.clear()
        stage.accept("next", a_person("c-1", 2, doNotCall=True, city="Mesa"))
        stage.drain_in_time()
        assert (stage.contact()["NoCall"], stage.contact()["City"]) == (True, "Mesa")

    @pytest.mark.parametrize("fault", [Fault.DOWN, Fault.LOCKED])
    def test_one_after_renewed_consent_survives_trouble(self, stage: Stage, fault: Fault) -> None:
        for at, flag in ((1, True), (2, False)):
            stage.accept(f"m{at}", a_person("c-1", at, doNotCall=flag))
            stage.drain()
        stage.contact()["NoCall"] = False  # a person lowered it, as the customer asked
        stage.accept("again", a_person("c-1", 3, doNotCall=True))
        stage.crm.faults.append(fault)
        stage.drain_in_time()
        assert stage.contact()["NoCall"] is True


class TestLateWorkers:
    def late(self, stage: Stage, when: str, **newer: Any) -> None:
        """A worker stops in the middle of its call until another has delivered something newer."""
        lease = stage.lease("late")
        assert lease is not None

        def elsewhere() -> None:
            stage.clock.forward(HOLD + 1)
            stage.accept("newer", a_person("c-1", 9, **newer))
            stage.drain()

        stage.crm.refuses = when != "looking"
        stage.crm.meanwhile.append((when, elsewhere))
        with pytest.raises(LeaseLost):
            deliver(stage.store, stage.route, lease, stage.pace())

    @pytest.mark.parametrize("when", ["before", "after"])
    def test_what_one_wrote_over_a_newer_value_is_written_again(self, stage: Stage, when: str) -> None:
        stage.accept("older", a_person("c-1", 1, city="Yuma", agentName="Ana", status="Lead"))
        self.late(stage, when, city="Mesa", agentName="Ben", status="Active")
        stage.clock.forward(HOLD)
        while stage.store.desk.waiting():
            stage.deliver(batch=1)
        rules = {"always": "City", "unless_edited": "Owner", "forward": "Stage"}
        written = {rule: stage.contact()[name] for rule, name in rules.items()}
        assert written == {"always": "Mesa", "unless_edited": "Ben", "forward": "Working"}

    def test_whoever_drains_the_lane_then_loses_it_too(self, stage: Stage) -> None:
        stage.accept("older", a_person("c-1", 1, city="Yuma"))
        self.late(stage, "before", city="Mesa")
        holder = stage.lease("holder")
        assert holder is not None
        stage.store.lanes.overtaken(holder, {}, Theirs((), ()), stage.clock())
        with pytest.raises(LeaseLost):
            deliver(stage.store, stage.route, holder, stage.pace())
        assert stage.lease("third") is None

    def test_one_that_wakes_before_its_call_makes_none(self, stage: Stage) -> None:
        stage.accept("older", a_person("c-1", 1, city="Yuma"))
        self.late(stage, "looking", city="Mesa")
        assert [row.fields["City"] for row in stage.crm.writes] == ["Mesa"]

    def test_one_that_wrote_nothing_changes_nothing(self, stage: Stage) -> None:
        stage.accept("m", a_person("c-1", 1))
        late = stage.lease("late")
        assert late is not None
        stage.clock.forward(HOLD + 1)
        stage.drain()
        stage.accept("next", a_person("c-1", 2, city="Mesa"))
        with pytest.raises(LeaseLost):
            deliver(stage.store, stage.route, late, stage.pace())
        assert stage.state("m")[0] == "delivered"


class TestCrashes:
    def kill(self, stage: Stage, fault: Fault) -> None:
        stage.crm.faults.append(fault)
        with pytest.raises(Killed):
            stage.drain()
        stage.clock.forward(HOLD + 1)

    def test_a_value_whose_settlement_was_lost_does_not_pass_for_edited(self, stage: Stage) -> None:
        stage.accept("first", a_person("c-1", 1, agentName="Ana"))
        self.kill(stage, Fault.KILLED_AFTER)
        stage.accept("second", a_person("c-1", 2, agentName="Ben"))
        stage.drain()
        assert stage.contact()["Owner"] == "Ben"

    def test_nor_do_two_of_them(self, stage: Stage) -> None:
        stage.accept("first", a_person("c-1", 1, agentName="Ana"))
        self.kill(stage, Fault.KILLED_AFTER)
        stage.accept("second", a_person("c-1", 2, agentName="Ben"))
        self.kill(stage, Fault.KILLED_BEFORE)
        stage.accept("third", a_person("c-1", 3, agentName="Eve"))
        stage.drain()
        assert stage.contact()["Owner"] == "Eve"

    @pytest.mark.parametrize("fault", [Fault.KILLED_AFTER, Fault.REPLY_LOST])
    def test_an_owner_that_the_crm_filled_in_before_the_crash_gives_way(self, stage: Stage, fault: Fault) -> None:
        self.create_unheard(stage, fault)
        stage.accept("second", a_person("c-1", 2, agentName="Ben"))
        stage.drain()
        assert stage.contact()["Owner"] == "Ben"

    @pytest.mark.parametrize("fault", [Fault.KILLED_AFTER, Fault.REPLY_LOST])
    def test_one_that_the_team_chose_since_stays(self, stage: Stage, fault: Fault) -> None:
        self.create_unheard(stage, fault)
        stage.contact().update(Owner=BY_HAND, LastModifiedDate=SINCE)
        stage.accept("second", a_person("c-1", 2, agentName="Ben"))
        stage.drain()
        assert stage.contact()["Owner"] == BY_HAND

    def create_unheard(self, stage: Stage, fault: Fault) -> None:
        stage.crm.owner = "Api"
        stage.accept("first", a_person("c-1", 1, agentName=None))
        stage.crm.faults.append(fault)
        with suppress(Killed):
            stage.drain()
        stage.clock.forward(HOUR)
        assert stage.contact()["Owner"] == "Api"

    def test_an_owner_the_team_chose_after_the_crash_stays(self, stage: Stage) -> None:
        stage.accept("first", a_person("c-1", 1, agentName="Ana"))
        self.kill(stage, Fault.KILLED_AFTER)
        stage.contact()["Owner"] = BY_HAND
        stage.accept("second", a_person("c-1", 2, agentName="Ben"))
        stage.drain()
        assert stage.contact()["Owner"] == BY_HAND

    @pytest.mark.parametrize("fault", [Fault.KILLED_AFTER, Fault.REPLY_LOST])
    def test_a_value_nobody_heard_of_does_not_outlive_a_return_to_the_one_before(
        self, stage: Stage, fault: Fault
    ) -> None:
        stage.accept("first", a_person("c-1", 1, city="Mesa"))
        stage.drain()
        stage.accept("second", a_person("c-1", 2, city="Yuma"))
        stage.crm.faults.append(fault)
        with suppress(Killed):
            stage.drain()
        stage.accept("third", a_person("c-1", 3, city="Mesa"))
        stage.clock.forward(HOUR)
        stage.drain()
        assert stage.contact()["City"] == "Mesa"

    def test_nothing_is_written_twice(self, stage: Stage) -> None:
        stage.accept("m", a_talk("k-1", a_person("c-1", 1), 2, disposition="Callback"))
        self.kill(stage, Fault.KILLED_AFTER)
        self.kill(stage, Fault.KILLED_AFTER)
        stage.drain()
        assert len(stage.crm.records) == 3
        assert stage.settled("m").attempts == len(stage.settled("m").tries) == 1

    @pytest.mark.slow
    def test_nor_does_one_whose_successor_was_refused_first(self, stage: Stage) -> None:
        stage.accept("first", a_person("c-1", 1, agentName="Ana"))
        stage.drain()
        stage.accept("bad", a_person("c-1", 2, agentName="Ben", city=REFUSED))
        stage.drain()
        stage.accept("other", a_person("c-1", 3, county="Gila"))
        stage.drain()
        stage.crm.strict = False
        stage.store.desk.replay(Filter(), "ana")
        stage.drain()
        assert stage.contact()["Owner"] == "Ben"

    def test_a_record_made_just_before_is_still_pointed_at(self, stage: Stage) -> None:
        stage.route.running = Running(compiled(ONCE.format(how="mode: create")))
        stage.accept("m", a_talk("k-1", a_person("c-1", 1), 2))
        self.kill(stage, Fault.KILLED_AFTER)
        stage.drain()
        (call,) = stage.crm.all("Call", "k-1")
        assert call["Who"] == stage.contact()["Id"]

    def test_a_record_made_by_hand_is_still_adopted(self, stage: Stage) -> None:
        stage.route.running = Running(compiled(ONCE.format(how="also_match: [{ Email: customer.email }]")))
        by_hand = {"Email": "a@example.com", "FirstName": "Marcus", "LastName": "Delacroix"}
        stage.crm.records["900"] = {"Id": "900", "object": "Contact", **by_hand}
        stage.accept("m", a_person("c-1", 1, agentName="Ana", email="a@example.com"))
        self.kill(stage, Fault.KILLED_BEFORE)
        stage.drain()
        assert (stage.contact()["Id"], stage.contact()["Owner"]) == ("900", "Ana")
