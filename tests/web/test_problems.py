"""The console's page of problems: causes in plain words, and their replay and discard."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest
from flask.testing import FlaskClient

from connector.insight.problems import Cause, find_causes, said
from connector.store import Store
from tests.builders import DESTINATION, an_arrival
from tests.web.conftest import RECORD, act, an_account, log_in, refuse, settle

PICKLIST = "the field does not offer this value: add it in Salesforce or to the mapping's table"
REFUSED: Mapping[str, Any] = {
    **RECORD,
    "record": "contact",
    "fields": ["LastName", "MailingState"],
    "verdict": "rejected",
}


@pytest.fixture
def four_dead(store: Store) -> Store:
    refuse(store, 3, "INVALID_OPTION", "none of the options [state]")
    refuse(store, 1, "INVALID_OPTION", "none of the options [status]")
    return store


def the_cause(store: Store) -> Cause:
    return find_causes(store)[0]


class TestWords:
    def test_a_refusal_names_its_field_in_a_sentence(self) -> None:
        what, do = said("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", f"{PICKLIST} [MailingState]")
        assert what == "'MailingState' does not offer this value."
        assert do == "Add it in Salesforce or to the mapping's table. Then replay."

    def test_a_property_s_own_things_are_named_with_it(self) -> None:
        what, _ = said("INVALID_OPTION", "the value is none of the property's options: add the option [state]")
        assert what == "The value is none of the options of 'state'."

    def test_several_fields_are_named_before_it(self) -> None:
        assert said("X", "the field has the wrong type [A, B]")[0] == "'A', 'B': the field has the wrong type."

    def test_a_refusal_without_field_or_advice_is_told_as_it_is(self) -> None:
        what, do = said("X", "several records match")
        assert what == "Several records match."
        assert do.startswith("Mend the cause")

    def test_nothing_told_is_said(self) -> None:
        assert said("X", "")[0] == "No reason was told."


class TestCauses:
    def test_customers_are_counted_once(self, store: Store) -> None:
        refuse(store, 2, "X", "bad [A]")
        store.inbox.accept([an_arrival(customer_id="another")])
        settle(store, "dead", code="X", reason="bad [A]")
        assert (the_cause(store).count, the_cause(store).customers) == (3, 2)

    def test_each_field_is_a_cause_of_its_own_the_most_first(self, four_dead: Store) -> None:
        assert [(one.fields, one.count) for one in find_causes(four_dead)] == [(("state",), 3), (("status",), 1)]

    def test_the_line_of_the_mapping_is_told(self, store: Store) -> None:
        store.inbox.accept([an_arrival()])
        settle(store, "dead", code="X", reason=f"{PICKLIST} [MailingState]", records=[REFUSED])
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
        refuse(store, 2, "INVALID_OPTION", f"{PICKLIST} [state]")
        page = operator.get("/console/problems").text
        assert "&#39;state&#39; does not offer this value." in page
        assert "<strong>1 customer</strong> since 12:00 (2 deliveries)." in page
        assert "Add it in Salesforce or to the mapping&#39;s table." in page

    def test_one_cause_lists_whom_it_is_about(self, operator: FlaskClient, store: Store) -> None:
        store.inbox.accept([an_arrival("msg_dead")])
        settle(store, "dead", code="X", reason="bad [A]")
        assert "msg_dead</a>" in operator.get(f"/console/problems/{the_cause(store).id}").text

    def test_a_paused_lane_is_pointed_out(self, operator: FlaskClient, store: Store) -> None:
        store.lanes.open({"sunrise/salesforce/0": DESTINATION})
        store.desk.pause("sunrise/salesforce/0", "somebody")
        assert "1 lane is paused: sunrise/salesforce/0 (operator)" in operator.get("/console/problems").text

    def test_what_was_parked_at_the_door_has_its_own_advice(self, operator: FlaskClient, store: Store) -> None:
        store.inbox.accept([an_arrival(state="dead", code="E210", reason="customer.id is missing")])
        assert "careCycle sent something this version cannot read." in operator.get("/console/problems").text


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
        assert (entry["who"], entry["action"]) == ("console", "replay")
        assert entry["thing"].startswith("3 ")

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
