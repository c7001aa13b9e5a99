"""The console's log page: its entries, filters, pages and export, and who sees what."""

from __future__ import annotations

import csv
import io
import json

import pytest
from flask.testing import FlaskClient
from sqlalchemy import event

from connector.store import Store
from connector.store.audit import PAGE
from connector.store.audit_check import check
from tests.web.conftest import act, token

LOG = "/console/log"


@pytest.fixture(autouse=True)
def _entries(store: Store) -> None:
    store.audit.note("ana", "pause", "sunrise/crm/0", "the CRM <is> moved", agency="sunrise")
    store.audit.note("console:ben", "replay", "3 dead deliveries: code X", customer_id="c-1")


class TestLog:
    def test_shows_who_did_what_and_why_the_newest_first(self, operator: FlaskClient) -> None:
        page = operator.get(LOG).text
        assert page.index("3 dead deliveries: code X; customer c-1") < page.index("the CRM &lt;is&gt; moved")

    def test_shows_the_head_to_write_down(self, viewer: FlaskClient, store: Store) -> None:
        assert f"<code>{store.audit.head()}</code>" in viewer.get(LOG).text

    @pytest.mark.parametrize(
        ("query", "shown"),
        [
            ("who=ana", "sunrise/crm/0"),
            ("action=replay", "code X"),
            ("agency=sunrise", "sunrise/crm/0"),
            ("text=moved", "sunrise/crm/0"),
            ("text=c-1", "code X"),
            ("until=2000-01-01T00:00", "No entry matches."),
        ],
    )
    def test_each_filter_chooses(self, operator: FlaskClient, query: str, shown: str) -> None:
        page = operator.get(f"{LOG}?{query}").text
        assert shown in page
        assert page.count('data-label="What"') == (0 if "No entry" in shown else 1)

    def test_a_name_that_does_not_occur_is_an_error_that_lists_those_that_do(self, operator: FlaskClient) -> None:
        answer = operator.get(f"{LOG}?who=eve")
        assert answer.status_code == 400
        assert "No entry has the who “eve”. Known are: ana, console:127.0.0.1, console:ben." in answer.text

    def test_pages_go_back_to_the_first_entry(self, operator: FlaskClient, store: Store) -> None:
        for number in range(PAGE):
            store.audit.note("ana", "act", f"thing {number}")
        first = operator.get(LOG).text
        assert "sunrise/crm/0" not in first
        older = first.partition('class="button" href="')[2].partition('"')[0].replace("&amp;", "&")
        assert "sunrise/crm/0" in operator.get(older).text

    def test_is_empty_in_plain_words(self, operator: FlaskClient, store: Store) -> None:
        with store.database.transaction() as connection:
            connection.exec_driver_sql("DELETE FROM audit")
        assert "Nobody has done anything yet." in operator.get(LOG).text

    def test_does_not_walk_a_long_log(self, operator: FlaskClient, store: Store) -> None:
        if store.database.engine.dialect.name != "sqlite":
            pytest.skip("SQLite says how it runs a query")
        walked: list[str] = []

        def explain(connection: object, _: object, statement: str, parameters: object, *__: object) -> None:
            if " audit" in statement and statement.startswith("SELECT"):
                rows = connection.connection.driver_connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)  # type: ignore[attr-defined]  # SQLAlchemy's connection
                walked.extend(row[3] for row in rows if row[3] == "SCAN audit" or "TEMP B-TREE" in row[3])

        event.listen(store.database.engine, "before_cursor_execute", explain)
        for query in ("who=ana", "action=pause", "agency=sunrise", "before=9"):
            operator.get(f"{LOG}?{query}")
        assert walked == []


class TestExport:
    def test_is_a_file_of_what_the_search_chooses_and_an_entry_itself(
        self, operator: FlaskClient, store: Store
    ) -> None:
        answer = act(operator, f"{LOG}/export", format="csv", who="ana")
        assert answer.headers["Content-Disposition"] == "attachment; filename=audit-log.csv"
        rows = list(csv.DictReader(io.StringIO(answer.text)))
        assert [(row["who"], row["reason"]) for row in rows] == [("ana", "the CRM <is> moved")]
        newest = store.audit.entries()[0]
        assert (newest.action, newest.thing) == ("export log", "csv: who ana")
        assert check(store.database).faults == ()

    def test_is_json_lines_too(self, operator: FlaskClient) -> None:
        lines = act(operator, f"{LOG}/export", format="jsonl").text.splitlines()
        assert [json.loads(line)["number"] for line in lines] == [4, 3, 2, 1]

    def test_of_an_unknown_form_is_refused(self, operator: FlaskClient) -> None:
        assert act(operator, f"{LOG}/export", format="exe").status_code == 400

    def test_is_not_for_viewers(self, viewer: FlaskClient) -> None:
        assert "Export" not in viewer.get(LOG).text
        assert viewer.post(f"{LOG}/export", data={"token": token(viewer), "format": "csv"}).status_code == 403
