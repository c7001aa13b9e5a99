"""The Complete page: both comparisons, the runs, and the opt-outs that a CRM has lost."""

from __future__ import annotations

from flask.testing import FlaskClient

from connector.settlement.source import Comparison
from connector.settlement.verification import Difference, Standing
from connector.store import Store
from connector.web import complete_words, mapping_words, words
from connector.web.complete_words import crm_words, source_words
from tests.builders import CUSTOMER, DESTINATION, LANE
from tests.web.conftest import MINUTE, compare


class TestThePage:
    def test_says_what_would_fill_it(self, operator: FlaskClient, store: Store) -> None:
        page = operator.get("/console/complete").text
        assert "No agency yet" in page
        store.lanes.open({LANE: DESTINATION})
        page = operator.get("/console/complete").text
        assert "careCycle has not been asked." in page
        assert "Nothing was written to a CRM yet." in page
        assert "None yet: a backfill" in page

    def test_shows_both_comparisons_the_runs_and_who_began_them(self, operator: FlaskClient, store: Store) -> None:
        compare(store)
        page = operator.get("/console/complete").text
        missing = "1 customer unknown here had not come as events, 1 still missing: connector reconcile source"
        assert page.count(missing) == 2
        assert f"ago: {missing}" in page
        assert "1 of 1 record compared with the CRM" in page
        assert '<th role="rowheader" scope="row">flag lowered</th>' in page
        assert "connector reconcile crm -c agency.yaml --all --repair raises them again" in page
        assert "reconcile source of sunrise, by cli:ana" in page
        assert "231 customers compared" in page

    def test_is_linked_from_the_overview_which_says_the_same(self, operator: FlaskClient, store: Store) -> None:
        compare(store)
        page = operator.get("/console").text
        assert '<a href="/console/complete">' in page
        assert f"Compared with the CRM, {DESTINATION}: not every record compared yet; 1 flag lowered" in page
        assert "1 opt-out is no longer in the CRM" in page

    def test_the_problems_name_the_people_whose_opt_outs_the_crm_has_lost(
        self, operator: FlaskClient, store: Store
    ) -> None:
        compare(store)
        page = operator.get("/console/problems").text
        assert f"{DESTINATION}: 1 opt-out is no longer in the CRM" in page
        assert f'<a href="/console/why?id={CUSTOMER}"><code>{CUSTOMER}</code></a>' in page


class TestTheWords:
    def test_no_name_stands_for_two_filters_of_the_templates(self) -> None:
        names = [word.__name__ for module in (words, complete_words, mapping_words) for word in module.FILTERS]
        assert sorted(set(names)) == sorted(names)

    def test_of_a_comparison_with_carecycle(self) -> None:
        assert source_words(Comparison({"listed": 9})) == "everybody was here, as careCycle knows them"
        assert source_words(Comparison({"listed": 9, "unanswered": 1})) == "nobody was missing of those compared"

    def test_of_a_comparison_with_the_crm(self) -> None:
        fine = Standing(DESTINATION, {Difference.CHANGED: 3, Difference.MISSING: 0}, MINUTE)
        said = "all compared 2 minutes ago, except what was written in the hour before; nothing is missing"
        assert crm_words(fine, 3 * MINUTE) == said
