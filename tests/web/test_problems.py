"""The console's page of problems: causes in plain words, and their replay and discard."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from flask.testing import FlaskClient

from connector.insight.oddities import what_to_do
from connector.insight.problems import Cause, find_causes
from connector.insight.words import sentences
from connector.settlement import RecordVerdict, Refusal
from connector.settlement.oddities import Oddity
from connector.store import Store
from tests.builders import DESTINATION, NOON, an_arrival, an_odd_arrival
from tests.web.conftest import RECORD, act, an_account, leave_out, log_in, refuse, settle

PICKLIST = "'MailingState' does not offer this value"
ADD_IT = "add it in Salesforce or to the mapping's table, then replay"
REFUSED = replace(RECORD, record="contact", fields=("LastName", "MailingState"), verdict=RecordVerdict.REJECTED)


@pytest.fixture
def four_dead(store: Store) -> Store:
    refuse(store, 3, "INVALID_OPTION", "none of the options", "state")
    refuse(store, 1, "INVALID_OPTION", "none of the options", "status")
    return store


def the_cause(store: Store) -> Cause:
    return find_causes(store)[0]


class TestWords:
    def test_cause_and_action_come_as_sentences(self) -> None:
        what, action = sentences(Refusal("INVALID_OPTION", PICKLIST, ADD_IT, ("MailingState",)))
        assert what == "'MailingState' does not offer this value."
        assert action == "Add it in Salesforce or to the mapping's table, then replay."

    def test_fields_are_named_in_the_cause(self) -> None:
        assert Refusal.of("X", "the text is too long for {fields}", "", ("A", "B")).cause.endswith("for 'A', 'B'")
        assert Refusal.of("X", "it has the wrong type", "", ("A", "B")).cause == "'A', 'B': it has the wrong type"

    def test_a_refusal_without_an_action_gets_general_advice(self) -> None:
        assert sentences(Refusal("X", "several records match"))[1].startswith("Fix the cause in careCycle")

    def test_a_missing_cause_is_reported_as_such(self) -> None:
        assert sentences(Refusal("X"))[0] == "No reason was given."


class TestCauses:
    def test_customers_are_counted_once(self, store: Store) -> None:
        refuse(store, 2, "X", "bad", "A")
        store.inbox.accept([an_arrival(customer_id="another")])
        settle(store, "dead", why=Refusal("X", "bad", fields=("A",)))
        assert (the_cause(store).count, the_cause(store).customers) == (3, 2)

    def test_each_field_is_a_cause_of_its_own_the_most_first(self, four_dead: Store) -> None:
        assert [(one.fields, one.count) for one in find_causes(four_dead)] == [(("state",), 3), (("status",), 1)]

    def test_the_same_refusal_in_other_words_is_one_cause(self, store: Store) -> None:
        refuse(store, 1, "AMBIGUOUS", "several records match: 1, 2")
        refuse(store, 2, "AMBIGUOUS", "several records match: 3, 4")
        (cause,) = find_causes(store)
        assert (cause.count, cause.reason) == (3, "several records match: 3, 4")

    def test_the_same_field_of_another_record_is_another_cause(self, store: Store) -> None:
        store.inbox.accept([an_arrival()])
        settle(store, "dead", why=Refusal("X", "bad", fields=("A",), record="contact"))
        store.inbox.accept([an_arrival()])
        settle(store, "dead", why=Refusal("X", "bad", fields=("A",), record="lead"))
        assert {one.record for one in find_causes(store)} == {"contact", "lead"}

    def test_the_line_of_the_mapping_is_told(self, store: Store) -> None:
        store.inbox.accept([an_arrival()])
        settle(store, "dead", why=Refusal("X", PICKLIST, ADD_IT, ("MailingState",), "contact"), records=[REFUSED])
        (cause,) = find_causes(store, [an_account()])
        assert (cause.record, cause.object) == ("contact", "Contact")
        assert re.fullmatch(r"salesforce-contact\.yaml:\d+", cause.places[0])

    def test_what_is_delivered_or_waits_is_no_cause(self, store: Store) -> None:
        store.inbox.accept([an_arrival()])
        settle(store, "delivered")
        store.inbox.accept([an_arrival()])
        assert find_causes(store) == []


class TestThePage:
    def test_none_is_good_news(self, operator: FlaskClient) -> None:
        assert "No dead letters." in operator.get("/console/problems").text

    def test_a_cause_tells_whom_since_when_and_what_to_do(self, operator: FlaskClient, store: Store) -> None:
        refuse(store, 2, "INVALID_OPTION", PICKLIST, "MailingState", action=ADD_IT)
        page = operator.get("/console/problems").text
        assert "&#39;MailingState&#39; does not offer this value." in page
        assert "<strong>1 customer</strong> since 12:00 (2 deliveries)." in page
        assert "Add it in Salesforce or to the mapping&#39;s table, then replay." in page

    def test_one_cause_lists_whom_it_is_about(self, operator: FlaskClient, store: Store) -> None:
        store.inbox.accept([an_arrival("msg_dead")])
        settle(store, "dead", why=Refusal("X", "bad", fields=("A",)))
        assert "msg_dead</a>" in operator.get(f"/console/problems/{the_cause(store).id}").text

    def test_a_paused_lane_is_pointed_out(self, operator: FlaskClient, store: Store) -> None:
        store.lanes.open({"sunrise/salesforce/0": DESTINATION})
        store.desk.pause("sunrise/salesforce/0", "somebody")
        assert "1 lane is paused: sunrise/salesforce/0 (operator)" in operator.get("/console/problems").text

    def test_what_was_parked_at_the_door_has_its_own_advice(self, operator: FlaskClient, store: Store) -> None:
        store.inbox.accept([an_arrival(state="dead", code="E210", reason="customer.id is missing")])
        assert (
            "careCycle sent something this version cannot read: customer.id is missing."
            in operator.get("/console/problems").text
        )


class TestOddFields:
    def test_they_are_listed_with_their_count_and_newest_event(self, operator: FlaskClient, store: Store) -> None:
        store.inbox.accept([an_odd_arrival("msg_one"), an_odd_arrival("msg_two")])
        page = operator.get("/console/problems").text
        assert "careCycle sends customer.subsidyAmount as a number with decimals; expected a whole number." in page
        assert "<strong>2 events</strong>" in page
        assert "/console/events/msg_two" in page
        assert "148.5" not in page

    def test_the_page_of_the_event_names_them(self, operator: FlaskClient, store: Store) -> None:
        store.inbox.accept([an_odd_arrival("msg_one")])
        assert "The field counts as absent." in operator.get("/console/events/msg_one").text

    def test_a_value_nothing_translates_says_which_events_to_replay(self) -> None:
        oddity = Oddity("sunrise", "customer.status", DESTINATION, "contact.Status", since=NOON)
        command = f"connector events replay --destination {DESTINATION} --state delivered --since 2026-06-18"
        assert command in what_to_do(oddity)

    def test_an_unknown_flag_is_on_the_overview(self, operator: FlaskClient, store: Store) -> None:
        store.lanes.open({"sunrise/salesforce/0": DESTINATION})
        store.inbox.accept([an_odd_arrival(doNotCall="yes")])
        assert "1 event had a customer or consent flag that could not be read" in operator.get("/console").text


class TestActions:
    @pytest.mark.parametrize("action", ["replay", "discard"])
    def test_one_is_confirmed_first(self, operator: FlaskClient, four_dead: Store, action: str) -> None:
        page = operator.get(f"/console/problems/{the_cause(four_dead).id}/{action}").text
        assert f"<button>{action.capitalize()} 3 deliveries</button>" in page
        assert four_dead.desk.states(0) == {"dead": 4}

    def test_a_replay_frees_that_cause_alone(self, operator: FlaskClient, four_dead: Store) -> None:
        page = act(operator, f"/console/problems/{the_cause(four_dead).id}/replay", seen=the_cause(four_dead).seen).text
        assert "3 deliveries replayed" in page
        assert four_dead.desk.states(0) == {"dead": 1, "ready": 3}

    def test_a_discard_gives_up_that_cause_alone(self, operator: FlaskClient, four_dead: Store) -> None:
        page = act(
            operator, f"/console/problems/{the_cause(four_dead).id}/discard", seen=the_cause(four_dead).seen
        ).text
        assert "3 deliveries discarded" in page
        assert four_dead.desk.states(0) == {"dead": 1, "skipped": 3}

    def test_it_is_written_down_with_its_cause(self, operator: FlaskClient, four_dead: Store) -> None:
        act(operator, f"/console/problems/{the_cause(four_dead).id}/replay", seen=the_cause(four_dead).seen)
        (entry,) = four_dead.desk.audit()
        assert (entry.who, entry.action) == ("console", "replay")
        assert entry.thing.startswith("3 ")

    @pytest.mark.parametrize("action", ["replay", "discard"])
    def test_a_cause_that_is_gone_meanwhile_is_told(self, operator: FlaskClient, four_dead: Store, action: str) -> None:
        gone, seen = f"/console/problems/{the_cause(four_dead).id}", the_cause(four_dead).seen
        act(operator, f"{gone}/replay", seen=seen)
        told = "Nothing was changed: no dead letters with that cause are left."
        assert told in act(operator, f"{gone}/{action}", seen=seen).text
        assert told in operator.get(f"{gone}/{action}", follow_redirects=True).text

    @pytest.mark.parametrize("action", ["replay", "discard"])
    def test_more_or_fewer_than_the_operator_saw_are_left_alone(
        self, operator: FlaskClient, four_dead: Store, action: str
    ) -> None:
        page = act(operator, f"/console/problems/{the_cause(four_dead).id}/{action}", seen="2-9").text
        assert "Nothing was changed: the number of dead letters with that cause has changed" in page
        assert four_dead.desk.states(0) == {"dead": 4}
        assert four_dead.desk.audit() == []


class TestViewers:
    def test_a_viewer_sees_but_is_offered_nothing(self, viewer: FlaskClient, four_dead: Store) -> None:
        pages = [viewer.get(f"/console{page}") for page in ("/problems", f"/problems/{the_cause(four_dead).id}", "")]
        assert {page.status_code for page in pages} == {200}
        assert not any(re.search(r"Replay all|Discard all|Pause…", page.text) for page in pages)

    def test_a_viewer_changes_nothing(self, viewer: FlaskClient, four_dead: Store) -> None:
        cause = f"/console/problems/{the_cause(four_dead).id}/replay"
        answers = [viewer.get(cause), act(viewer, cause, seen="4-4"), act(viewer, "/console/lanes/pause", lane="x")]
        assert {answer.status_code for answer in answers} == {403}
        assert "You have view-only access" in answers[0].text
        assert four_dead.desk.states(0) == {"dead": 4}

    def test_a_viewer_logs_out(self, viewer: FlaskClient) -> None:
        assert "Log in" in act(viewer, "/console/logout").text

    def test_a_wrong_password_is_no_viewer_s(self, stranger: FlaskClient) -> None:
        assert log_in(stranger, "guess").status_code == 403


class TestFieldsLeftOut:
    def test_are_shown_with_what_to_do(self, operator: FlaskClient, store: Store) -> None:
        leave_out(store)
        page = operator.get("/console/problems").text
        told = ("The address is not accepted", "<code>Email</code>", "INVALID_EMAIL_ADDRESS", "Correct it", "1 record")
        assert [words for words in told if words not in page] == []

    def test_are_counted_on_the_overview(self, operator: FlaskClient, store: Store) -> None:
        leave_out(store)
        assert "Fields left out" in operator.get("/console/").text

    def test_are_named_in_the_story_of_their_event(self, operator: FlaskClient, store: Store) -> None:
        leave_out(store)
        assert "Left out: the CRM rejects it" in operator.get("/console/events/msg_left_out").text
