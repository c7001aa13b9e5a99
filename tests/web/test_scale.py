"""The console over twenty thousand events of three agencies: every page answers, from indexes, with the right figures.

Every day over two thousand; over all of them, and on PostgreSQL, by `make test-all`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import psycopg
import pytest
from flask.testing import FlaskClient
from sqlalchemy import event

from connector.insight.problems import find_causes
from connector.store import Store
from connector.store.audit import PAGE
from connector.store.database import open_database
from connector.store.event_lists import MOST
from connector.web.console import create_console
from connector.web.health import create_admin
from connector.web.passwords import Passwords
from tests.builders import DATA_KEY
from tests.conftest import Clock
from tests.contracts.test_growth import explained
from tests.web import test_counts
from tests.web.conftest import HASH, KEY, an_account, log_in, token
from tests.web.grown import EVENTS, LANES, OFTEN, SELDOM, grow
from tests.web.test_counts import ask_sql, plain

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("scale")]
GROWING = {"events", "deliveries", "attempts", "handles", "newest", "audit", "obligations", "claims", "raises"}
"""Not the ledger: *Complete* counts its records, which are as many as there are people and calls."""

SMALL = {"ix_deliveries_ready", "ix_deliveries_dead", "ix_events_raised", "ix_obligations_open"}
"""Indexes of what is open or is an opt-out: a page that counts these may read them whole."""

JUNE = 1_780_297_200_000  # 2026-06-01T00:00 in Phoenix
BROAD = {"ix_events_agency_id", "ix_events_type_id", "ix_deliveries_state_id"}
"""Indexes of thousands: a statement about a customer has no use for these."""

ALONG_THE_KEY = "/events?destination=mesa/hubspot"
"""The newest of an account are looked for among the newest of all: an index for it would cost each event a write."""

PAGES = (
    "",
    "/events",
    "/events?state=dead",
    "/events?state=delivered",
    "/events?code=INVALID_EMAIL",
    "/events?agency=mesa",
    ALONG_THE_KEY,
    "/events?opt_out=yes",
    "/events?type=call.completed",
    f"/events?customer_id={OFTEN}",
    f"/events?customer_id={SELDOM}&agency=sunrise&type=call.completed&state=delivered",
    "/events?since=2026-06-10T00:00&until=2026-06-11T00:00",
    "/events?message_id=msg_01000",
    "/events/msg_01000",
    "/problems",
    "/problems/CAUSE",
    "/problems/CAUSE/replay",
    "/complete",
    "/people",
    f"/people/sunrise/{OFTEN}",
    f"/people/sunrise/{SELDOM}",
    f"/replay-person/sunrise/{OFTEN}",
    f"/forget-person/sunrise/{OFTEN}",
    "/consent",
    "/identity",
    f"/why?id={OFTEN}",
    "/mapping",
    "/mapping/show?destination=sunrise/salesforce",
    "/mapping/versions?destination=sunrise/salesforce",
    "/log",
    "/log?who=user-3",
    "/log?action=replay",
    "/log?agency=sunrise",
    "/accounts",
)


STATEMENTS = {"": 120, "/consent": 60}
"""The most that a page with something of every agency and lane may run, however many events there are; others 30."""


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(("sqlite", EVENTS // 10), id="sqlite-2000"),
        pytest.param(("sqlite", EVENTS), id="sqlite-20000", marks=pytest.mark.slow),
        pytest.param(("postgres", EVENTS), id="postgres-20000", marks=pytest.mark.slow),
    ],
)
def trouble(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A store that has grown; it is made once, and no test here changes it."""
    engine, count = request.param
    address = f"sqlite:///{tmp_path_factory.mktemp('grown')}/connector.db"
    if engine == "postgres":
        server = request.getfixturevalue("postgres_server")
        with psycopg.connect(server, autocommit=True) as admin:
            admin.execute("CREATE DATABASE grown STRATEGY file_copy")
        address = server.replace("/postgres?", "/grown?")
    clock = Clock()
    store = Store(open_database(address, {"CONNECTOR_DATA_KEY": DATA_KEY}, clock))
    grow(store, clock, count)
    yield store
    store.close()


@pytest.fixture(scope="module")
def operator(trouble: Store) -> FlaskClient:
    accounts = [replace(an_account(), name=name) for name in LANES.values()]
    console = create_console(trouble, Passwords(HASH), KEY, lambda: trouble.database.time() / 1000, accounts)
    client = create_admin(trouble, [console]).test_client()
    log_in(client)
    return client


@pytest.fixture(scope="module")
def pages(trouble: Store) -> list[str]:
    return [page.replace("CAUSE", find_causes(trouble)[0].id) for page in PAGES]


