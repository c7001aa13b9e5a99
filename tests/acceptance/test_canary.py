"""No payload value leaves its place: canaries in every field, down every path of the product, sought everywhere."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from html import unescape
from pathlib import Path
from urllib.parse import quote

import pytest
import requests
from flask import Response
from werkzeug.serving import WSGIRequestHandler, make_server

from connector.carecycle.catalogue import EVENTS, FIELDS
from connector.errors import StateChanged
from connector.sandbox.salesforce import CLIENT
from connector.store import Store, open_store
from connector.store.desk import Filter
from connector.web.passwords import hash_password
from tests.acceptance.canaries import event, finds, needles, planted
from tests.acceptance.echoes import echo, repeat
from tests.acceptance.product import Product
from tests.builders import DATA_KEY, SECRET, signed

PASSWORD = "correct horse battery staple"
LOUD = """\
import logging
class Loud(logging.Logger):
    def __init__(self, name, level=logging.DEBUG):
        super().__init__(name, logging.DEBUG)
logging.setLoggerClass(Loud)
"""
MAPPINGS = {
    "salesforce-contact": """\
extends: salesforce-contact
records:
  contact:
    also_match: [{ Email: customer.email }]
    fields:
      Birthdate: { from: customer.dateOfBirth, sensitive: accepted }
      MobilePhone: { format: national }
  call: { fields: { Description: { from: call.transcript, cut: true, sensitive: accepted } } }
""",
    "hubspot": """\
extends: hubspot
records: { call: { fields: { hs_call_body: { from: call.transcript, cut: true, sensitive: accepted } } } }
""",
}


@pytest.fixture
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What people wrote themselves: not searched."""
    folder = tmp_path_factory.mktemp("inputs")
    (folder / "sitecustomize.py").write_text(LOUD)
    for name, text in MAPPINGS.items():
        (folder / f"{name}.own.yaml").write_text(text)
    (folder / "event.json").write_text(json.dumps(event("call.completed", "c-map")))
    return folder


@pytest.fixture
def product(tmp_path: Path, inputs: Path) -> Iterator[Product]:
    product = Product(tmp_path, f"sqlite:///{tmp_path}/connector.db")
    text = product.agency.read_text()
    for name in MAPPINGS:
        shutil.copy(inputs / f"{name}.own.yaml", tmp_path)
        text = text.replace(f"mapping: {name}", f"mapping: {name}.own.yaml")
    product.agency.write_text(text)
    (tmp_path / "tmp").mkdir()
    product.environment |= {
        "CONNECTOR_LOG_LEVEL": "debug",
        "CONNECTOR_CONSOLE_PASSWORD_HASH": hash_password(PASSWORD),
        "PYTHONPATH": str(inputs),
        "TMPDIR": str(tmp_path / "tmp"),
    }
    yield product
    product.close()


@pytest.fixture
def store(product: Product) -> Iterator[Store]:
    store = open_store(product.environment["CONNECTOR_DATABASE_URL"], product.environment)
    yield store
    store.close()


def command(product: Product, *arguments: str) -> bytes:
    done = subprocess.run(
        [sys.executable, "-m", "connector", *arguments], env=product.environment, capture_output=True, check=False
    )
    return done.stdout + b"\n" + done.stderr


TROUBLES = [(400, "json"), (401, "json"), (403, "json"), (404, "json"), (429, "json"), (500, "json")]
TROUBLES += [(200, "html"), (503, "html"), (302, "redirect"), (200, "json")]
TROUBLES += [(400, "headers"), (200, "headers"), (207, "entries"), (200, "entries"), (201, "ids"), (200, "ids")]
TROUBLES += [(400, "cut"), (200, "cut"), (401, "login"), (429, "headers"), (500, "entries")]
FEW = [(400, "json"), (401, "json"), (503, "html"), (302, "redirect"), (400, "headers"), (207, "entries"), (200, "ids")]
FEW += [(200, "cut")]
LOGINS = [(400, "login"), (401, "headers"), (200, "login"), (302, "redirect"), (200, "cut")]
JSON = [
    ["events", "list", "--limit", "1000", "--json"],
    ["problems", "--json"],
    ["status", "--json"],
    ["lanes", "list", "--json"],
    ["audit", "export", "--format", "jsonl"],
    ["consent", "status", "--json"],
    ["retention", "show"],
]
MOST_PAGES = 150
API_KEY, HOOK = "cc_canary-secret-of-the-api", "canary-secret-of-the-webhook"


