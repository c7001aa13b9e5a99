"""What people read about a write is what the CRM confirmed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from connector.delivery.deliver import Running
from connector.settlement import RecordNote, RecordVerdict
from connector.store.notes import read_notes
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
