"""The admin port over real HTTP: pages of people that hang keep no monitor from its answer."""

from __future__ import annotations

import asyncio
import itertools
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from types import SimpleNamespace

import pytest
import requests
from flask import Flask, request

from connector.cli.stage import free_port
from connector.store.line import POOL
from connector.web.door import Door, Limits, environ, serve_all
from tests.patience import PATIENCE

LIMITS = Limits()
CROWD = 100


class Admin:
    """An admin port whose pages wait until they are let go, as those of a database that does not answer."""

    def __init__(self) -> None:
        app, self.go_on = Flask("admin"), threading.Event()
        self.at_work, self.most, self._lock = 0, 0, threading.Lock()

        @app.get("/livez")
        def livez() -> str:
            return "alive"

        @app.get("/from")
        def come_from() -> str:
            return f"{request.remote_addr} {request.headers.get('X-Forwarded-For')}"

        @app.get("/console")
        @app.get("/console/<page>")
        def page(page: str = "") -> str:
            with self._lock:
                self.at_work += 1
                self.most = max(self.most, self.at_work)
            assert self.go_on.wait(2 * PATIENCE)
            with self._lock:
                self.at_work -= 1
            return "a page"

        self.door = Door(app, "127.0.0.1", free_port(), pages="/console")
        self.thread = threading.Thread(target=lambda: asyncio.run(serve_all([self.door])))
        self.thread.start()
        while not self._listens():
            pass

    def _listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.door.port)).close()
        except ConnectionRefusedError:
            return False
        return True

    def get(self, path: str, timeout: float = 3 * PATIENCE, **headers: str) -> requests.Response:
        return requests.get(f"http://127.0.0.1:{self.door.port}{path}", timeout=timeout, headers=headers)

    def stop(self) -> None:
        self.go_on.set()
        self.door.close()
        self.thread.join()


@pytest.fixture
def admin() -> Iterator[Admin]:
    admin = Admin()
    yield admin
    admin.stop()


def first_answers(asked: list[Future[requests.Response]], count: int) -> list[requests.Response]:
    """The first so many, as they come."""
    return [done.result() for done in itertools.islice(as_completed(asked, PATIENCE), count)]


class TestPagesThatHang:
    def test_take_no_thread_of_monitors_and_wait_in_a_short_queue(self, admin: Admin) -> None:
        with ThreadPoolExecutor(CROWD) as people:
            pages = [people.submit(admin.get, "/console/events") for _ in range(CROWD)]
            refused = first_answers(pages, CROWD - LIMITS.pages_waiting)
            assert admin.get("/livez", timeout=PATIENCE).text == "alive"
            admin.go_on.set()
            answers = [page.result() for page in pages]
        assert {(answer.status_code, answer.headers["Retry-After"]) for answer in refused} == {(503, "5")}
        assert "The console is busy" in refused[0].text
        assert [answer.status_code for answer in answers].count(200) == LIMITS.pages_waiting
        assert admin.most == LIMITS.pages

    def test_are_served_again_afterwards(self, admin: Admin) -> None:
        with ThreadPoolExecutor(CROWD) as people:
            pages = [people.submit(admin.get, "/console") for _ in range(CROWD)]
            first_answers(pages, CROWD - LIMITS.pages_waiting)
            admin.go_on.set()
        assert admin.get("/console").text == "a page"


def test_pages_take_fewer_threads_than_there_are_connections() -> None:
    """So that metrics and the trial write get one while every page waits for the database."""
    assert LIMITS.pages <= POOL["pool_size"]


class TestAddresses:
    def test_a_header_with_underscores_passes_for_no_other(self, admin: Admin) -> None:
        both = {"X-Forwarded-For": "203.0.113.9", "X_Forwarded_For": "192.0.2.66"}
        assert admin.get("/from", **both).text == "127.0.0.1 203.0.113.9"

    def test_of_version_6_come_without_brackets(self) -> None:
        scope = SimpleNamespace(
            server="[::1]:8081", client="[2001:db8::7]:5000", method="GET", path="/", query_string="", headers={},
            http_version="1.1", scheme="http",
        )  # fmt: skip
        assert environ(scope, b"")["REMOTE_ADDR"] == "2001:db8::7"