def live_through_it(product: Product, store: Store, troubles: list[tuple[int, str]]) -> None:
    """Success; each of these troubles from both CRMs; bodies nobody can read; strangers; a crash of each role."""
    product.start()
    product.ready()
    assert [product.post(event(kind, "c-known")) for kind in EVENTS] == [204] * 3
    strange = event("customer.updated", "c-enum", gender="canary-strange-enum", status="canary-odd status")
    assert product.post(strange) == 204
    product.until(lambda: min(product.landed()) >= 1)
    for number, (status, shape) in enumerate(troubles):
        met(product, store, number, status, shape)
    unreadable = event("customer.updated", "c-unread", householdIncome="canary-strange-income")
    foreign = {**event("customer.updated", "c-foreign"), "event_type": "canary.strange"}
    body = json.dumps(event("customer.updated", "c-cut")).encode()
    assert [product.post(one) for one in (unreadable, foreign, body[:-9])] == [204] * 3
    assert product.post(event("customer.updated", "c-forged"), secret="whsec_YW5vdGhlcg==") == 401
    address = f"http://127.0.0.1:{product.port}/hooks/canary-strange?x=canary-strange"
    assert requests.post(address, data=body, headers=signed(body)[1], timeout=60).status_code == 404
    product.post(event("call.completed", "c-crash", id="call-crash"))
    product.kill("work")
    product.kill("receive")
    product.ready()
    product.until(lambda: store.desk.waiting() == 0 or resumed(store))


def met(product: Product, store: Store, number: int, status: int, shape: str) -> None:
    """One event, and a trouble of each CRM that lasts until its own retries are over."""
    for name, sandbox in (("salesforce", product.salesforce), ("hubspot", product.hubspot)):
        where = "/services/data" if name == "salesforce" else "/crm/objects"
        sandbox.fault(where, echo(status, shape, name), times=3)
    product.post(event("call.completed", "c-known", id=f"call-trouble-{number}"))
    planned = [product.salesforce.faults[-1], product.hubspot.faults[-1]]
    product.until(lambda: all(one.times < 3 for one in planned) or resumed(store))
    for one in planned:
        one.times = 0


def resumed(store: Store) -> bool:
    for lane in store.desk.lanes():
        if lane.paused:
            with suppress(StateChanged):
                store.desk.resume(lane.name, "the test")
    return False


def logins(product: Product, store: Store) -> None:
    """A login of Salesforce's that repeats the secret it was sent, once in each form."""
    for number, (status, shape) in enumerate(LOGINS):
        product.salesforce.fault("/services/data", Response("", 401, {}), times=1)
        product.salesforce.fault("/services/oauth2/token", echo(status, shape, "salesforce"), times=1)
        planned = product.salesforce.faults[-1]
        product.post(event("call.completed", "c-known", id=f"call-login-{number}"))
        product.until(lambda planned=planned: planned.times < 1 or resumed(store))
        planned.times = 0


class Quiet(WSGIRequestHandler):
    def log(self, *_: object) -> None: ...


@contextmanager
def repeating() -> Iterator[int]:
    """A server that answers with what it was sent: its port."""
    server = make_server("127.0.0.1", 0, repeat, threaded=True, request_handler=Quiet)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


def others(product: Product, port: int) -> dict[str, bytes]:
    """What the commands say whose careCycle API and webhook of alarms repeat their secrets."""
    more = f'carecycle: {{api_key: "${{API_KEY}}", endpoint: "http://127.0.0.1:{port}", requests_a_minute: 6000}}\n'
    more += 'alarms: {webhook: "${ALARMS}", heartbeat: "${ALARMS}"}\n'
    file = product.folder / "others.yaml"
    file.write_text(product.agency.read_text() + more)
    product.environment |= {"API_KEY": API_KEY, "ALARMS": f"http://127.0.0.1:{port}/services/{HOOK}"}
    asked = [["alarms", "test"], ["doctor"], ["reconcile", "source"], ["backfill", "--from", "carecycle", "--plan"]]
    return {" ".join(words): command(product, *words, "-c", str(file)) for words in asked}


