"""A console over a store, somebody logged in to it, and what happens to a store's deliveries."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.security import generate_password_hash
from werkzeug.test import TestResponse

from connector.destinations import VENDORS
from connector.errors import PauseReason
from connector.insight.accounts import Account
from connector.insight.identity import find_questions
from connector.insight.problems import find_causes
from connector.mapping import load, shipped_folder
from connector.model import Entry, Mark, OpenItem, RecordKey, Stamp
from connector.settlement import (
    WRITTEN,
    AttemptOutcome,
    DeliveryState,
    ObligationState,
    Pause,
    Payment,
    RecordNote,
    RecordVerdict,
    Refusal,
    Remembered,
    Settled,
    Settlement,
)
from connector.settlement.auditing import AuditEntry
from connector.settlement.verification import Difference, Verified
from connector.store import Store, dialect
from connector.store.runs import SOURCE
from connector.web.console import create_console
from connector.web.health import create_admin
from connector.web.passwords import Passwords
from tests.builders import CUSTOMER, DESTINATION, LANE, a_customer, an_arrival
from tests.conftest import Clock
from tests.contracts.test_questions import EDNA, HAROLD, ask
from tests.patience import until
from tests.web.served import BRIEF, Served, served

PASSWORD = "correct horse battery staple"
CHEAP = "scrypt:1024:8:1"
"""What the hash of a password costs here: the product's own takes longer than most tests."""

HASH = generate_password_hash(PASSWORD, CHEAP)
VIEWERS = "staple battery horse correct"
VIEWERS_HASH = generate_password_hash(VIEWERS, CHEAP)
KEY = b"a signing key of the tests"
MINUTE = 60_000
ACTIONS = (
    "/logout",
    "/problems/0/replay",
    "/problems/0/discard",
    "/identity/0/same",
    "/identity/0/other",
    "/lanes/pause",
    "/lanes/resume",
    "/lanes/set-aside",
    f"/reveal-person/sunrise/{CUSTOMER}",
    f"/replay-person/sunrise/{CUSTOMER}",
    f"/forget-person/sunrise/{CUSTOMER}",
    "/consent",
    "/nowhere",
)
RECORD = RecordNote(
    "person",
    "Contact",
    "003000000000001AAA",
    ("FirstName", "LastName"),
    {"MobilePhone": "doNotCall"},
    kept=("LeadSource",),
    verdict=RecordVerdict.DELIVERED,
)


@pytest.fixture
def hook(sqlite_ready: str) -> Iterator[Served]:
    yield from served(sqlite_ready)


@pytest.fixture
def hasty(sqlite_ready: str) -> Iterator[Served]:
    """One that waits only briefly for a request to be sent."""
    yield from served(sqlite_ready, BRIEF)


@pytest.fixture
def app(store: Store, clock: Clock) -> Flask:
    app = an_app(store, clock)
    app.testing = True
    return app


def an_app(store: Store, clock: Clock) -> Flask:
    """A console that knows the mapping of the one destination."""
    passwords = Passwords(HASH, VIEWERS_HASH)

    def seconds() -> float:
        return clock() / 1000

    return create_admin(store, [create_console(store, passwords, KEY, seconds, [an_account()])])


def an_account(path: Path | None = None) -> Account:
    """The destination with a mapping of its own, the shipped one by default, in an org whose address is known."""
    file = path or shipped_folder() / "salesforce-contact.yaml"
    return Account(
        DESTINATION,
        "America/Phoenix",
        lambda schema: load(file, schema=schema, shipped=shipped_folder(), crms=VENDORS),
        link=lambda _, crm_id: f"https://sunrise.my.salesforce.com/{crm_id}",
    )


