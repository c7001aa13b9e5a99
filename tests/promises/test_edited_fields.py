"""A field that is made of something else after an edit of the mapping, whose values had another clock before."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from connector.delivery.route import Running
from connector.mapping import Mapping
from tests.promises.stage import HOLD, Stage, a_person, one_contact
from tests.promises.test_counting import a_try, tell
from tests.promises.test_reapply import reapply

FIRST = "first: call.disposition"
LAST = "last: call.disposition"
CITY = "from: customer.city"
COUNT = "count: calls"
BOTH = 'template: "{call.disposition} in {customer.city}"'
FORWARD = "from: customer.status, write: forward, order: [Lead, Active, Inactive]"
SOURCES = {"first": FIRST, "last": LAST, "customer": CITY, "count": COUNT, "both": BOTH, "forward": FORWARD}


def made_of(source: str) -> Mapping:
    return one_contact(f"Field: {{ {source} }}")


def a_told_try(number: int, outcome: str, at: int) -> tuple[str, dict[str, Any]]:
    return f"call-{number}", a_try(number, outcome, at, city="Yuma", status="Active")


def begun(stage: Stage, source: str) -> None:
    stage.route.running = Running(made_of(source))


class TestOfAFirstValue:
    @pytest.mark.parametrize(
        ("source", "after"), [(LAST, "Callback"), (CITY, "Yuma"), (COUNT, 1)], ids=["last", "customer", "count"]
    )
    def test_every_other_source_goes_on(self, stage: Stage, source: str, after: object) -> None:
        begun(stage, FIRST)
        tell(stage, ("one", a_try(1, "Sold")))
        begun(stage, source)
        tell(stage, ("two", a_try(2, "Callback", city="Yuma")))
        assert stage.contact()["Field"] == after

    def test_the_new_clock_decides_from_then_on(self, stage: Stage) -> None:
        begun(stage, FIRST)
        tell(stage, ("one", a_try(1, "Sold")))
        begun(stage, LAST)
        tell(stage, ("three", a_try(3, "Lost")), ("two", a_try(2, "Callback")))
        assert stage.contact()["Field"] == "Lost"
        assert stage.settled("two").state == "superseded"

    def test_it_becomes_one_again(self, stage: Stage) -> None:
        begun(stage, LAST)
        tell(stage, ("two", a_try(2, "Callback")))
        begun(stage, FIRST)
        tell(stage, ("one", a_try(1, "Sold")), ("three", a_try(3, "Lost")))
        assert stage.contact()["Field"] == "Sold"


class TestAppliedToEverybody:
    @pytest.mark.slow
    @pytest.mark.parametrize("before", SOURCES)
    def test_an_edited_field_is_written_whatever_time_it_was_of(
        self, stage: Stage, reference: Stage, before: str
    ) -> None:
        for after, changed_at in product(SOURCES, (0, 4, 9)):
            calls = (a_told_try(2, "Sold", changed_at - 1), a_told_try(5, "Callback", changed_at))
            story = (*calls, ("customer", a_person("c-1", changed_at, city="Yuma", status="Lead")))
            for world, source in ((stage, before), (reference, after)):
                world.wipe()
                begun(world, SOURCES[source])
                tell(world, *story)
            stage.clock.forward(HOLD)
            reapply(stage, made_of(SOURCES[after]))
            assert stage.contact()["Field"] == reference.contact()["Field"], f"{before}, then {after}, {changed_at}"

    def test_what_comes_late_replaces_nothing_before_that(self, stage: Stage) -> None:
        begun(stage, CITY)
        tell(stage, ("customer", a_person("c-1", 9, city="Yuma")))
        stage.clock.forward(HOLD)
        reapply(stage, made_of(CITY))
        begun(stage, BOTH)
        tell(stage, ("late", a_try(2, "Sold", 1, city="Mesa")))
        assert stage.contact()["Field"] == "Yuma"

    def test_what_moved_forward_is_not_taken_back_by_what_comes_late(self, stage: Stage) -> None:
        begun(stage, FORWARD)
        tell(stage, ("customer", a_person("c-1", 9, status="Active")))
        stage.clock.forward(HOLD)
        reapply(stage, made_of(FORWARD))
        tell(stage, ("newer", a_person("c-1", 12, status="Inactive")))
        begun(stage, "from: customer.status")
        tell(stage, ("late", a_person("c-1", 3, status="Lead")))
        assert stage.contact()["Field"] == "Inactive"

    def test_the_same_again_changes_nothing(self, stage: Stage) -> None:
        begun(stage, CITY)
        tell(stage, a_told_try(2, "Sold", 4), ("customer", a_person("c-1", 9, city="Yuma")))
        for _ in range(2):
            stage.clock.forward(HOLD)
            reapply(stage, made_of(LAST))
        writes = len(stage.crm.writes)
        reapply(stage, made_of(LAST))
        assert (stage.contact()["Field"], len(stage.crm.writes)) == ("Sold", writes)