def pages(product: Product, store: Store) -> dict[str, bytes]:
    """Every page of the console that a link leads to, as an administrator sees it."""
    root, session = f"http://127.0.0.1:{product.admin_port}/console", requests.Session()
    token = re.search(r'name="token" value="([^"]+)"', session.get(f"{root}/login", timeout=60).text)
    assert token is not None
    session.post(f"{root}/login", data={"token": token[1], "password": PASSWORD}, timeout=60)
    waiting = ["/console", *{f"/console/events/{row.message_id}" for row in store.desk.deliveries(Filter(), 200)}]
    shown: dict[str, bytes] = {}
    while waiting and len(shown) < MOST_PAGES:
        page = waiting.pop(0)
        answer = session.get(f"http://127.0.0.1:{product.admin_port}{page}", timeout=60)
        assert answer.status_code < 500, page
        shown[page] = answer.content
        links = {unescape(link) for link in re.findall(r'href="(/console[^"#]*)', answer.text)}
        waiting += sorted(links - {*waiting, *shown, "/console/logout"} - {one for one in links if "/static/" in one})
    assert len(shown) > 20
    return {f"page {page}": content for page, content in shown.items()}


class TestCanaries:
    @pytest.mark.parametrize("troubles", [FEW, pytest.param(TROUBLES, marks=pytest.mark.slow)], ids=["few", "all"])
    def test_no_value_leaves_its_place(
        self, product: Product, store: Store, inputs: Path, tmp_path: Path, troubles: list[tuple[int, str]]
    ) -> None:
        live_through_it(product, store, troubles)
        logins(product, store)
        with repeating() as port:
            of_others = others(product, port)
        codes = {row.code for row in store.desk.outcomes()}
        assert {"E210", "UNKNOWN_TYPE"} < codes  # what must have happened did
        html = pages(product, store)
        arguments = {f"/proc/{one}": Path(f"/proc/{one}/cmdline").read_bytes() for one in product.children().values()}
        metrics = requests.get(f"http://127.0.0.1:{product.admin_port}/metrics", timeout=60).content
        files = {f"file {one.name}": one.read_bytes() for one in tmp_path.rglob("*") if one.is_file()}
        log = product.log.read_bytes()
        assert all(sign in log for sign in (b'"library": "urllib3', b'"library": "sqlalchemy', b"delivery settled"))
        assert {"file log", "file connector.db", "file connector.db-wal"} < set(files)
        told = {
            "check": command(product, "check", "-c", str(product.agency)),
            "events list": command(product, "events", "list", "--limit", "1000"),
            "send": command(product, "send", "http://127.0.0.1:1/hooks/x", str(inputs / "event.json"), "--secret", "x"),
            "lanes": command(product, "lanes", "list"),
            "audit": command(product, "audit"),
            "forget": command(product, "forget", "c-map", "--plan"),
            **{" ".join(words): command(product, *words) for words in JSON},
            **of_others,
        }
        assert [name for name, said in told.items() if b"Usage:" in said or b"Traceback" in said] == []
        secrets = [SECRET, DATA_KEY, CLIENT[1], product.hubspot.token, PASSWORD, API_KEY, HOOK]
        assert finds(secrets, {**arguments, **files, **told, **html, "metrics": metrics}) == []
        assert finds(needles(), {**arguments, **files, **told, "metrics": metrics}) == []
        one = store.desk.deliveries(Filter(), 1)[0].message_id
        assert finds(needles(private=True), {**html, "events show": command(product, "events", "show", one)}) == []

    @pytest.mark.slow
    def test_map_prints_values_to_whoever_gave_the_file_and_nowhere_else(self, product: Product, inputs: Path) -> None:
        arguments = ["map", str(inputs / "hubspot.own.yaml"), str(inputs / "event.json")]
        done = subprocess.run(
            [sys.executable, "-m", "connector", *arguments], env=product.environment, capture_output=True, check=False
        )
        assert finds(needles(), {"standard output": done.stdout})
        left = {one.name: one.read_bytes() for one in (product.folder / "tmp").rglob("*") if one.is_file()}
        assert finds(needles(), {**left, "standard error": done.stderr}) == []


class TestTheSearch:
    @pytest.mark.parametrize("value", needles())
    def test_finds_each_value_in_every_spelling(self, value: str) -> None:
        spellings = [value, value.upper(), value.lower(), quote(value), value.encode().hex()]
        around = [f"<{one}>".encode() for one in spellings] + [value.encode("utf-16-le")]
        around += [base64.b64encode(b"x" * n + value.encode() + b"tail") for n in range(3)]
        assert [one for one in around if not finds([value], {"here": b"..." + one + b"..."})] == []

    def test_finds_a_phone_number_and_a_date_written_otherwise(self) -> None:
        phone, born = (planted(FIELDS[f"customer.{one}"]) for one in ("phoneNumber", "dateOfBirth"))
        year, month, day = born.split("-")
        for written in (phone[1:], f"({phone[2:5]}) {phone[5:8]}-{phone[8:]}", f"{month}/{day}/{year}"):
            assert finds([phone, born], {"here": written.encode()})
