"""A record that people merged or deleted, met by an event that does not speak of all that was written to it."""

from __future__ import annotations

from typing import Any

import pytest

from connector.delivery.route import Running
from tests.promises.stage import HOLD, Stage, a_person, a_talk, one_contact
from tests.promises.test_counting import tell

CALLS = one_contact("""\
City: customer.city
Calls: { count: calls }
First: { first: call.disposition }
Last: { last: call.disposition }
Day: { from: call.createdAt, format: date }
Owned: { from: call.disposition, write: unless_edited }
Blank: { from: call.disposition, write: if_blank }
Was: { value: Mesa, when: { customer.city: Mesa } }
""")
MOVING = one_contact(
    """\
City: customer.city
Stage: { from: customer.status, table: stages, write: forward, order: [New, Working, Won] }
Said: { from: call.disposition, table: results, write: forward, order: [New, Working, Won] }
""",
    top="""
tables:
  stages: { Lead: New, Active: Working, Inactive: Won }
  results: { Nothing: New, Callback: Working, Sold: Won, else: null }
""",
)
WHOLE = {"Calls": 2, "First": "One", "Last": "Two", "Day": "2026-06-18", "Owned": "Two", "Blank": "One"}


def a_try(number: int, disposition: str) -> tuple[str, dict[str, Any]]:
    return f"call-{number}", a_talk(f"t-{number}", a_person("c-1", number), number, disposition=disposition)


def lost(stage: Stage, how: str, **theirs: str) -> None:
    """Two calls are written; then the team merges the record into one of its own, or deletes it."""
    stage.route.running = Running(CALLS)
    tell(stage, ("new", a_person("c-1", 0, city="Mesa")), a_try(1, "One"), a_try(2, "Two"))
    mine = stage.contact()["Id"]
    if how == "merged":
        stage.crm.merge(mine, stage.crm.add("Contact", LastName="Delacroix", **theirs)["Id"])
    else:
        del stage.crm.records[mine]


@pytest.fixture(params=["merged", "deleted"])
def met(request: pytest.FixtureRequest, stage: Stage) -> Stage:
    """Such a record, met by a change of the customer."""
    lost(stage, request.param)
    tell(stage, ("change", a_person("c-1", 3, city="Yuma")))
    return stage


class TestWhatTheEventDoesNotSpeakOf:
    def test_is_written_to_the_record_that_is_left(self, met: Stage) -> None:
        held = met.contact()
        assert {name: held.get(name) for name in (*WHOLE, "City", "Was")} == {**WHOLE, "City": "Yuma", "Was": "Mesa"}

    def test_stays_what_the_first_call_said(self, met: Stage) -> None:
        tell(met, a_try(5, "Five"))
        assert (met.contact()["First"], met.contact()["Last"]) == ("One", "Five")

    def test_is_not_delivered_again_another_time(self, met: Stage) -> None:
        before = met.crm.calls
        tell(met, ("later", a_person("c-1", 4, city="Yuma")))
        assert met.crm.calls == before

    def test_leaves_what_people_entered(self, stage: Stage) -> None:
        lost(stage, "merged", Owned="theirs", Blank="theirs")
        tell(stage, ("change", a_person("c-1", 3, city="Yuma")))
        assert (stage.contact()["Owned"], stage.contact()["Blank"], stage.contact()["Last"]) == (
            "theirs", "theirs", "Two",
        )  # fmt: skip


class TestWhatMovesForward:
    @pytest.mark.parametrize("purged", [False, True])
    @pytest.mark.parametrize("theirs", ["New", "Won", "Elsewhere", None])
    def test_is_no_less_than_was_said_and_than_the_record_that_is_left_has(
        self, stage: Stage, theirs: str | None, purged: bool
    ) -> None:
        said(stage)
        if purged:
            stage.clock.forward(HOLD)
            stage.store.retention.purge("sunrise", stage.clock() + 1)
        own = {} if theirs is None else {"Stage": theirs}
        stage.crm.merge(stage.contact()["Id"], stage.crm.add("Contact", LastName="Delacroix", **own)["Id"])
        tell(stage, ("change", a_person("c-1", 9, city="Yuma", status="Lead")))
        expected = {"New": "Working", "Won": "Won", "Elsewhere": "Elsewhere", None: "Working"}
        assert (stage.contact()["Stage"], stage.contact()["City"]) == (expected[theirs], "Yuma")

    @pytest.mark.parametrize("how", ["merged", "deleted"])
    def test_is_the_furthest_that_a_call_said(self, stage: Stage, how: str) -> None:
        said(stage)
        mine = stage.contact()["Id"]
        if how == "merged":
            stage.crm.merge(mine, stage.crm.add("Contact", LastName="Delacroix")["Id"])
        else:
            del stage.crm.records[mine]
        tell(stage, ("change", a_person("c-1", 9, city="Yuma", status="Lead")))
        assert (stage.contact()["Stage"], stage.contact()["Said"]) == ("Working", "Working")


def said(stage: Stage) -> None:
    """The furthest is said by the first of two calls."""
    stage.route.running = Running(MOVING)
    tell(
        stage,
        ("call-1", a_talk("t-1", a_person("c-1", 1, status="Active"), 1, disposition="Callback")),
        ("call-2", a_talk("t-2", a_person("c-1", 2, status="Lead"), 2, disposition="Nothing")),
    )
