"""The People pages: the search, one person, and what can be done for a person."""

from __future__ import annotations

import re

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from connector.insight.people import AN_HOUR
from connector.settlement import Refusal
from connector.store import Store
from connector.store.agencies import Terms
from connector.store.desk import Filter
from tests.builders import CUSTOMER, DESTINATION, LANE, a_customer, an_arrival
from tests.contracts.test_people import ADDRESS, NUMBER, SPOUSE
from tests.contracts.test_questions import EDNA, HAROLD, ask
from tests.web.conftest import act, compare, deeds, fill, leave_out, refuse, settle, token

PERSON = f"/console/people/sunrise/{CUSTOMER}"
VALUES = ("Marcus", "Delacroix", "8471928", "marcus.delacroix")


@pytest.fixture(autouse=True)
def served(store: Store) -> None:
    store.lanes.open({LANE: DESTINATION})
    store.agencies.announce([Terms("sunrise", True, 90)])


def search(client: FlaskClient, text: str, reason: str = "", *, follow: bool = False) -> TestResponse:
    form = {"token": token(client), "text": text, "reason": reason}
    return client.post("/console/people", data=form, follow_redirects=follow)


class TestSearch:
    def test_one_person_is_shown_at_once_and_the_address_holds_their_id_alone(
        self, store: Store, operator: FlaskClient
    ) -> None:
        store.inbox.accept([an_arrival("msg_one")])
        for text, reason in ((CUSTOMER, ""), ("msg_one", ""), (NUMBER, "they call"), (ADDRESS, "they write")):
            answer = search(operator, text, reason)
            assert (answer.status_code, answer.location) == (303, PERSON)

    def test_spouses_are_listed_and_the_number_is_not_in_a_link(self, store: Store, operator: FlaskClient) -> None:
        store.inbox.accept([an_arrival(), an_arrival("s", a_customer(id=SPOUSE), customer_id=SPOUSE)])
        page = search(operator, NUMBER, "they call")
        assert (page.status_code, "2 people" in page.text) == (200, True)
        assert [one for one in (CUSTOMER, SPOUSE) if f"/console/people/sunrise/{one}" not in page.text] == []
        links = " ".join(re.findall(r'(?:href|action)="([^"]*)"', page.text))
        assert re.search("847.?1928", links) is None

    def test_a_number_without_a_reason_asks_for_one_and_finds_nobody(self, store: Store, operator: FlaskClient) -> None:
        store.inbox.accept([an_arrival()])
        page = search(operator, NUMBER)
        assert (page.status_code, "enter a reason" in page.text, CUSTOMER in page.text) == (404, True, False)
        assert deeds(store) == []

    def test_a_viewer_finds_by_id_and_never_by_number(self, store: Store, viewer: FlaskClient) -> None:
        store.inbox.accept([an_arrival()])
        assert search(viewer, CUSTOMER).status_code == 303
        page = search(viewer, NUMBER, "a reason all the same")
        assert (page.status_code, "your account may not do that" in page.text) == (404, True)
        assert deeds(store) == []

    def test_the_audit_names_who_and_why_and_not_the_value(self, store: Store, operator: FlaskClient) -> None:
        store.inbox.accept([an_arrival()])
        search(operator, NUMBER, "they call")
        (entry,) = deeds(store)
        assert (entry.who, entry.action, entry.thing) == (
            "console:127.0.0.1",
            "find person",
            "by phone number",
        )

    def test_too_many_searches_are_refused(self, store: Store, operator: FlaskClient) -> None:
        for _ in range(AN_HOUR):
            store.audit.note("console:127.0.0.1", "find person", "by phone number", "x")
        page = search(operator, NUMBER, "they call")
        assert (page.status_code, "Not searched" in page.text) == (429, True)

    def test_nobody_says_what_was_tried(self, operator: FlaskClient) -> None:
        page = search(operator, "nobody")
        assert (page.status_code, "careCycle customer id, message id, call id, external id" in page.text) == (404, True)

    @pytest.mark.parametrize("text", ["", " ", "\0", "<script>alert(1)</script>", "a" * 5000])
    def test_bad_input_is_no_error(self, operator: FlaskClient, text: str) -> None:
        page = search(operator, text)
        assert (page.status_code in (400, 404), "<script>alert" in page.text) == (True, False)


