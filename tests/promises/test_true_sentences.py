"""What people read about a write is what the CRM confirmed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from connector.delivery.route import Running
from connector.insight.story import story
from connector.settlement import RecordNote, RecordVerdict
from connector.store.notes import read_notes
from connector.web.words import opt_out_words
from tests.promises.crm import REFUSED, Fault
from tests.promises.stage import Stage, a_person, a_talk
from tests.promises.test_obligations import SPEAKING


def pass_on(stage: Stage, message_id: str, payload: dict[str, Any]) -> None:
    stage.accept(message_id, payload)
    stage.drain()


def notes(stage: Stage, message_id: str) -> tuple[RecordNote, ...]:
    """What the newest attempt noted of each record."""
    return tuple(stage.settled(message_id).tries[-1].records)


class TestTheFieldsWritten:
    def test_are_those_of_a_record_the_crm_accepted(self, stage: Stage) -> None:
        pass_on(stage, "m1", a_person("c-1", 1, city="Mesa"))
        (note,) = notes(stage, "m1")
        assert {"City", "LastName"} <= set(note.fields)

    def test_are_none_where_the_crm_rejected_the_record(self, stage: Stage) -> None:
        pass_on(stage, "m1", a_person("c-1", 1, city=REFUSED))
        (note,) = notes(stage, "m1")
        assert (note.verdict, note.fields) == (RecordVerdict.REJECTED, ())

    def test_are_none_where_the_record_was_deferred(self, stage: Stage) -> None:
        stage.crm.refuses = False
        stage.crm.faults.append(Fault.LOCKED)
        pass_on(stage, "m1", a_person("c-1", 1))
        (note,) = notes(stage, "m1")
        assert (note.verdict, note.fields) == (RecordVerdict.DEFERRED, ())

    def test_are_the_opt_outs_alone_where_the_rest_was_rejected(self, stage: Stage) -> None:
        stage.route.running = Running(SPEAKING)
        pass_on(stage, "m1", a_person("c-1", 0))
        pass_on(stage, "m2", a_talk("k-1", a_person("c-1", 1, city=REFUSED), 1, disposition="Do Not Call"))
        (note,) = notes(stage, "m2")
        assert (note.verdict, note.fields) == (RecordVerdict.REJECTED, ("NoCall",))

    def test_are_those_of_the_good_records_where_one_of_an_event_was_rejected(self, stage: Stage) -> None:
        pass_on(stage, "m1", a_person("c-1", 0))
        pass_on(stage, "m2", a_talk("k-1", a_person("c-1", 1, city=REFUSED), 2, disposition="Sale"))
        assert {note.record: bool(note.fields) for note in notes(stage, "m2")} == {"contact": False, "call": True}

    @pytest.mark.parametrize("verdict", ["rejected", "deferred", "skipped", "delivered"])
    def test_are_read_as_confirmed_from_what_an_older_version_noted(self, verdict: str) -> None:
        record = {"record": "contact", "fields": ["City"], "verdict": verdict}
        (note,) = read_notes(json.dumps({"v": 2, "records": [record]}))
        assert note.fields == (("City",) if verdict == "delivered" else ())


class TestAnEventsOptOuts:
    def test_are_shown_with_when_and_on_which_record(self, stage: Stage) -> None:
        pass_on(stage, "m1", a_person("c-1", 0))
        stage.clock.forward(60_000)
        pass_on(stage, "m2", a_person("c-1", 1, doNotCall=True))
        shown = story(stage.store, "m2")
        assert shown is not None
        (opt_out,) = shown.opt_outs
        assert opt_out_words(opt_out) == f"is in the CRM: Contact {stage.contact()['Id']}"
        assert (opt_out.flag, opt_out.applied_at) == ("doNotCall", stage.clock())

    def test_are_in_the_crm_although_the_rest_of_the_event_is_a_dead_letter(self, stage: Stage) -> None:
        pass_on(stage, "m1", a_person("c-1", 0))
        pass_on(stage, "m2", a_person("c-1", 1, doNotCall=True, city=REFUSED))
        shown = story(stage.store, "m2")
        assert shown is not None
        assert [(one.state, one.tries[-1].records[0].fields) for one in shown.deliveries] == [("dead", ())]
        assert [one.status for one in shown.opt_outs] == ["applied"]

    def test_say_why_they_are_not_in_the_crm(self, stage: Stage) -> None:
        pass_on(stage, "m1", a_person("c-1", 0))
        stage.crm.unwritable.add("NoCall")
        pass_on(stage, "m2", a_person("c-1", 1, doNotCall=True))
        shown = story(stage.store, "m2")
        assert shown is not None
        words = [opt_out_words(one) for one in shown.opt_outs]
        assert words == ["is not in the CRM: refused, INVALID_FIELD: hidden from this user"]

    def test_of_an_event_without_any_are_none(self, stage: Stage) -> None:
        pass_on(stage, "m1", a_person("c-1", 0))
        shown = story(stage.store, "m1")
        assert shown is not None
        assert list(shown.opt_outs) == []
