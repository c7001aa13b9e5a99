"""Whether everybody careCycle has is held: every difference is found, none is invented, and what is missing comes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest

from connector.errors import PauseReason, SourceForbidden, SourceUnusable
from connector.insight.completeness import Completeness, Wanted
from connector.running.fetching import keep_fetched
from connector.settlement.newest import Kind
from connector.settlement.source import Comparison, Counted
from connector.source.client import Page
from connector.store.runs import SOURCE
from tests.builders import NOON
from tests.promises.stage import AGENCY, Stage, a_person, a_talk

Payload = Mapping[str, Any]
CONSENT = ("doNotCall", "doNotSMS", "doNotEmail", "doNotMail")


@dataclass
class Api:
    """What careCycle has. fails_at: the page that cannot be read."""

    people: list[Payload]
    talks: Mapping[str, Sequence[Payload]] = field(default_factory=dict)
    size: int = 2
    fails_at: int = 0
    forbidden: bool = False
    failing: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)

    def pages(self, first: int = 1) -> Iterator[Page]:
        count = -(-len(self.people) // self.size)
        for number in range(first, count + 1):
            if number == self.fails_at:
                raise SourceUnusable("careCycle", "it does not answer", PauseReason.OUTAGE)
            some = self.people[(number - 1) * self.size : number * self.size]
            listed = tuple({name: value for name, value in one.items() if name not in CONSENT} for one in some)
            self.asked.append(f"page {number}")
            yield Page(number, listed, 0, len(self.people), number == count)

    def customer(self, customer_id: str) -> Payload | None:
        if self.forbidden:
            raise SourceForbidden("careCycle", "the key may not read a customer", PauseReason.PERMISSIONS)
        if customer_id in self.failing:
            raise SourceUnusable("careCycle", "it is failing (500)", PauseReason.OUTAGE)
        self.asked.append(customer_id)
        return next((one for one in self.people if one["id"] == customer_id), None)

    def calls(self, customer_id: str, customer: Payload) -> Iterator[Payload]:
        self.asked.append(f"calls of {customer_id}")
        yield from self.talks.get(customer_id, ())


def compare(stage: Stage, api: Api, **wanted: Any) -> Comparison:
    run = stage.store.runs.begin(f"r{len(stage.store.runs.all('sunrise'))}", "sunrise", SOURCE, str(wanted))
    keep = partial(keep_fetched, stage.store, AGENCY, run.id)
    return Completeness(stage.store, "sunrise", api, keep, run, Wanted(**wanted)).run()


class TestFound:
    def test_who_is_unknown_here_or_newer_there_and_nobody_else(self, stage: Stage) -> None:
        stage.accept("m1", a_person("c-1", 1))
        stage.accept("m2", a_person("c-2", 1))
        stage.accept("m3", a_person("c-3", 9))
        done = compare(stage, Api([a_person(f"c-{number}", 2) for number in (2, 3, 4)] + [a_person("c-1", 1)]))
        assert (done[Counted.LISTED], done[Counted.UNKNOWN], done[Counted.NEWER]) == (4, 1, 1)
        assert (done[Counted.FETCHED_CUSTOMERS], done.left) == (2, 0)

    def test_is_written_to_the_crm_with_the_consent_that_only_the_details_have(self, stage: Stage) -> None:
        compare(stage, Api([a_person("c-1", 2, city="Oslo", doNotCall=True)]))
        stage.drain()
        assert (stage.contact()["City"], stage.contact()["NoCall"]) == ("Oslo", True)

    def test_a_second_comparison_finds_nothing(self, stage: Stage) -> None:
        api = Api([a_person("c-1", 2), a_person("c-2", 3)], {"c-1": [a_talk("t-1", a_person("c-1", 2), 2)]})
        assert compare(stage, api, all_calls=True).missing == 3
        assert compare(stage, api, all_calls=True).missing == 0

    def test_calls_of_those_who_differ_or_of_everybody(self, stage: Stage) -> None:
        stage.accept("m1", a_person("c-1", 1))
        stage.accept("t1", a_talk("t-1", a_person("c-1", 1), 1))
        talks = {"c-1": [a_talk("t-1", a_person("c-1", 1), 1), a_talk("t-2", a_person("c-1", 1), 3)]}
        api = Api([a_person("c-1", 1)], talks)
        assert compare(stage, api)[Counted.MISSING_CALLS] == 0
        assert compare(stage, api, all_calls=True)[Counted.FETCHED_CALLS] == 1

    def test_without_fetching_nothing_is_stored(self, stage: Stage) -> None:
        done = Completeness(stage.store, "sunrise", Api([a_person("c-1", 1)]), len, None, Wanted(fetch=False)).run()
        assert (done.left, stage.store.desk.waiting(), stage.store.runs.all("sunrise")) == (1, 0, [])

    def test_who_is_listed_without_details_is_taken_as_listed(self, stage: Stage) -> None:
        listed = a_person("c-1", 1, city="Oslo", doNotCall=True)
        api = Api([listed])
        api.customer = lambda customer_id: None  # type: ignore[method-assign]
        api.pages = lambda first=1: iter([Page(1, (listed,), 0, 1, True)])  # type: ignore[method-assign]
        done = compare(stage, api)
        stage.drain()
        assert (done[Counted.UNDETAILED], done[Counted.FETCHED_CUSTOMERS], done.left) == (1, 1, 0)
        assert (stage.contact()["City"], stage.contact()["NoCall"]) == ("Oslo", True)


class TestTroubles:
    def test_an_interrupted_comparison_goes_on_where_it_was(self, stage: Stage) -> None:
        api = Api([a_person(f"c-{number}", 1) for number in range(6)], fails_at=3)
        with pytest.raises(SourceUnusable):
            compare(stage, api)
        api.fails_at = 0
        api.asked.clear()
        done = compare(stage, api)
        assert (done[Counted.LISTED], done[Counted.FETCHED_CUSTOMERS], api.asked.count("c-0")) == (6, 6, 0)

    def test_details_that_may_not_be_read_cost_only_themselves(self, stage: Stage) -> None:
        done = compare(stage, Api([a_person("c-1", 2, city="Oslo")], forbidden=True))
        stage.drain()
        assert (done.left, stage.contact()["City"]) == (0, "Oslo")

    def test_a_customer_of_whom_there_is_no_answer_costs_only_themselves(self, stage: Stage) -> None:
        api = Api([a_person(f"c-{number}", 1) for number in range(4)], failing={"c-1"})
        done = compare(stage, api)
        assert (done[Counted.UNANSWERED], done[Counted.FETCHED_CUSTOMERS], done.left) == (1, 3, 1)
        api.failing.clear()
        assert compare(stage, api).left == 0

    def test_an_opt_out_in_the_list_counts_although_there_is_no_answer(self, stage: Stage) -> None:
        listed = a_person("c-1", 1, doNotCall=True)
        api = Api([listed], failing={"c-1"})
        api.pages = lambda first=1: iter([Page(1, (listed,), 0, 1, True)])  # type: ignore[method-assign]
        assert compare(stage, api)[Counted.UNANSWERED] == 1
        stage.drain()
        assert stage.contact()["NoCall"] is True

    def test_details_erase_nothing_and_an_opt_out_in_either_counts(self, stage: Stage) -> None:
        listed = a_person("c-1", 1, city="Oslo", doNotCall=True, doNotSMS=None)
        api = Api([listed])
        api.customer = lambda _: listed | {"city": None, "doNotCall": None, "doNotSMS": True}  # type: ignore[method-assign]
        api.pages = lambda first=1: iter([Page(1, (listed,), 0, 1, True)])  # type: ignore[method-assign]
        compare(stage, api)
        stage.drain()
        assert [stage.contact()[name] for name in ("City", "NoCall", "NoText")] == ["Oslo", True, True]

    def test_a_list_that_has_fewer_than_it_says_is_not_everybody(self, stage: Stage) -> None:
        api = Api([])
        api.pages = lambda first=1: iter([Page(1, (a_person("c-1", 1),), 0, 250, True)])  # type: ignore[method-assign]
        done = compare(stage, api)
        assert (done[Counted.SHRUNK], done.shows_all) == (1, False)

    def test_where_nobody_is_answered_about_it_stops(self, stage: Stage) -> None:
        people = [a_person(f"c-{number}", 1) for number in range(4)]
        with pytest.raises(SourceUnusable):
            compare(stage, Api(people, failing={person["id"] for person in people}))

    def test_who_moved_up_while_it_was_interrupted_is_found(self, stage: Stage) -> None:
        api = Api([a_person(f"c-{number}", 1) for number in range(6)], fails_at=3)
        with pytest.raises(SourceUnusable):
            compare(stage, api)
        api.fails_at = 0
        del api.people[0]
        api.people[2] = a_person("c-3", 5, city="Rome")
        compare(stage, api)
        assert stage.store.newest.held("sunrise", Kind.CUSTOMER, ["c-3"])["c-3"] == NOON + 5 * 60_000

    def test_a_time_in_another_form_is_read_and_one_that_cannot_be_is_no_excuse(self, stage: Stage) -> None:
        stage.accept("m1", a_person("c-1", 1))
        stage.accept("m2", a_person("c-2", 1))
        first = a_person("c-1", 2, doNotCall=True) | {"updatedAt": "2026-06-18T12:02:00"}
        second = a_person("c-2", 2, doNotCall=True) | {"updatedAt": 1_790_000_000_000}
        compare(stage, Api([first, second]))
        stage.drain()
        assert [stage.contact(customer)["NoCall"] for customer in ("c-1", "c-2")] == [True, True]

    def test_a_time_that_has_not_come_keeps_nothing_out(self, stage: Stage) -> None:
        compare(stage, Api([a_person("c-1", 1, city="Oslo") | {"updatedAt": "2099-01-01T00:00:00.000Z"}]))
        stage.drain()
        stage.clock.forward(60_000)
        stage.accept("m1", a_person("c-1", 1, city="Rome"))
        stage.drain()
        assert stage.contact()["City"] == "Rome"

    @pytest.mark.parametrize("held", [True, False])
    def test_who_was_deleted_here_does_not_come_back_by_their_calls_either(self, stage: Stage, held: bool) -> None:
        api = Api([a_person("c-1", 1)], {"c-1": [a_talk("t-1", a_person("c-1", 1), 2)]})
        stage.clock.forward(600_000)
        if held:
            compare(stage, api, all_calls=True)
        stage.store.forget.run("c-1", "ana")
        before = stage.store.desk.waiting()
        done = compare(stage, api, all_calls=True)
        assert (done[Counted.DELETED], done.missing, done.left, stage.store.desk.waiting()) == (1, 0, 0, before)

    def test_who_changed_since_they_were_deleted_here_is_fetched(self, stage: Stage) -> None:
        stage.clock.forward(600_000)
        stage.store.forget.run("c-1", "ana")
        api = Api([a_person("c-1", 11)], {"c-1": [a_talk("t-1", a_person("c-1", 1), 2)]})
        done = compare(stage, api)
        assert (done[Counted.FETCHED_CUSTOMERS], done[Counted.FETCHED_CALLS], done.left) == (1, 0, 0)


class TestSchedule:
    def test_one_of_several_processes_begins(self, stage: Stage) -> None:
        runs = stage.store.runs
        begun = [runs.due(f"r{number}", "sunrise", SOURCE, "scheduled", 1000) for number in range(2)]
        assert [run.id if run else None for run in begun] == ["r0", None]

    def test_the_next_is_due_after_its_time_and_not_before(self, stage: Stage) -> None:
        runs = stage.store.runs
        runs.due("r0", "sunrise", SOURCE, "scheduled", 1000)
        runs.note("r0", "", {}, ended=True)
        assert runs.due("r1", "sunrise", SOURCE, "scheduled", 1000) is None
        stage.clock.forward(1001)
        assert runs.due("r1", "sunrise", SOURCE, "scheduled", 1000) is not None

    def test_one_whose_process_has_gone_is_resumed(self, stage: Stage) -> None:
        runs = stage.store.runs
        runs.due("r0", "sunrise", SOURCE, "scheduled", 1000)
        runs.note("r0", "7", {"listed": 600})
        stage.clock.forward(3_600_001)
        resumed = runs.due("r1", "sunrise", SOURCE, "scheduled", 1000)
        assert resumed is not None
        assert (resumed.id, resumed.cursor) == ("r0", "7")
