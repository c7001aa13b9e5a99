"""The console's Identity pages: which records may be a customer's, and two clicks that decide."""

from __future__ import annotations

from flask.testing import FlaskClient

from connector.settlement import Claim
from connector.store import Store
from tests.builders import CUSTOMER, DESTINATION
from tests.contracts.test_questions import EDNA, HAROLD, OTHERS, ask, question
from tests.web.conftest import act


def answer(client: FlaskClient, store: Store, action: str, crm_id: str = "") -> str:
    """Open the confirmation and press its button; the page that follows."""
    path = f"/identity/{question(store).id}/{action}"
    page = client.get(f"/console{path}?crm_id={crm_id}").text
    seen = page.partition('name="seen" value="')[2].partition('"')[0]
    return act(client, f"/console{path}", seen=seen, crm_id=crm_id).text


class TestQuestions:
    def test_none_is_said_plainly(self, operator: FlaskClient) -> None:
        assert "No questions." in operator.get("/console/identity").text

    def test_each_shows_its_candidates_with_links_and_names_of_fields_but_no_value(
        self, operator: FlaskClient, store: Store
    ) -> None:
        ask(store, HAROLD, EDNA)
        page = operator.get("/console/identity").text
        expected = ["https://sunrise.my.salesforce.com/003H", "<dt>Different</dt>", "<code>FirstName</code>", CUSTOMER]
        assert [text for text in expected if text not in page] == []
        assert "•••" in page
        assert "Delacroix" not in page

    def test_the_overview_counts_the_open_ones_and_leads_there(self, operator: FlaskClient, store: Store) -> None:
        assert "for somebody to say who is who" not in operator.get("/console").text
        ask(store, HAROLD)
        assert "for somebody to say who is who" in operator.get("/console").text
        store.deciding.somebody_else(question(store), "ana")
        assert "for somebody to say who is who" not in operator.get("/console").text

    def test_viewers_see_them_but_cannot_decide(self, viewer: FlaskClient, store: Store) -> None:
        ask(store, EDNA)
        assert "Same person" not in viewer.get("/console/identity").text
        path = f"/console/identity/{question(store).id}/same?crm_id=003E"
        assert viewer.get(path).status_code == 403
        assert act(viewer, path).status_code == 403
        assert question(store).is_open

    def test_holders_of_the_key_cannot_all_be_somebody_else(self, operator: FlaskClient, store: Store) -> None:
        ask(store, HAROLD, EDNA, own=None, by_key=True)
        page = operator.get("/console/identity").text
        assert "so nothing but opt-outs is written until you choose one" in page
        assert "Somebody else…" not in page


class TestDecisions:
    def test_the_same_person_is_kept_with_what_is_left_to_do(self, operator: FlaskClient, store: Store) -> None:
        ask(store, EDNA)
        page = answer(operator, store, "same", "003E")
        assert "003own, which the connector created, is left over: merge it into" in page
        assert "delivered again now" in page
        assert (question(store).chosen, question(store).decided_by) == ("003E", "console:127.0.0.1")

    def test_somebody_else_is_kept_and_taken_back(self, operator: FlaskClient, store: Store) -> None:
        ask(store, HAROLD)
        assert "None of these records is the customer&#39;s." in answer(operator, store, "other")
        assert "The question is open again." in answer(operator, store, "undo")
        assert question(store).is_open

    def test_taking_back_says_that_what_was_written_stays(self, operator: FlaskClient, store: Store) -> None:
        ask(store, EDNA)
        answer(operator, store, "same", "003E")
        assert "stay there: correct them in the CRM" in answer(operator, store, "undo")

    def test_a_record_of_another_customer_is_refused_with_words(self, operator: FlaskClient, store: Store) -> None:
        ask(store, EDNA)
        store.ledger.claims.take(DESTINATION, [Claim(OTHERS, "003E", "somebody")])
        assert "already the CRM record of customer somebody" in answer(operator, store, "same", "003E")
        assert question(store).is_open

    def test_a_question_that_changed_meanwhile_changes_nothing(self, operator: FlaskClient, store: Store) -> None:
        ask(store, EDNA)
        page = act(operator, f"/console/identity/{question(store).id}/same", seen="open-0-", crm_id="003E").text
        assert "the question has changed" in page
        assert question(store).is_open

    def test_what_cannot_be_decided_has_no_page(self, operator: FlaskClient, store: Store) -> None:
        ask(store, EDNA)
        name = question(store).id
        for path in (f"{name}/same?crm_id=003X", f"{name}/undo", "0/same", f"{name}/nothing"):
            assert operator.get(f"/console/identity/{path}").status_code == 404