class TestPerson:
    def test_shows_what_is_known_and_no_value(self, store: Store, operator: FlaskClient) -> None:
        ask(store, HAROLD, EDNA)
        leave_out(store)
        compare(store)
        page = operator.get(PERSON).text
        shown = (
            *("doNotCall", "found lowered", "003000000000001AAA", "https://sunrise.my.salesforce.com/", "msg_left_out"),
            *("Who is who", "Left out", "INVALID_EMAIL_ADDRESS", "customer.firstName", "Why each field is as it is"),
        )
        assert [text for text in shown if text not in page] == []
        assert [value for value in VALUES if value in page] == []

    def test_says_what_holds_an_opt_out(self, store: Store, operator: FlaskClient) -> None:
        store.inbox.accept([an_arrival("raises", raised=frozenset({"doNotSMS"}))])
        page = operator.get(PERSON).text
        assert re.search(r"doNotSMS.*?no: waiting", page, re.S)

    def test_the_history_goes_on_page_by_page_without_a_gap(self, store: Store, operator: FlaskClient) -> None:
        store.inbox.accept([an_arrival(f"msg_{number:03d}") for number in range(60)])
        seen, page = [], operator.get(PERSON).text
        for _ in range(3):
            history = page.split('id="history"')[1].split('id="values"')[0]
            seen += re.findall(r'">(msg_\d+)</a>', history)
            older = re.search(r'href="([^"]*before=[^"]*)#history">Older', history)
            page = operator.get(older[1]).text if older else ""
        assert seen == [f"msg_{number:03d}" for number in reversed(range(60))]

    def test_of_a_customer_of_two_agencies_each_page_shows_its_own(self, store: Store, operator: FlaskClient) -> None:
        store.lanes.open({"harbor/hubspot/0": "harbor/hubspot"})
        store.inbox.accept([an_arrival("msg_sunrise"), an_arrival("msg_harbor", agency="harbor")])
        here, there = operator.get(PERSON).text, operator.get(f"/console/people/harbor/{CUSTOMER}").text
        assert ("msg_sunrise" in here, "msg_harbor" in here) == (True, False)
        assert ("msg_sunrise" in there, "msg_harbor" in there) == (False, True)

    @pytest.mark.parametrize("path", ["sunrise/nobody", "nowhere/" + CUSTOMER, "sunrise/" + "x" * 500, "a/%00"])
    def test_somebody_unknown_is_not_found(self, store: Store, operator: FlaskClient, path: str) -> None:
        store.inbox.accept([an_arrival()])
        assert operator.get(f"/console/people/{path}").status_code == 404

    def test_a_person_of_whom_only_the_ledger_knows_is_shown(self, store: Store, operator: FlaskClient) -> None:
        compare(store)
        store.retention.purge("sunrise", 2**50)
        assert operator.get(PERSON).status_code == 200

    def test_values_are_revealed_for_a_reason_only(self, store: Store, operator: FlaskClient) -> None:
        store.inbox.accept([an_arrival("msg_one")])
        path = f"/console/reveal-person/sunrise/{CUSTOMER}"
        assert operator.post(path, data={"token": token(operator), "reason": " "}).status_code == 400
        page = operator.post(path, data={"token": token(operator), "reason": "an audit"})
        assert (page.status_code, [value for value in VALUES if value not in page.text]) == (200, [])
        assert (deeds(store)[0].thing, deeds(store)[0].reason) == ("sunrise/msg_one", "an audit")


class TestReplay:
    def test_dead_letters_of_this_person_alone(self, store: Store, operator: FlaskClient) -> None:
        refuse(store, 2, "X", "refused")
        store.inbox.accept([an_arrival("other", a_customer(id=SPOUSE), customer_id=SPOUSE)])
        settle(store, "dead", why=Refusal("X", "refused"))
        assert "Replay 2 dead letters" in operator.get(f"/console/replay-person/sunrise/{CUSTOMER}").text
        page = act(operator, f"/console/replay-person/sunrise/{CUSTOMER}", which="dead").text
        assert "2 deliveries are ready again" in page
        newest = store.desk.deliveries(Filter())[0]
        assert (newest.customer_id, newest.state) == (SPOUSE, "dead")

    def test_a_viewer_may_not(self, store: Store, viewer: FlaskClient) -> None:
        store.inbox.accept([an_arrival()])
        for action in ("replay", "forget"):
            assert viewer.get(f"/console/{action}-person/sunrise/{CUSTOMER}").status_code == 403


class TestForget:
    def test_says_what_will_happen_and_what_stays(self, store: Store, operator: FlaskClient) -> None:
        fill(store)
        page = operator.get(f"/console/forget-person/sunrise/{CUSTOMER}").text
        for text in ("It cannot be undone", "003000000000001AAA", "Type the customer"):
            assert text in page
        assert store.forget.plan(CUSTOMER).anything

    def test_another_id_typed_deletes_nothing(self, store: Store, operator: FlaskClient) -> None:
        store.inbox.accept([an_arrival()])
        path = f"/console/forget-person/sunrise/{CUSTOMER}"
        page = operator.post(path, data={"token": token(operator), "typed": "yes"})
        assert (page.status_code, "Nothing was deleted" in page.text) == (400, True)
        assert store.forget.plan(CUSTOMER).anything

    def test_the_id_typed_deletes_and_is_audited(self, store: Store, operator: FlaskClient) -> None:
        compare(store)
        page = act(operator, f"/console/forget-person/sunrise/{CUSTOMER}", typed=CUSTOMER)
        assert ("is deleted" in page.text, "delete them there" in page.text) == (True, True)
        assert not store.forget.plan(CUSTOMER).anything
        entry = deeds(store)[0]
        assert (entry.action, CUSTOMER in entry.thing) == ("forget", False)
