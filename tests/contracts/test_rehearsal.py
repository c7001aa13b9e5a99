"""What would come of stored deliveries, told beforehand on both databases; and that telling it changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select

from connector.delivery.route import Running
from connector.insight import stand_in
from connector.insight.comparison import Comparison
from connector.insight.differences import WHOLE, compare
from connector.insight.rehearse import Forecast, Tally, rehearse
from connector.mapping import Mapping
from connector.mapping.planning import plan
from connector.store.desk import Filter
from connector.store.payloads import STEP
from connector.store.tables import metadata
from tests.builders import NOON
from tests.conftest import Clock
from tests.promises.crm import REFUSED
from tests.promises.stage import DESTINATION, HOLD, MAPPINGS, Stage, a_person, a_talk, compiled, open_stage

DAY = 86_400_000
EDITED = """\
version: 1
crm: salesforce
consent: {waive: [doNotCall, doNotSMS, doNotEmail, doNotMail]}
records:
  contact:
    object: Contact
    key: {Key: customer.id}
    fields:
      LastName: {from: customer.lastName, default: Unknown}
      Town: customer.city
      Owner: {lookup: {object: User, match: {Name: customer.agentName}, return: Id, missing: reject}}
"""


@pytest.fixture
def stage(ready_address: str, clock: Clock) -> Iterator[Stage]:
    with open_stage(ready_address, clock) as stage:
        yield stage


def foreseen(stage: Stage, mapping: Mapping | None = None, wanted: Filter | None = None, **how: Any) -> list[Forecast]:
    route = replace(stage.route, running=Running(mapping or stage.route.mapping))
    return list(rehearse(stage.store, route, wanted or Filter(), **how))


def expected(stage: Stage, mapping: Mapping | None = None) -> dict[str, str]:
    return {one.message_id: one.expected for one in foreseen(stage, mapping)}


def everything_stored(stage: Stage) -> list[Any]:
    with stage.store.database.reading() as connection:
        return [connection.execute(select(table)).all() for table in metadata.sorted_tables]


class TestForeseeing:
    def test_what_was_never_written_would_be_with_its_fields(self, stage: Stage) -> None:
        stage.accept("one", a_person("c-1", 1, city="Rome"))
        (one,) = foreseen(stage)
        assert one.expected == "write"
        assert {"City", "LastName", "Status"} <= set(one.records[0].fields)

    def test_what_the_crm_holds_already_would_change_nothing(self, stage: Stage) -> None:
        stage.live([("one", a_person("c-1", 1))])
        assert expected(stage) == {"one": "unchanged"}

    def test_what_a_later_event_said_anew_is_superseded(self, stage: Stage) -> None:
        stage.live([("late", a_person("c-1", 9, city="Rome", county="Lazio"))])
        stage.accept("early", a_person("c-1", 1, city="Oslo", county="Viken"))
        assert expected(stage)["early"] == "superseded"

    def test_nothing_is_read_back_where_nothing_was_written(self, stage: Stage) -> None:
        stage.accept("one", a_person("c-1", 1, agentName="Ana"))
        stage.drain()
        stage.accept("two", a_person("c-1", 2, agentName="Ben"))
        before = stage.crm.searches
        foreseen(stage, wanted=Filter(message_id="two"), ask=True)
        assert stage.crm.searches == before + 1  # the look at the owner the CRM has now

    def test_what_filter_and_consent_leave_out_is_skipped_and_says_by_what(self, stage: Stage) -> None:
        stage.accept("filtered", a_person("c-1", 1, status="Inactive"))
        (one,) = foreseen(stage)
        assert (one.expected, one.reason) == ("skipped", "filtered")

    def test_a_field_of_an_older_mapping_alone_is_written_anew(self, stage: Stage) -> None:
        stage.live([("one", a_person("c-1", 1))])
        (one,) = foreseen(stage, MAPPINGS[1])
        assert (one.expected, sorted(one.records[0].fields)) == ("write", ["Stage", "Status"])

    def test_a_purged_payload_is_told_as_that(self, stage: Stage) -> None:
        stage.live([("one", a_person("c-1", 1))])
        stage.store.retention.purge("sunrise", NOON + DAY)
        assert expected(stage) == {"one": "purged"}

    def test_a_message_nobody_can_read_would_be_refused(self, stage: Stage) -> None:
        stage.accept("odd", {**a_person("c-1", 1), "id": None})
        (one,) = foreseen(stage)
        assert (one.expected, one.code) == ("refused", "E210")
        assert "customer.id" in one.reason

    def test_a_lookup_without_a_match_is_refused_with_field_and_line_when_the_crm_is_asked(self, stage: Stage) -> None:
        stage.accept("one", a_person("c-1", 1, agentName="Nobody"))
        (one,) = foreseen(stage, compiled(EDITED), ask=True)
        assert (one.expected, one.code) == ("refused", "LOOKUP_MISSING")
        assert [(spot.record, spot.field, spot.line) for spot in one.at] == [("contact", "Owner", 11)]

    @pytest.mark.slow
    def test_what_only_the_crm_can_tell_is_said_when_it_is_not_asked(self, stage: Stage) -> None:
        stage.accept("one", a_person("c-1", 1, agentName="Nobody"))
        (one,) = foreseen(stage, compiled(EDITED))
        assert (one.expected, one.asks) == ("write", ("contact.Owner",))
        assert stage.crm.calls == 0

    def test_a_refusal_by_this_very_mapping_is_remembered(self, stage: Stage) -> None:
        stage.live([("one", a_person("c-1", 1, city=REFUSED))])
        assert stage.state("one")[0] == "dead"
        assert foreseen(stage)[0].before == stage.state("one")[1]
        assert foreseen(stage, MAPPINGS[1])[0].before == ""

    @pytest.mark.slow
    def test_deliveries_meet_what_those_before_them_would_have_written(self, stage: Stage) -> None:
        stage.accept("first", a_person("c-1", 9, city="Rome", county="Lazio"))
        for number in range(STEP):
            stage.accept(f"other {number}", a_person(f"o-{number}", 1))
        stage.accept("same again", a_person("c-1", 9, city="Rome", county="Lazio"))
        told = expected(stage)
        assert (told["first"], told["same again"]) == ("write", "unchanged")

    def test_only_the_newest_can_be_asked_for(self, stage: Stage) -> None:
        for number in range(5):
            stage.accept(f"m{number}", a_person("c-1", number))
        assert [one.message_id for one in foreseen(stage, last=2)] == ["m3", "m4"]
        assert [one.message_id for one in foreseen(stage, last=9)] == [f"m{number}" for number in range(5)]

    def test_a_filter_narrows_it(self, stage: Stage) -> None:
        stage.accept("one", a_person("c-1", 1))
        stage.accept("two", a_person("c-2", 1))
        assert [one.message_id for one in foreseen(stage, wanted=Filter(customer_id="c-2"))] == ["two"]
        assert foreseen(stage, wanted=Filter(since=NOON + 1)) == []

    def test_nothing_is_written_to_the_store_or_the_crm(self, stage: Stage) -> None:
        stage.live([("one", a_person("c-1", 1)), ("two", a_talk("t-1", a_person("c-1", 2), 2))])
        stage.accept("three", a_person("c-2", 3, doNotCall=True))
        stage.accept("four", a_person("c-1", 3, city=REFUSED))
        before, calls = everything_stored(stage), len(stage.crm.writes)
        for ask in (False, True):
            foreseen(stage, MAPPINGS[1], ask=ask)
        assert (everything_stored(stage), len(stage.crm.writes)) == (before, calls)

    def test_no_value_of_a_payload_is_in_what_is_told(self, stage: Stage) -> None:
        stage.accept("one", a_person("c-1", 1, city="Canary", lastName="Canary"))
        tally = Tally()
        for one in foreseen(stage, MAPPINGS[1]):
            tally.add(one)
        assert "Canary" not in f"{one} {tally.as_data()}"


class TestForesight:
    """What is forecast is what happens."""

    def test_delivering_does_what_was_forecast(self, stage: Stage) -> None:
        stage.live([("a", a_person("c-1", 5, city="Rome")), ("b", a_talk("t-1", a_person("c-2", 5), 5))])
        stories = {
            "same": a_person("c-1", 5, city="Rome"),
            "older": a_person("c-1", 1, city="Oslo"),
            "newer": a_person("c-1", 9, city="Bonn"),
            "filtered": a_person("c-3", 9, status="Inactive"),
            "opt-out": a_person("c-4", 9, status="Inactive", doNotCall=True),
            "odd": a_person("c-5", 9, lastName=7),
            "callback": a_talk("t-2", a_person("c-2", 9), 9, disposition="Callback"),
        }
        for message_id, payload in stories.items():
            stage.accept(message_id, payload)
        forecast = {one.message_id: (one.expected, one.code) for one in foreseen(stage, ask=True)}
        stage.clock.forward(HOLD)  # the lease of what was delivered before runs out
        stage.drain()
        states = {"delivered": "write", "dead": "refused"}
        came = {name: stage.state(name) for name in stories}
        assert {name: forecast[name] for name in stories} == {
            name: ("unchanged" if code == "UNCHANGED" else states.get(state, state), code)
            for name, (state, code) in came.items()
        }


class TestMemory:
    def test_the_overlay_forgets_the_oldest(self, stage: Stage) -> None:
        overlay = stand_in.Overlay(stage.store.ledger)
        for start in (0, stand_in.REMEMBERED):
            overlay.keep({}, {f"c-{start + n}": {} for n in range(stand_in.REMEMBERED)})
        assert overlay.consents(DESTINATION, ["c-1"]) == {}
        assert list(overlay.consents(DESTINATION, [f"c-{stand_in.REMEMBERED}"])) == [f"c-{stand_in.REMEMBERED}"]


class TestComparison:
    def compared(self, stage: Stage, would_be: Mapping, last: int = 100) -> dict[str, Any]:
        comparison = Comparison(stage.store, stage.route, would_be, last)
        assert len(list(comparison)) == comparison.different
        return comparison.as_data()

    def test_the_same_mapping_differs_nowhere(self, stage: Stage) -> None:
        stage.live([("one", a_person("c-1", 1))])
        assert (self.compared(stage, MAPPINGS[0])["events"], self.compared(stage, MAPPINGS[0])["changes"]) == (1, [])

    def test_another_mapping_differs_field_by_field(self, stage: Stage) -> None:
        for number in range(3):
            stage.accept(f"m{number}", a_person("c-1", number, city="Rome"))
        told = {
            (one["field"], one["kind"], one["line"]): one["events"]
            for one in self.compared(stage, compiled(EDITED))["changes"]
        }
        assert told["City", "removed", None] == 3
        assert told["Town", "added", 10] == 3
        assert not any(name == "LastName" for name, _, _ in told)

    def test_a_value_that_changes_is_told_without_the_value(self, stage: Stage) -> None:
        stage.accept("one", a_person("c-1", 1))
        data = self.compared(stage, MAPPINGS[1])
        assert [(one["record"], one["field"], one["kind"]) for one in data["changes"]] == [
            ("contact", "Stage", "changed"),
            ("contact", "Status", "changed"),
        ]
        assert "Open" not in str(data)

    def test_a_record_that_is_no_longer_made_is_one_difference(self, stage: Stage) -> None:
        stage.accept("one", a_talk("t-1", a_person("c-1", 1), 1))
        removed = [one for one in self.compared(stage, compiled(EDITED))["changes"] if one["record"] == "call"]
        assert [(one["field"], one["kind"]) for one in removed] == [(WHOLE, "removed")]

    def test_the_values_are_there_for_a_caller_that_masks_them(self, stage: Stage) -> None:
        stage.accept("one", a_person("c-1", 1))
        held = next(iter(stage.store.history.walk(Filter())))[0].delivery.event
        was, would_be = (plan(held, one, timezone="UTC") for one in MAPPINGS)
        changes = [*compare(was, would_be)]
        assert [(change.was, change.would_be) for change in changes] == [("New", "Open")] * 2
        assert "New" not in repr(changes)

    def test_purged_payloads_are_counted_and_not_compared(self, stage: Stage) -> None:
        stage.live([("one", a_person("c-1", 1))])
        stage.store.retention.purge("sunrise", NOON + DAY)
        data = self.compared(stage, MAPPINGS[1])
        assert (data["events"], data["payloads_purged"], data["different"]) == (0, 1, 0)
