"""A field that moves along a list: how far a value is decides, not when it was said."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import pytest

from connector.delivery.answer import Answer
from connector.delivery.authors import undone
from connector.delivery.decide import Decision, Existing, decide, to_read
from connector.delivery.fold import Folded
from connector.delivery.open_items import closed
from connector.destinations.base import Outcome, Verdict
from connector.model import Entry, FieldWrite, Mark, OpenItem, Rule
from tests.core.test_fold import a_field, a_plan, digest, folded, stamp

ORDER = ("New", "Working", "Qualified", "Enrolled")


def moved(value: str, at: int = 1) -> FieldWrite:
    return a_field(value, at, Rule.FORWARD)._replace(order=ORDER)


def one(value: str, at: int = 1) -> Folded:
    return folded(a_plan(at, Status=moved(value, at)))


def said(value: str, at: int = 1) -> Entry:
    return Entry("003", {"Status": Mark(stamp(at), f"#{value}", "v1")})


def decided(value: str, current: Any, entry: Entry = Entry("003"), at: int = 1) -> Decision:  # noqa: B008  # frozen
    return decide(one(value, at), entry, {}, Existing("003", {"Status": current}), digest)


class TestWhatIsFurther:
    def test_wins_within_a_batch_whatever_its_time(self) -> None:
        plans = [a_plan(at, Status=moved(value, at)) for at, value in ((1, "Qualified"), (2, "New"), (3, "Working"))]
        for order in itertools.permutations(plans):
            assert folded(*order).write.fields["Status"].value == "Qualified"

    @pytest.mark.parametrize("current", [None, "", "New", " new "])
    def test_is_written_over_what_is_behind_it_and_over_nothing(self, current: str | None) -> None:
        assert decided("Working", current).fields == {"Status": "Working"}

    @pytest.mark.parametrize("current", ["Working", "WORKING ", "Enrolled", "Nurture"])
    def test_is_not_what_the_crm_has_already_or_is_not_on_the_list(self, current: str) -> None:
        assert decided("Working", current).fields == {}

    def test_is_written_though_it_is_older(self) -> None:
        decision = decided("Qualified", "Working", said("Working", 5))
        assert decision.fields == {"Status": "Qualified"}
        assert decision.marks["Status"].stamp.at == 5
        assert decision.marks["Status"].stamp.tie.endswith(stamp(1).tie)


class TestWhatPeopleDo:
    def test_a_field_they_moved_back_stays_until_an_event_says_something_further(self) -> None:
        assert decided("Working", "New", said("Working"), at=2).fields == {}
        assert decided("New", None, said("Working"), at=2).fields == {}
        assert decided("Qualified", "New", said("Working"), at=2).fields == {"Status": "Qualified"}

    def test_what_they_moved_further_stays_though_it_is_moved_back_later(self) -> None:
        kept = decided("Working", "Enrolled")
        assert (kept.kept, kept.marks["Status"].digest) == (("Status",), "#Working")
        assert decided("Working", "New", Entry("003", dict(kept.marks)), at=2).fields == {}


class TestWhatIsNotOnTheList:
    def test_gives_way_where_the_crm_filled_it_in(self) -> None:
        filled = Entry("003", meant={"Status": {"#Open - Not Contacted": stamp(1)}})
        assert decided("Working", "Open - Not Contacted", filled).fields == {"Status": "Working"}

    def test_gives_way_where_another_list_had_it(self) -> None:
        assert decided("Working", "Started", said("Started")).fields == {"Status": "Working"}


class TestReading:
    def test_asks_for_the_current_value_of_what_is_further_alone(self) -> None:
        assert to_read(one("Qualified"), said("Working"), digest) == (True, ("Status",))
        assert to_read(one("Working"), said("Working"), digest) == (False, ())
        assert to_read(one("New", 9), said("Working"), digest) == (False, ())


class TestAnUndo:
    def test_is_not_repeated_by_what_is_as_old(self) -> None:
        taken_back = Entry("003", {"Status": undone(Mark(stamp(5), "#Working", "v1"), "#New")})
        again = decided("New", "New", taken_back, at=9)
        assert decided("Qualified", "New", Entry("003", {**taken_back.fields, **again.marks}), at=4).fields == {}
        assert decided("Working", "New", taken_back, at=9).fields == {"Status": "Working"}


class TestWhatTheCrmRefused:
    @staticmethod
    def closed_by(value: str, refused: str, at: int) -> tuple[str, ...]:
        item = OpenItem("INVALID_FIELD", "hidden", "show it", "contact", refused, stamp(9), "v1")
        entry = replace(said("Working", 5), open={"Status": item})
        decision = decide(one(value, at), entry, {}, Existing("003", {"Status": "Working"}), digest)
        return closed(Answer(one(value, at), entry, decision, Outcome(Verdict.DELIVERED, "003")), digest)

    def test_is_settled_by_what_is_as_far_however_old_it_is(self) -> None:
        assert self.closed_by("Working", "", 3) == ("Status",)
        assert self.closed_by("Enrolled", "#Qualified", 3) == ("Status",)

    def test_is_not_settled_by_what_falls_short_however_new_it_is(self) -> None:
        assert self.closed_by("Working", "#Qualified", 12) == ()
