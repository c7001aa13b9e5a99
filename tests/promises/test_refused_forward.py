"""A field that moves forward, whose CRM refuses a write: what it had brought before is brought only once."""

from __future__ import annotations

import pytest

from connector.delivery.route import Running
from tests.promises.crm import Fault, Killed
from tests.promises.stage import HOLD, Stage, a_person
from tests.promises.test_counting import tell
from tests.promises.test_edited_fields import FORWARD, made_of


@pytest.fixture
def moved_back(stage: Stage) -> Stage:
    """A status that an event moved forward, and a person back again."""
    stage.route.running = Running(made_of(FORWARD))
    tell(stage, ("one", a_person("c-1", 1, status="Active")))
    for record in stage.crm.records.values():
        record["Field"] = "Lead"
    return stage


def said_again(stage: Stage, message_id: str = "again") -> str:
    tell(stage, (message_id, a_person("c-1", 9, status="Active", lastName="Okafor")))
    return str(stage.contact()["Field"])


class TestWhatWasBroughtBeforeARefusal:
    @pytest.mark.parametrize("before", [None, Fault.LOCKED, Fault.DOWN, Fault.KILLED_BEFORE])
    def test_is_not_brought_again(self, moved_back: Stage, before: Fault | None) -> None:
        moved_back.crm.faults += [fault for fault in (before, Fault.REFUSED) if fault]
        moved_back.accept("further", a_person("c-1", 5, status="Inactive"))
        try:
            moved_back.deliver()
        except Killed:
            moved_back.clock.forward(HOLD + 1)
        moved_back.drain_in_time()
        assert moved_back.state("further")[0] == "dead"
        assert said_again(moved_back) == "Lead"

    def test_is_not_brought_again_where_the_field_alone_was_left_out(self, moved_back: Stage) -> None:
        moved_back.crm.unwritable.add("Field")
        tell(moved_back, ("further", a_person("c-1", 5, status="Inactive")))
        moved_back.crm.unwritable.clear()
        assert said_again(moved_back) == "Lead"

    def test_moves_on_with_what_is_further(self, moved_back: Stage) -> None:
        moved_back.crm.faults.append(Fault.REFUSED)
        tell(moved_back, ("further", a_person("c-1", 5, status="Inactive")))
        tell(moved_back, ("once more", a_person("c-1", 6, status="Inactive")))
        assert moved_back.contact()["Field"] == "Inactive"