class TestEveryPage:
    def test_it_answers_with_a_few_statements_and_a_page_of_what_there_is(
        self, operator: FlaskClient, trouble: Store, pages: list[str]
    ) -> None:
        made: list[str] = []

        def note(*statement: object) -> None:
            made.extend(re.findall(r"^(?:SELECT|WITH)\b", str(statement[2])))  # not the settings of a transaction

        event.listen(trouble.database.engine, "before_cursor_execute", note)
        seen = {}
        for page in pages:
            made.clear()
            answer = operator.get(f"/console{page}")
            seen[page] = (answer.status_code, len(made), len(answer.data) // 1000)
        event.remove(trouble.database.engine, "before_cursor_execute", note)
        assert {page: told for page, told in seen.items() if told[0] != 200} == {}
        assert {page: told for page, told in seen.items() if told[1] > STATEMENTS.get(page, 30)} == {}
        assert {page: told for page, told in seen.items() if told[2] > (400 if "/why" in page else 150)} == {}

    def test_it_reads_no_growing_table_from_end_to_end(
        self, operator: FlaskClient, trouble: Store, pages: list[str]
    ) -> None:
        walked = {}
        for page in set(pages) - {ALONG_THE_KEY}:
            with explained(trouble) as told:
                operator.get(f"/console{page}")
            assert told, page
            if scans := [(statement, walks(statement, plan)) for statement, plan in told if walks(statement, plan)]:
                walked[page] = scans
        assert walked == {}

    @pytest.mark.parametrize("text", [OFTEN, "msg_00100", "+16025550147", "nobody@example.com", "CRM-12345"])
    def test_a_search_for_people_reads_none_either(self, operator: FlaskClient, trouble: Store, text: str) -> None:
        form = {"token": token(operator), "text": text, "reason": "they call"}
        with explained(trouble) as told:
            operator.post("/console/people", data=form)
        assert [statement for statement, plan in told if walks(statement, plan)] == []


def walks(statement: str, plan: str) -> set[str]:
    """The growing tables that a plan reads from end to end, or the broad indexes it walks for a single customer."""
    scans = re.findall(r"SCAN (\w+)(?: USING (?:COVERING )?INDEX (\w+))?", plan)
    if re.search(r"events\w*\.customer_id = \S+ AND", statement) and (wide := BROAD & {*re.findall(r"\bix_\w+", plan)}):
        return wide
    tables = {*(table for table, index in scans if index not in SMALL), *re.findall(r"Seq Scan on (\w+)", plan)}
    return {table for table in GROWING & tables if not ends_early(statement, table)}


def ends_early(statement: str, table: str) -> bool:
    """Whether a statement stops after some rows, whatever they are: nothing chooses among them."""
    return bool(re.search(rf"FROM {table}\b((?!WHERE|GROUP).)* LIMIT", statement, re.DOTALL))


class TestNow(test_counts.TestNow):
    """Its figures, as in a small world."""


class TestProblems(test_counts.TestProblems):
    """The same."""


SEARCHES = {
    "state=dead": "d.state = 'dead'",
    "state=skipped&agency=sunrise": "d.state = 'skipped' AND e.agency = 'sunrise'",
    "code=INVALID_EMAIL": "d.code = 'INVALID_EMAIL'",
    "destination=mesa/hubspot": "d.destination = 'mesa/hubspot'",
    "type=call.completed&agency=harbor": "e.type = 'call.completed' AND e.agency = 'harbor'",
    "opt_out=yes": "e.raised <> ''",
    f"customer_id={OFTEN}": f"e.customer_id = '{OFTEN}'",
    f"customer_id={SELDOM}&state=delivered": f"e.customer_id = '{SELDOM}' AND d.state = 'delivered'",
}


class TestEvents:
    def test_the_totals_of_each_search_are_those_of_the_database(self, operator: FlaskClient, trouble: Store) -> None:
        for query, where in SEARCHES.items():
            page = plain(operator.get(f"/console/events?{query}").text)
            source = f"FROM deliveries d JOIN events e ON e.id = d.event_id WHERE {where}"
            ((events,),) = ask_sql(trouble, f"SELECT COUNT(DISTINCT e.id) {source}")
            assert f"{events:,} events match." in page, query
            by = "d.destination, d.state"
            states = ask_sql(trouble, f"SELECT {by}, COUNT(*) {source} GROUP BY {by}")
            totals = page.partition("events match.")[2]
            for name, _, count in states:
                assert re.search(rf"{name}:[^:]*\b{count:,}\b", totals), (query, name, count)

    def test_of_more_than_it_counts_it_says_so(self, operator: FlaskClient, trouble: Store) -> None:
        ((deliveries,),) = ask_sql(trouble, "SELECT COUNT(*) FROM deliveries")
        page = plain(operator.get("/console/events").text)
        assert ("The figures are those of the newest 20,001 deliveries" in page) == (deliveries > MOST)


class TestPeople:
    def test_a_history_has_every_event_once_over_its_pages(self, operator: FlaskClient, trouble: Store) -> None:
        shown, path = [], f"/console/people/sunrise/{SELDOM}"
        while path:
            history = operator.get(path).text.split('id="history"')[1].split('id="values"')[0]
            shown += re.findall(r'">(msg_\d+)</a>', history)
            older = re.search(r'href="([^"]*before=[^"]*)#history">Older', history)
            path = older[1] if older else ""
        rows = ask_sql(
            trouble,
            "SELECT e.message_id FROM events e JOIN deliveries d ON d.event_id = e.id WHERE e.customer_id = :who"
            " ORDER BY e.id DESC, d.id DESC",
            who=SELDOM,
        )
        assert shown == [row[0] for row in rows]

    def test_the_page_of_the_busiest_explains_some_records_and_leads_to_the_rest(
        self, operator: FlaskClient, trouble: Store
    ) -> None:
        page = operator.get(f"/console/people/sunrise/{OFTEN}").text
        explained = page.split('id="why"')[1]
        every = operator.get(f"/console/why?id={OFTEN}").text.count('<section class="why"')
        assert (explained.count('<section class="why"'), every > 6) == (6, True)
        assert f"Explain {every - 6} more records" in explained


class TestConsent:
    def test_what_is_open_is_counted_by_state_for_each_agency(self, operator: FlaskClient, trouble: Store) -> None:
        for agency in ("", "harbor", "mesa", "sunrise"):
            page = plain(operator.get(f"/console/consent?agency={agency}").text)
            rows = ask_sql(
                trouble,
                "SELECT state, COUNT(*) FROM obligations WHERE destination LIKE :mine AND state <> 'applied'"
                " GROUP BY state",
                mine=f"{agency}%",
            )
            count = {str(state): int(count) for state, count in rows}
            waiting, refused, none = (count.get(state, 0) for state in ("owed", "refused", "no record"))
            said = (
                rf"\b{waiting + refused:,} opt-outs? (is|are) not yet in the CRM ?: {waiting:,} waiting, {refused:,} "
            )
            assert re.search(said if count else "No opt-out is open", page), agency
            assert not none or f"has no record ({none:,})" in page, agency

    def test_the_newest_month_adds_up(self, operator: FlaskClient, trouble: Store) -> None:
        page = plain(operator.get("/console/consent?month=2026-06").text)
        ((asked, applied, to_do, elsewhere),) = ask_sql(
            trouble,
            "SELECT COUNT(*), SUM(CASE WHEN state = 'applied' THEN 1 ELSE 0 END),"
            " SUM(CASE WHEN state IN ('owed', 'refused') THEN 1 ELSE 0 END),"
            " SUM(CASE WHEN state IN ('no record', 'not mapped') THEN 1 ELSE 0 END)"
            " FROM obligations WHERE since >= :june",
            june=JUNE,
        )
        assert f"2026-06 {asked:,} {applied:,} 0 {to_do:,} {elsewhere:,} " in page


class TestIdentityAndLog:
    def test_every_open_question_is_listed(self, operator: FlaskClient, trouble: Store) -> None:
        ((count,),) = ask_sql(trouble, "SELECT COUNT(*) FROM questions WHERE decided_at IS NULL")
        assert operator.get("/console/identity").text.count("Somebody else…") == count

    def test_the_pages_of_the_log_hold_each_entry_once(self, operator: FlaskClient, trouble: Store) -> None:
        shown, path = [], "/console/log"
        while path:
            page = operator.get(path).text
            shown += re.findall(r'data-label="Entry">([\d,]+)<', page)
            older = re.search(r'href="([^"]*)">Older', page)
            path = older[1].replace("&amp;", "&") if older else ""
        numbers = [f"{row[0]:,}" for row in ask_sql(trouble, "SELECT number FROM audit ORDER BY id DESC")]
        assert len(numbers) > 2 * PAGE
        assert shown == numbers

    def test_a_filter_chooses_the_entries_that_the_database_has(self, operator: FlaskClient, trouble: Store) -> None:
        for column, value in (("who", "user-3"), ("action", "replay"), ("agency", "mesa")):
            ((count,),) = ask_sql(trouble, f"SELECT COUNT(*) FROM audit WHERE {column} = :value", value=value)
            page = operator.get(f"/console/log?{column}={value}").text
            assert page.count('data-label="What"') == min(count, PAGE), column
