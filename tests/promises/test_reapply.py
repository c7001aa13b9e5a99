"""An edited mapping applied to everybody: as if it had been there from the beginning, on both databases."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, update

from connector.delivery.consent import withholding
from connector.delivery.route import Running
from connector.mapping import Mapping
from connector.receive import lane_for
from connector.settlement import SET_ASIDE
from connector.store.desk import Filter
from connector.store.fetched_tables import newest
from connector.store.runs import REAPPLY
from connector.store.tables import deliveries
from tests.promises.crm import FLAGS, REFUSED
from tests.promises.stage import DESTINATION, HOLD, MAPPINGS, OTHER_TIMES, Stage, a_fetched, a_person, a_talk
from tests.promises.test_fetched import fetch

OTHER = "sunrise/other"
PURGED = 31 * 86_400_000
CUSTOMERS = ("c-1", "c-2", "c-3")
WRITTEN = {"LastName", "City", "County", "Status", "Source", "Outcome", "Began", "Attempts", "Age"}

people = st.fixed_dictionaries(
    {
        "lastName": st.sampled_from(["Delacroix", "Okafor"]),
        "city": st.sampled_from(["Mesa", "Yuma"]),
        "county": st.sampled_from(["Pima", "Gila", None]),
        "status": st.sampled_from(["Lead", "Active"]),
        "phoneNumber": st.sampled_from(["+13128471928", "+16025550100"]),
        "doNotCall": st.sampled_from([False, False, True, None]),
        "doNotSMS": st.sampled_from([False, False, True, None]),
    }
)


def reapply(stage: Stage, mapping: Mapping = MAPPINGS[1], *, destination: str = DESTINATION) -> int:
    """Make everybody due, as the command does, and deliver it with this mapping. Returns how many were due."""
    stage.route.running = Running(mapping)
    run = stage.store.runs.begin(f"r{stage.clock.now}", "sunrise", REAPPLY, mapping.version)
    number = stage.store.reapplying.number(run.started_at)
    due = 0
    for part in stage.store.reapplying.parts("sunrise", run.cursor):
        due += stage.store.reapplying.make_due(part, [destination], lane, number)
        stage.store.runs.note(run.id, part.cursor, {})
    stage.store.runs.note(run.id, "", {}, ended=True)
    stage.drain()
    stage.clock.forward(1)
    return due


def lane(destination: str, spread_by: str) -> str:
    return lane_for("sunrise", destination.partition("/")[2], 1, spread_by)


def told(stage: Stage, *story: tuple[str, dict[str, Any]]) -> None:
    stage.live(story)
    stage.clock.forward(HOLD)


class TestEverybody:
    def test_gets_what_the_edited_mapping_says(self, stage: Stage) -> None:
        told(stage, ("one", a_person("c-1", 1, city="Rome")), ("two", a_person("c-2", 1, status="Active")))
        assert reapply(stage) == 2
        assert [stage.contact(customer)["Status"] for customer in ("c-1", "c-2")] == ["Open", "Busy"]

    def test_is_not_written_where_nothing_differs(self, stage: Stage) -> None:
        told(stage, ("one", a_person("c-1", 1)), ("call", a_talk("t-1", a_person("c-1", 1), 2)))
        reapply(stage)
        writes = len(stage.crm.writes)
        assert reapply(stage) == 2
        assert len(stage.crm.writes) == writes

    def test_is_the_newest_of_each_customer_and_every_call(self, stage: Stage) -> None:
        calls = [(f"call-{number}", a_talk(f"t-{number}", a_person("c-1", 1), number)) for number in (2, 3)]
        told(stage, ("old", a_person("c-1", 1)), *calls, ("new", a_person("c-1", 5)))
        assert reapply(stage) == 3
        assert stage.settled("old").tries[-1].mapping_version == MAPPINGS[0].version

    def test_is_not_taken_back_to_an_older_state(self, stage: Stage) -> None:
        told(
            stage, ("one", a_person("c-1", 1, city="Oslo")), ("call", a_talk("t-1", a_person("c-1", 9, city="Rome"), 9))
        )
        reapply(stage)
        assert (stage.contact()["City"], stage.contact()["Status"]) == ("Rome", "Open")

    def test_is_reached_where_others_of_the_same_time_were_purged(self, stage: Stage) -> None:
        told(stage, *((f"m-{number}", a_talk(f"t-{number}", a_person("c-1", 1), 2)) for number in range(5)))
        stage.clock.forward(PURGED)
        stage.store.retention.purge("sunrise", stage.clock.now)
        told(stage, ("late", a_talk("t-9", a_person("c-1", 1), 2)))
        for mapping in (MAPPINGS[1], MAPPINGS[0], MAPPINGS[1]):
            assert reapply(stage, mapping) == 1
            assert stage.contact()["Status"] == ("Open" if mapping is MAPPINGS[1] else "New")

    def test_at_the_same_time_what_is_sent_later_wins_over_what_was_fetched(self, stage: Stage) -> None:
        fetch(stage, a_person("c-1", 1, city="Oslo"))
        stage.drain()
        reapply(stage)
        told(stage, *((f"m-{number}", a_person("c-1", 1, city="Rome")) for number in range(3)))
        assert stage.contact()["City"] == "Rome"

    def test_does_not_lose_what_a_person_edited(self, stage: Stage) -> None:
        told(stage, ("one", a_person("c-1", 1, agentName="Ana", city="Rome")))
        for record in stage.crm.records.values():
            record.update(Owner="Dana", City="Bonn")
        reapply(stage)
        assert (stage.contact()["Owner"], stage.contact()["City"]) == ("Dana", "Bonn")

    def test_keeps_what_was_set_on_creation(self, stage: Stage) -> None:
        told(stage, ("one", a_person("c-1", 1)))
        for record in stage.crm.records.values():
            record["Source"] = "Fair"
        reapply(stage)
        assert stage.contact()["Source"] == "Fair"

    def test_is_forgotten_with_the_customer(self, stage: Stage) -> None:
        told(stage, ("one", a_person("c-1", 1)))
        stage.store.forget.run("c-1", "ana")
        assert reapply(stage) == 0


class TestWaiting:
    def test_what_is_sent_meanwhile_goes_first(self, stage: Stage) -> None:
        told(stage, ("one", a_person("c-1", 1)))
        stage.accept("waits", a_person("c-1", 2))
        (part,) = stage.store.reapplying.parts("sunrise")
        assert stage.store.reapplying.make_due(part, [DESTINATION], lane, 1) == 0
        stage.accept("sent", a_person("c-2", 3))
        stage.drain()
        assert stage.contact()["Status"] == "New"

    def test_what_an_operator_set_aside_or_discarded_stays(self, stage: Stage) -> None:
        told(stage, ("one", a_person("c-1", 1, city=REFUSED)), ("two", a_person("c-2", 1, city=REFUSED)))
        stage.store.desk.discard(Filter(message_id="one"), "ana")
        with stage.store.database.transaction() as connection:
            connection.execute(update(deliveries).where(deliveries.c.state == "dead").values(code=SET_ASIDE))
        assert reapply(stage) == 0

    def test_a_dead_letter_is_tried_with_the_edited_mapping(self, stage: Stage) -> None:
        told(stage, ("one", a_person("c-1", 1, city=REFUSED)))
        stage.crm.strict = False
        assert reapply(stage) == 1
        assert stage.contact()["Status"] == "Open"

    def test_a_field_refused_before_is_not_sent_again_and_again(self, stage: Stage) -> None:
        told(stage, ("one", a_person("c-1", 1)))
        stage.crm.unwritable.add("Status")
        reapply(stage)
        writes = len(stage.crm.writes)
        reapply(stage)
        assert len(stage.crm.writes) == writes

    def test_there_is_room_until_so_many_wait(self, stage: Stage) -> None:
        fetch(stage, a_person("c-1", 1))
        room = stage.store.reapplying.room
        assert (room([DESTINATION], 1), room([DESTINATION], 2), room([OTHER], 1)) == (False, True, True)


class TestConsent:
    @pytest.mark.parametrize("order", [1, -1])
    def test_no_flag_is_lowered_and_nobody_exposed(self, stage: Stage, order: int) -> None:
        story = [
            ("yes", a_person("c-1", 3, doNotSMS=True, phoneNumber="+12025550100")),
            ("no", a_person("c-1", 2, doNotSMS=False, phoneNumber="+12025550100")),
        ]
        told(stage, *story[::order])
        mobile = stage.contact().get("Mobile")
        reapply(stage)
        assert (stage.contact()["NoText"], stage.contact().get("Mobile")) == (True, mobile)

    def test_a_flag_cleared_by_a_person_is_not_raised_again(self, stage: Stage) -> None:
        told(stage, ("one", a_person("c-1", 1, doNotCall=True)))
        for record in stage.crm.records.values():
            record["NoCall"] = False
        reapply(stage)
        assert stage.contact()["NoCall"] is False


class TestAnotherDestination:
    def test_gets_everybody_with_their_opt_outs_first(self, stage: Stage) -> None:
        told(stage, ("one", a_person("c-1", 1, doNotCall=True)), ("two", a_person("c-2", 1)))
        assert reapply(stage, destination=OTHER) == 2
        owed = stage.store.obligations.due(f"{OTHER}/0", 10)
        assert [(obligation.customer_id, obligation.flag) for obligation in owed] == [("c-1", "doNotCall")]
        assert [one.event.message_id for one in stage.store.inbox.due(f"{OTHER}/0", 10)] == ["one", "two"]
        assert reapply(stage, destination=OTHER) == 0

    def test_gets_opt_outs_that_are_in_force_although_the_newest_state_does_not_raise_them(self, stage: Stage) -> None:
        told(stage, ("one", a_person("c-1", 1, doNotCall=True)), ("two", a_person("c-1", 5, doNotCall=None)))
        told(stage, ("three", a_person("c-2", 1, doNotSMS=True)))
        fetched = a_person("c-2", 5, doNotSMS=False)
        told(stage, (a_fetched(fetched).message_id, fetched))
        reapply(stage, destination=OTHER)
        owed = stage.store.obligations.due(f"{OTHER}/0", 10)
        assert {(owed.customer_id, owed.flag) for owed in owed} == {("c-1", "doNotCall"), ("c-2", "doNotSMS")}
        known = stage.store.ledger.consents(OTHER, ["c-2"])
        assert withholding(["doNotSMS"], known["c-2"]) == "doNotSMS"


class TestCallsOfOlderVersions:
    def test_are_found_once_in_what_is_stored(self, stage: Stage) -> None:
        told(stage, ("call", a_talk("t-1", a_person("c-1", 1), 2)))
        with stage.store.database.transaction() as connection:
            connection.execute(delete(newest))
        assert reapply(stage) == 0
        stage.store.reapplying.know_calls()
        assert reapply(stage) == 1
        assert stage.contact()["Status"] == "Open"


class TestParts:
    @pytest.mark.slow
    def test_a_run_goes_on_where_it_was(self, stage: Stage) -> None:
        told(stage, *((f"m-{number}", a_person(f"c-{number:03}", 1)) for number in range(201)))
        nobody = a_talk("t-1", a_person("c-0", 1), 2)
        del nobody["customer"]
        told(stage, ("nobody", nobody))
        parts = list(stage.store.reapplying.parts("sunrise"))
        assert [len(part.known) for part in parts] == [200, 1, 1]
        for place, part in enumerate(parts):
            after = list(stage.store.reapplying.parts("sunrise", part.cursor))
            assert after == parts[place + 1 :]

    def test_what_is_no_longer_stored_is_counted(self, stage: Stage) -> None:
        told(stage, ("one", a_person("c-1", 1)))
        stage.clock.forward(PURGED)
        stage.store.retention.purge("sunrise", stage.clock.now)
        (part,) = stage.store.reapplying.parts("sunrise")
        assert (len(part.known), len(part.stored)) == (1, 0)
        assert reapply(stage) == 0


@st.composite
def lives(draw: st.DrawFn) -> list[tuple[str, dict[str, Any]]]:
    """What careCycle sends of three customers, in any order: each state comes in one or several events."""
    states = draw(st.dictionaries(st.tuples(st.sampled_from(CUSTOMERS), st.integers(0, 4)), people, min_size=1))
    events = [
        (customer, at, call)
        for customer, at in states
        for call in draw(st.lists(st.sampled_from([0, 0, 1, 2]), min_size=1, max_size=3))
    ]
    return [
        (f"m{number}", _payload(customer, at, call, states[customer, at]))
        for number, (customer, at, call) in enumerate(draw(st.permutations(events)))
    ]


def _payload(customer: str, at: int, call: int, state: dict[str, Any]) -> dict[str, Any]:
    person = a_person(customer, at, **state)
    return a_talk(f"{customer}-t{call}-{at}", person, 2 * at + call, disposition=f"{call}-{at}") if call else person


class TestWhateverHappened:
    @pytest.mark.slow
    @settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
    @given(story=lives(), mapping=st.sampled_from([MAPPINGS[1], OTHER_TIMES]))
    def test_it_ends_as_if_the_mapping_had_always_been_there(
        self, stage: Stage, reference: Stage, story: list[tuple[str, dict[str, Any]]], mapping: Mapping
    ) -> None:
        for world in (stage, reference):
            world.wipe()
        reference.route.running = Running(mapping)
        told(reference, *story)
        told(stage, *story)
        before = {key: dict(record) for key, record in stage.crm.records.items()}
        reapply(stage, mapping)
        for customer in {payload.get("customer", payload)["id"] for _, payload in story}:
            wanted = reference.contact(customer)
            for name in WRITTEN if mapping is MAPPINGS[1] else WRITTEN & wanted.keys():
                assert stage.contact(customer).get(name) == wanted.get(name), name
        for key, record in before.items():
            assert not [flag for flag in FLAGS if record.get(flag) and not stage.crm.records[key].get(flag)]
        writes = len(stage.crm.writes)
        reapply(stage, mapping)
        assert (len(stage.crm.writes), stage.crm.broken) == (writes, [])
