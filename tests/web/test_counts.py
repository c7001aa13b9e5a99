"""Every figure on Now and Problems against a count written independently: plain SQL over a database in trouble."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text

from connector.errors import PauseReason
from connector.insight.overview import overview
from connector.settlement import AttemptOutcome, DeliveryState, ObligationState, Pause, Payment, Refusal, Settled
from connector.settlement import Settlement as Batch
from connector.store import Store
from connector.store.inbox import Owed
from connector.store.processes import Beat
from connector.web.console import create_console
from connector.web.health import create_admin
from connector.web.passwords import Passwords
from connector.web.words import lane_state
from tests.builders import NOON, an_arrival
from tests.conftest import Clock
from tests.contracts.test_questions import EDNA, ask
from tests.web.conftest import HASH, KEY, MINUTE, an_account, leave_out, log_in, metrics

AGENCIES = ("harbor", "mesa", "sunrise")
LANES = {f"{agency}/{crm}/0": f"{agency}/{crm}" for agency in AGENCIES for crm in ("hubspot", "salesforce")}
MIDNIGHT = NOON - 5 * 60 * MINUTE
"""In Phoenix, where all three are."""


@pytest.fixture
def trouble(store: Store, clock: Clock) -> Store:
    """Three agencies: much is delivered, some rejected for three causes, some waits, and one CRM does not answer."""
    store.lanes.open(LANES)
    leave_out(store)
    ask(store, EDNA)
    for number, agency in enumerate(AGENCIES):
        owed = tuple(Owed(name, lane) for lane, name in LANES.items() if name.startswith(agency))
        for count, raised in ((30, frozenset[str]()), (7, frozenset({"doNotCall"})), (2, frozenset({"doNotEmail"}))):
            whose = (f"{agency}-{'-'.join(raised)}-{one % (20 + number)}" for one in range(count))
            store.inbox.accept(
                [
                    an_arrival(agency=agency, customer_id=who, owed=owed, raised=raised, priority=int(bool(raised)))
                    for who in whose
                ]
            )
        store.inbox.accept([an_arrival(agency=agency, owed=owed, received_at=MIDNIGHT - MINUTE)])
    for number, lane in enumerate(LANES):
        write(store, lane, number)
    clock.forward(6 * MINUTE)
    return store


def write(store: Store, lane: str, number: int) -> None:
    """Settle some of what is due: of every ten, one is rejected for one of two causes and one skipped."""
    lease = store.lanes.lease("a worker", [lane], MINUTE)
    assert lease is not None
    if lane == "harbor/hubspot/0":
        pause = Pause(20 * MINUTE, PauseReason.UNREACHABLE, "HubSpot does not answer")
        store.lanes.settle(lease, Batch("v1", pause=pause), MINUTE)
        return
    settled = []
    for place, due in enumerate(store.inbox.due(lane, 20 + number)):
        kind, why = DeliveryState.DELIVERED, Refusal("")
        if place % 10 == 3:
            kind, why = DeliveryState.DEAD, Refusal("INVALID_EMAIL", "not accepted", fields=("email",))
        elif place % 10 == 4:
            kind, why = DeliveryState.DEAD, Refusal("TOO_LONG", "too long", fields=("LastName",), record="contact")
        elif place % 10 == 5:
            kind = DeliveryState.SKIPPED
        settled.append(Settled(due.id, kind, AttemptOutcome(kind), why))
    owed = store.obligations.due(lane, 6)
    states = (ObligationState.APPLIED, ObligationState.REFUSED, ObligationState.NO_RECORD)
    paid = [Payment(own, states[place % 3], wait_ms=MINUTE) for place, own in enumerate(owed)]
    store.lanes.settle(lease, Batch("v1", settled), MINUTE)
    store.lanes.settle(lease, Batch("v1", payments=paid), MINUTE)
    store.lanes.release(lease)


@pytest.fixture
def operator(trouble: Store, clock: Clock) -> FlaskClient:
    def seconds() -> float:
        return clock() / 1000

    accounts = [replace(an_account(), name=name) for name in LANES.values()]
    console = create_console(trouble, Passwords(HASH), KEY, seconds, accounts)
    client = create_admin(trouble, [console]).test_client()
    log_in(client)
    return client


def ask_sql(store: Store, question: str, **values: Any) -> list[tuple[Any, ...]]:
    with store.database.reading() as connection:
        return [tuple(row) for row in connection.execute(text(question), values)]


def plain(page: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", page).replace("&#39;", "'").split())


def now(operator: FlaskClient) -> str:
    return operator.get("/console").text


class TestNow:
    def test_the_days_figures_add_up_and_are_those_of_the_database(self, operator: FlaskClient, trouble: Store) -> None:
        page = plain(operator.get("/console").text)
        stopped = "('harbor/hubspot/0')"
        for agency in AGENCIES:
            ((events, deliveries, delivered, waiting, held, dead, skipped),) = ask_sql(
                trouble,
                "SELECT COUNT(DISTINCT e.id), COUNT(*), SUM(CASE WHEN d.state = 'delivered' THEN 1 ELSE 0 END),"
                f" SUM(CASE WHEN d.state = 'ready' AND d.lane NOT IN {stopped} THEN 1 ELSE 0 END),"
                f" SUM(CASE WHEN d.state = 'ready' AND d.lane IN {stopped} THEN 1 ELSE 0 END),"
                " SUM(CASE WHEN d.state = 'dead' THEN 1 ELSE 0 END),"
                " SUM(CASE WHEN d.state = 'skipped' THEN 1 ELSE 0 END)"
                " FROM events e JOIN deliveries d ON d.event_id = e.id"
                " WHERE e.agency = :agency AND e.received_at >= :midnight",
                agency=agency,
                midnight=MIDNIGHT,
            )
            assert deliveries == delivered + waiting + held + dead + skipped
            row = (events, deliveries, delivered, waiting, held, dead, 0, skipped, 0)
            assert f"{agency} {' '.join(map(str, row))} " in page, agency

    def test_opt_outs_and_what_needs_a_person_are_those_of_the_database(
        self, operator: FlaskClient, trouble: Store
    ) -> None:
        page = plain(operator.get("/console").text)
        for lane, name in LANES.items():
            ((owed,),) = ask_sql(
                trouble,
                "SELECT COUNT(*) FROM obligations WHERE lane = :lane AND state IN ('owed', 'refused')",
                lane=lane,
            )
            ((ready,),) = ask_sql(
                trouble, "SELECT COUNT(*) FROM deliveries WHERE lane = :lane AND state = 'ready'", lane=lane
            )
            assert f"{ready} deliveries waiting" in page, lane
            assert not owed or re.search(rf"\b{owed} opt-outs? (is|are) not yet in the CRM", page), lane
            ((none,),) = ask_sql(
                trouble, "SELECT COUNT(*) FROM obligations WHERE lane = :lane AND state = 'no record'", lane=lane
            )
            assert not none or f"{name}: {none} opt-out" in page, lane
        ((causes,),) = ask_sql(
            trouble,
            "SELECT COUNT(*) FROM (SELECT DISTINCT destination, code, fields, record FROM deliveries"
            " WHERE state = 'dead') AS causes",
        )
        assert page.count("Open the problem") == causes
        ((questions,),) = ask_sql(trouble, "SELECT COUNT(*) FROM questions WHERE decided_at IS NULL")
        ((left_out,),) = ask_sql(trouble, "SELECT COUNT(*) FROM open_items WHERE holder IS NULL")
        assert re.search(rf"\b{questions} questions? waits? for somebody", page)
        assert re.search(rf"\b{left_out} fields? (is|are) left out", page)

    def test_dead_letters_are_as_many_in_status_in_metrics_and_on_every_page(
        self, operator: FlaskClient, trouble: Store
    ) -> None:
        ((dead,),) = ask_sql(trouble, "SELECT COUNT(*) FROM deliveries WHERE state = 'dead'")
        listed = re.findall(r"(\d+) deliver(?:y|ies) to \S+ \(\w+\) waits? for a replay", plain(now(operator)))
        events = plain(operator.get("/console/events?state=dead").text)
        counted = re.findall(r"^connector_dead_letters\{.*\} (\S+)", metrics(operator), re.M)
        figures = {
            "metrics": int(sum(map(float, counted))),
            "status": overview(trouble, trouble.database.time()).dead,
            "Now": sum(map(int, listed)),
            "Events": sum(map(int, re.findall(r"dead letter (\d+)", events))),
        }
        assert figures == dict.fromkeys(figures, dead)


class TestNowOfChangedRows:
    """*Now*, in a world that no other test shares."""

    def test_each_figure_of_the_day_leads_to_as_many_deliveries(self, operator: FlaskClient, trouble: Store) -> None:
        with trouble.database.transaction() as connection:  # some of it was delivered yesterday
            earlier = "UPDATE deliveries SET accepted_at = :earlier WHERE id % 4 = 0"
            connection.execute(text(earlier), {"earlier": MIDNIGHT - MINUTE})
        links = re.findall(
            r'href="(/console/events[^"]+)" aria-label="[^"]*: ([\d,]+) deliver\w+ (\w+)"', now(operator)
        )
        assert len(links) > 3 * len(AGENCIES)
        for link, count, word in links:
            if word not in ("waiting", "held"):  # they are one state
                totals = re.search(r'class="totals">(.*?)</ul>', operator.get(unescape(link)).text, re.S)
                assert totals is not None
                assert sum(map(int, re.findall(r"</span> (\d+)", totals[1]))) == int(count), link

    def test_no_pace_is_promised_while_no_worker_runs(self, operator: FlaskClient, trouble: Store) -> None:
        assert "per hour" not in now(operator)
        trouble.processes.beat(Beat("host-1", "work", None, halted=False))
        assert "per hour" in now(operator)

    def test_the_lane_whose_crm_fails_is_never_called_draining(self, operator: FlaskClient, trouble: Store) -> None:
        with trouble.database.transaction() as connection:  # it is tried again, and a worker has it
            connection.execute(
                text("UPDATE lanes SET paused_until = 0, failures = 3, leased_until = :until, owner = 'a worker'"
                     " WHERE name = 'harbor/hubspot/0'"), {"until": 2**60}
            )  # fmt: skip
        (lane,) = (own for own in trouble.desk.lanes() if own.name == "harbor/hubspot/0")
        assert (lane.leased, lane.paused, lane_state(lane)) == (True, False, "failing")
        card = plain(now(operator)).partition("harbor/hubspot/0 failing")[2].partition("harbor/salesforce/0")[0]
        assert "It is being tried again now." in card
        assert "draining" not in card


class TestProblems:
    def test_each_cause_counts_its_deliveries_people_and_opt_outs_and_the_worst_comes_first(
        self, operator: FlaskClient, trouble: Store
    ) -> None:
        page = plain(operator.get("/console/problems").text)
        causes = ask_sql(
            trouble,
            "SELECT d.destination, d.code, COUNT(*), COUNT(DISTINCT e.customer_id)"
            " FROM deliveries d JOIN events e ON e.id = d.event_id WHERE d.state = 'dead'"
            " GROUP BY d.destination, d.code",
        )
        ranked = []
        for destination, code, count, customers in causes:
            held = ask_sql(
                trouble,
                "SELECT DISTINCT o.customer_id, o.flag FROM obligations o WHERE o.destination = :name"
                " AND o.state IN ('owed', 'refused', 'no record') AND o.customer_id IN"
                " (SELECT e.customer_id FROM deliveries d JOIN events e ON e.id = d.event_id"
                "  WHERE d.state = 'dead' AND d.destination = :name AND d.code = :code)",
                name=destination,
                code=code,
            )
            ranked.append((-len(held), -customers, -count, destination, code))
            whom = "1 customer" if customers == 1 else f"{customers} customers"
            many = "" if count == customers else f"({count} deliveries)"
            assert re.search(rf"{whom} since [^.]*{re.escape(many)}\.[^.]*{'' if not held else len(held)}", page)
        shown = re.findall(r"CRM account (\S+?),? .*?Code (\w+)", page)
        worst = [row[:3] for row in sorted(ranked)]
        by_place = {(name, code): row[:3] for *row, name, code in ranked}
        assert [tuple(by_place[place]) for place in shown if place in by_place] == worst