@pytest.fixture
def stranger(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def operator(app: Flask) -> FlaskClient:
    client = app.test_client()
    assert log_in(client).status_code == 303
    return client


@pytest.fixture
def viewer(app: Flask) -> FlaskClient:
    client = app.test_client()
    assert log_in(client, VIEWERS).status_code == 303
    return client


def metrics(client: FlaskClient) -> str:
    """The metrics with what the store holds, which a stall leaves out: reading it has a limit of a few seconds."""
    pages = [""]

    def is_whole() -> bool:
        pages.append(client.get("/metrics").text)
        return "connector_opt_outs_waiting" in pages[-1]

    until(is_whole)
    return pages[-1]


def token(client: FlaskClient, page: str = "/console/events") -> str:
    found = re.search(r'name="token" value="([^"]+)"', client.get(page).text)
    assert found is not None
    return found[1]


def log_in(client: FlaskClient, password: str = PASSWORD, **more: str) -> TestResponse:
    form = {"token": token(client, "/console/login"), "password": password, **more}
    return client.post("/console/login", data=form)


def deeds(store: Store) -> list[AuditEntry]:
    """The audit log without the sign-ins and refusals, the newest first."""
    return [entry for entry in store.audit.entries() if entry.action not in ("sign-in", "sign-in refused", "refused")]


def act(client: FlaskClient, path: str, **form: str) -> TestResponse:
    return client.post(path, data={"token": token(client), **form}, follow_redirects=True)


def settle(
    store: Store, state: str, pause: Pause | None = None, why: Refusal = WRITTEN, outcome: str = "", **changes: Any
) -> None:
    """Settle everything that is due."""
    store.lanes.open({LANE: DESTINATION})
    lease = store.lanes.lease("a worker", [LANE], MINUTE)
    assert lease is not None
    settled = [
        Settled(
            one.id,
            DeliveryState(state),
            AttemptOutcome(outcome or ("deferred" if state == "ready" else state)),
            why,
            **{"request_id": "request-7", "duration_ms": 120, **changes},
        )
        for one in store.inbox.due(LANE, 100)
    ]
    store.lanes.settle(lease, Settlement("mapping-v1", settled, pause=pause), MINUTE)
    if pause is None:
        store.lanes.release(lease)


def refuse(store: Store, count: int, code: str, cause: str, *fields: str, action: str = "") -> None:
    store.inbox.accept([an_arrival() for _ in range(count)])
    settle(store, "dead", why=Refusal(code, cause, action, fields))


def compare(store: Store) -> None:
    """Compare with careCycle, where somebody is missing, and with the CRM, which has lost an opt-out."""
    store.inbox.accept([an_arrival("msg_opt_out", priority=1, raised=frozenset({"doNotCall"}))])
    store.lanes.open({LANE: DESTINATION})
    lease = store.lanes.lease("a worker", [LANE], MINUTE)
    assert lease is not None
    key = RecordKey("Contact", "careCycle_Id__c", CUSTOMER)
    known = Remembered(key, Entry("003000000000001AAA", {"DoNotCall": Mark(Stamp(1, "m"), "d")}), CUSTOMER, 1, new=True)
    paid = [Payment(owed, ObligationState.APPLIED) for owed in store.obligations.due(LANE, 9)]
    store.lanes.settle(lease, Settlement("mapping-v1", remembered=[known], payments=paid), MINUTE)
    store.lanes.release(lease)
    lowered = {Difference.LOWERED: ("DoNotCall",)}
    held = store.verifications.walk(DESTINATION, ("", ""), 9)
    store.verifications.keep(DESTINATION, [Verified(own, lowered, lowered=frozenset({"doNotCall"})) for own in held])
    run = store.runs.begin("0123456789abcdef", "sunrise", SOURCE, "", whole=True)
    store.runs.note(run.id, "", {"listed": 231, "unknown": 1}, ended=True)
    store.audit.note("cli:ana", SOURCE, f"sunrise: 0 customers and 0 calls fetched: run {run.id}")
    backfill = store.runs.begin("fedcba9876543210", "sunrise", "backfill", "")
    store.runs.note(backfill.id, "3", {"customers": 200, "calls": 12, "new": 3})


def fill(store: Store) -> None:
    """Something of everything."""
    compare(store)
    for customer in (CUSTOMER, "c" * 64):
        ask(store, HAROLD, EDNA, customer=customer)
    store.deciding.same_person(store.questions.all()[1], HAROLD.id, "somebody")
    settle(store, "delivered")
    refuse(store, 2, "INVALID_OPTION", "the value is not one of the options of 'state'", "state")
    store.inbox.accept([an_arrival("msg_refused")])
    settle(store, "dead", why=Refusal("INVALID_EMAIL", "not an email address", fields=("email",)))
    store.inbox.accept([an_arrival("msg_delivered", a_customer(timezone="America/" + "North_Dakota" * 20))])
    settle(store, "delivered", records=[RECORD])
    store.inbox.accept([an_arrival("msg_" + "waiting" * 20, customer_id="c" * 64, priority=1)])
    settle(
        store, "ready", Pause(15 * MINUTE, PauseReason.QUOTA, "the day's limit of calls is used up"), outcome="deferred"
    )


def every_page(store: Store) -> list[str]:
    """Every page there is, with something on it."""
    cause = find_causes(store)[0].id
    opened, decided = find_questions(store, decided=True)
    return [
        "",
        "/events",
        "/events?code=nothing",
        "/events/msg_delivered",
        "/events/msg_refused",
        "/problems",
        f"/problems/{cause}",
        f"/problems/{cause}/replay",
        f"/problems/{cause}/discard",
        "/complete",
        "/people",
        f"/people/sunrise/{CUSTOMER}",
        f"/replay-person/sunrise/{CUSTOMER}",
        f"/forget-person/sunrise/{CUSTOMER}",
        "/consent",
        "/identity",
        f"/identity/{opened.of.id}/same?crm_id=003H",
        f"/identity/{opened.of.id}/other",
        f"/identity/{decided.of.id}/undo",
        "/why",
        f"/why?id={CUSTOMER}",
        "/mapping",
        "/mapping/show",
        "/mapping/versions",
        "/mapping/try",
        "/events?state=dead&opt_out=yes",
        "/events?state=nothing",
        f"/lanes/pause?lane={LANE}",
        f"/lanes/resume?lane={LANE}",
        "/log",
        "/accounts",
    ]


EMPTY = (
    "",
    "/events",
    "/problems",
    "/complete",
    "/people",
    "/consent",
    "/identity",
    "/why",
    "/mapping",
    "/log",
    "/accounts",
)
"""The pages that have something to say before anything has come."""


@contextmanager
def taken_away(store: Store) -> Iterator[None]:
    """A database that cannot be reached: of a file, as when its disk is not mounted."""
    file = dialect.embedded_file(store.database.engine.url)
    assert file is not None
    elsewhere = file.rename(file.with_name("elsewhere.db"))
    try:
        yield
    finally:
        elsewhere.rename(file)


def leave_out(store: Store, holder: str | None = None) -> None:
    """Deliver an event whose contact is written without its email address. holder: the record that has the address."""
    store.inbox.accept([an_arrival("msg_left_out")])
    store.lanes.open({LANE: DESTINATION})
    lease = store.lanes.lease("a worker", [LANE], MINUTE)
    assert lease is not None
    (due,) = store.inbox.due(LANE, 100)
    why = Refusal("INVALID_EMAIL_ADDRESS", "the address is not accepted", "correct it", ("Email",), "contact")
    note = replace(RECORD, record="contact", left_out={"Email": why.code})
    item = OpenItem(why.code, why.cause, why.action, "contact", "digest", Stamp(1, "t"), "v1", holder)
    key = RecordKey("Contact", "careCycle_Id__c", CUSTOMER)
    written = Remembered(key, Entry("003x"), CUSTOMER, due.id, opened={"Email": item})
    settled = Settled(due.id, DeliveryState.DELIVERED, AttemptOutcome.DELIVERED, why, [note])
    store.lanes.settle(lease, Settlement("v1", [settled], [written]), MINUTE)
    store.lanes.release(lease)
