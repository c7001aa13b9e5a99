"""The console's page of problems: causes in plain words, and their replay and discard."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text
from structlog.testing import capture_logs

from connector.destinations.base import Destination
from connector.errors import FixMapping
from connector.insight.oddities import what_to_do
from connector.insight.problems import Cause, find_causes
from connector.insight.words import sentences
from connector.mapping import Loaded
from connector.settlement import RecordVerdict, Refusal
from connector.settlement.oddities import Oddity
from connector.store import Store
from connector.web.console import create_console
from connector.web.health import create_admin
from connector.web.passwords import Passwords
from tests.builders import DESTINATION, NOON, an_arrival, an_odd_arrival
from tests.conftest import Clock
from tests.web.conftest import HASH, KEY, MINUTE, RECORD, act, an_account, deeds, leave_out, log_in, refuse, settle

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
        assert "<strong>1 customer</strong> since 05:00 MST (2 deliveries)." in page
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
        assert "1 event since Jun 18, 05:00 MST, the newest at Jun 18, 05:00 MST" in operator.get("/console").text
        assert "The field counts as absent." in operator.get("/console/events/msg_one").text

    def test_a_value_nothing_translates_says_which_events_to_replay(self) -> None:
        oddity = Oddity("sunrise", "customer.status", DESTINATION, "contact.Status", since=NOON)
        command = f"connector events replay --destination {DESTINATION} --state delivered --since 2026-06-18"
        assert command in what_to_do(oddity)

    def test_an_unknown_flag_is_on_the_overview(self, operator: FlaskClient, store: Store) -> None:
        store.lanes.open({"sunrise/salesforce/0": DESTINATION})
        store.inbox.accept([an_odd_arrival(doNotCall="yes")])
        assert "careCycle sends customer.doNotCall as" in operator.get("/console").text


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
        (entry,) = deeds(four_dead)
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
        assert deeds(four_dead) == []


class TestViewers:
    def test_a_viewer_sees_but_is_offered_nothing(self, viewer: FlaskClient, four_dead: Store) -> None:
        pages = [viewer.get(f"/console{page}") for page in ("/problems", f"/problems/{the_cause(four_dead).id}", "")]
        assert {page.status_code for page in pages} == {200}
        assert not any(re.search(r"Replay all|Discard all|Pause…", page.text) for page in pages)

    def test_a_viewer_changes_nothing(self, viewer: FlaskClient, four_dead: Store) -> None:
        cause = f"/console/problems/{the_cause(four_dead).id}/replay"
        answers = [viewer.get(cause), act(viewer, cause, seen="4-4"), act(viewer, "/console/lanes/pause", lane="x")]
        assert {answer.status_code for answer in answers} == {403}
        assert "You may not do this" in answers[0].text
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
        assert "1 field is left out of records" in operator.get("/console/").text

    def test_are_named_in_the_story_of_their_event(self, operator: FlaskClient, store: Store) -> None:
        leave_out(store)
        assert "Left out: the CRM rejects it" in operator.get("/console/events/msg_left_out").text


class TestReplaysAndTheirResults:
    def test_one_is_replayed_first_then_the_rest_and_the_results_stay(
        self, operator: FlaskClient, four_dead: Store
    ) -> None:
        cause = f"/console/problems/{the_cause(four_dead).id}"
        page = act(operator, f"{cause}/replay-one", seen=the_cause(four_dead).seen).text
        assert "1 delivery replayed: waiting to be written." in page
        assert four_dead.desk.states(0) == {"dead": 3, "ready": 1}
        settle(four_dead, "delivered")
        page = operator.get(cause).text
        assert "1 delivery replayed: <span" in page
        assert "1 delivered</span>" in page
        assert "Replay the rest (2)…" in page
        act(operator, f"{cause}/replay", seen=the_cause(four_dead).seen)
        settle(four_dead, "delivered")
        assert "No dead letters with this cause are left." in operator.get(cause).text
        kept = four_dead.handling.replays()
        assert [(one.who, one.count, one.delivered, one.failed) for one in kept] == [
            ("console", 2, 2, 0), ("console", 1, 1, 0)
        ]  # fmt: skip
        assert "2 deliveries replayed: <span" in operator.get("/console/problems").text

    def test_those_that_fail_again_are_counted_and_the_cause_keeps_its_beginning(
        self, operator: FlaskClient, store: Store, clock: Clock
    ) -> None:
        refuse(store, 2, "INVALID_OPTION", "none of the options", "state")
        began = the_cause(store).since
        for _ in range(2):
            clock.forward(24 * 60 * MINUTE)
            log_in(operator)
            act(operator, f"/console/problems/{the_cause(store).id}/replay", seen=the_cause(store).seen)
            settle(store, "dead", why=Refusal("INVALID_OPTION", "none of the options", fields=("state",)))
        assert the_cause(store).since == began
        assert "2 failed again" in operator.get("/console/problems").text

    def test_those_of_a_cause_that_nothing_can_be_are_none(self, operator: FlaskClient, store: Store) -> None:
        assert operator.get("/console/problems/%00").headers["Location"] == "/console/problems"

    def test_a_second_click_replays_no_second_one(self, operator: FlaskClient, four_dead: Store) -> None:
        cause = the_cause(four_dead)
        for _ in range(2):
            page = act(operator, f"/console/problems/{cause.id}/replay-one", seen=cause.seen).text
        assert "the number of dead letters with that cause has changed" in page
        assert four_dead.desk.states(0) == {"dead": 3, "ready": 1}

    def test_a_viewer_replays_none(self, viewer: FlaskClient, four_dead: Store) -> None:
        assert act(viewer, f"/console/problems/{the_cause(four_dead).id}/replay-one").status_code == 403
        assert four_dead.desk.states(0) == {"dead": 4}

    def test_purged_content_cannot_be_replayed_and_leaves_no_result(self, operator: FlaskClient, store: Store) -> None:
        refuse(store, 2, "X", "bad", "A")
        with store.database.transaction() as connection:
            connection.execute(text("UPDATE events SET payload = NULL"))
        cause = the_cause(store)
        page = act(operator, f"/console/problems/{cause.id}/replay-one", seen=cause.seen).text
        assert "the content of these events has been purged" in page
        assert store.handling.replays() == []


class TestMuting:
    @pytest.fixture
    def muted(self, operator: FlaskClient, four_dead: Store) -> str:
        page = f"/console/problems/{the_cause(four_dead).id}"
        assert "The problem is muted." in act(operator, f"{page}/mute", days="3", reason="Ana asks the carrier").text
        return page

    def test_says_who_until_when_and_why(self, operator: FlaskClient, muted: str) -> None:
        page = " ".join(operator.get(muted).text.split())
        assert "Muted by console until" in page
        assert "Jun 21, 05:00 MST" in page
        assert "Ana asks the carrier" in page

    def test_leaves_the_count_of_now_and_is_written_down(
        self, operator: FlaskClient, muted: str, four_dead: Store
    ) -> None:
        assert "<title>(1) Now" in operator.get("/console").text
        assert [entry.action for entry in deeds(four_dead)] == ["mute"]

    def test_ends_with_its_time(self, operator: FlaskClient, muted: str, clock: Clock) -> None:
        clock.forward(3 * 24 * 60 * MINUTE)
        log_in(operator)
        assert "<title>(2) Now" in operator.get("/console").text

    def test_ends_when_the_cause_grows(self, operator: FlaskClient, muted: str, four_dead: Store) -> None:
        refuse(four_dead, 1, "INVALID_OPTION", "none of the options", "state")
        assert "<title>(2) Now" in operator.get("/console").text

    def test_never_hides_opt_outs(self, operator: FlaskClient, muted: str, four_dead: Store) -> None:
        four_dead.inbox.accept([an_arrival(priority=1, raised=frozenset({"doNotCall"}), state="dead", code="X")])
        cause = the_cause(four_dead)
        assert (cause.opt_outs, cause.muted is not None) == (1, True)
        page = operator.get("/console/problems").text
        assert "1 opt-out of theirs is not in the CRM." in page
        assert 'id="muted"' not in page

    def test_is_taken_back(self, operator: FlaskClient, muted: str, four_dead: Store) -> None:
        assert "no longer muted" in act(operator, f"{muted}/mute").text
        assert the_cause(four_dead).muted is None
        assert [entry.action for entry in deeds(four_dead)] == ["unmute", "mute"]

    def test_needs_a_reason(self, operator: FlaskClient, four_dead: Store) -> None:
        page = act(operator, f"/console/problems/{the_cause(four_dead).id}/mute", days="1", reason=" ").text
        assert "enter a reason" in page
        assert the_cause(four_dead).muted is None


class TestPeople:
    def test_those_with_opt_outs_come_first_and_all_are_exported(self, operator: FlaskClient, store: Store) -> None:
        store.inbox.accept([an_arrival("msg_one", customer_id="a" * 64)])
        store.inbox.accept([an_arrival("msg_two", customer_id="b" * 64, raised=frozenset({"doNotCall"}))])
        settle(store, "dead", why=Refusal("X", "bad", fields=("A",)))
        cause = the_cause(store)
        page = operator.get(f"/console/problems/{cause.id}").text
        assert page.index("b" * 64) < page.index("a" * 64)
        answer = act(operator, f"/console/problems/{cause.id}/people")
        rows = answer.text.splitlines()
        assert (answer.mimetype, len(rows)) == ("text/csv", 3)
        assert rows[1].startswith("b" * 64 + ",1,")
        assert rows[1].endswith(",msg_two,doNotCall")
        assert [entry.action for entry in deeds(store)] == ["export people"]

    def test_no_cell_is_a_formula(self, operator: FlaskClient, store: Store) -> None:
        store.inbox.accept([an_arrival("=1+1", customer_id="a" * 64)])
        settle(store, "dead", why=Refusal("X", "bad", fields=("A",)))
        assert ",'=1+1," in act(operator, f"/console/problems/{the_cause(store).id}/people").text

    def test_a_viewer_exports_nobody(self, viewer: FlaskClient, four_dead: Store) -> None:
        assert act(viewer, f"/console/problems/{the_cause(four_dead).id}/people").status_code == 403


class TestWithABrokenMapping:
    @pytest.mark.parametrize("broken", [None, "records: [", "extends: nothing\n"])
    def test_every_page_of_problems_answers(
        self, store: Store, clock: Clock, tmp_path: Path, broken: str | None
    ) -> None:
        file = tmp_path / "own.yaml"
        file.write_text("extends: salesforce-contact\n")
        account = replace(an_account(file), connect=_connect)
        console = create_console(store, Passwords(HASH), KEY, lambda: clock() / 1000, [account])
        client = create_admin(store, [console]).test_client()
        log_in(client)
        refuse(store, 2, "X", "bad", "A")
        cause = f"/console/problems/{the_cause(store).id}"
        assert client.get(cause).status_code == 200
        file.unlink() if broken is None else file.write_text(broken)
        pages = ("/console", "/console/problems", cause, f"{cause}/replay", f"{cause}/discard")
        assert {page: client.get(page).status_code for page in pages} == dict.fromkeys(pages, 200)
        assert "A replay cannot be previewed" in client.get(cause).text

    def test_what_no_page_expects_is_one_line_of_the_log_with_the_reference_shown(
        self, store: Store, clock: Clock
    ) -> None:
        account = replace(an_account(), read=_broken)
        console = create_console(store, Passwords(HASH), KEY, lambda: clock() / 1000, [account])
        client = create_admin(store, [console]).test_client()
        log_in(client)
        with capture_logs() as logs:
            answer = client.get("/console/mapping")
        (line,) = [log for log in logs if log["event"] == "page not shown"]
        assert (answer.status_code, line["page"]) == (500, "console.mappings")
        assert f"Reference: {line['reference']}" in answer.text
        assert "a secret" not in str(line) + answer.text


def _connect() -> Destination:
    raise FixMapping("own.yaml", "does not load")


def _broken(schema: object) -> Loaded:
    raise RuntimeError("a secret")
