"""The admin port over real HTTP: pages of people that hang keep no monitor from its answer."""

from __future__ import annotations

import asyncio
import itertools
import json
import select
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager, suppress
from types import SimpleNamespace

import pytest
import requests
from flask import Flask, request

from connector.store.line import POOL
from connector.web.door import Door, Limits, environ, serve_all
from tests.patience import PATIENCE, until
from tests.ports import free_port

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
            until(lambda: admin.at_work == LIMITS.pages)
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
        assert environ(scope)["REMOTE_ADDR"] == "2001:db8::7"


class TestOtherWork:
    """A receiver's two doors, of which one does nothing but work."""

    @pytest.fixture
    def busy(self) -> Iterator[tuple[Door, Door, threading.Event]]:
        hooks, health, go_on = Flask("hooks"), Flask("health"), threading.Event()

        @hooks.get("/")
        def work() -> str:
            assert go_on.wait(2 * PATIENCE)
            return "done"

        @health.get("/slow")
        def slow() -> str:
            return work()

        @health.get("/livez")
        def livez() -> str:
            return "alive"

        @health.get("/console")
        def spin() -> str:
            while not go_on.is_set():
                sum(range(1000))
            return "a page"

        doors = (
            Door(hooks, "127.0.0.1", free_port(), Limits(threads=0)),
            Door(health, "127.0.0.1", free_port(), Limits(threads=4, waiting=40), "/console", frozenset({"/livez"})),
        )
        serving = threading.Thread(target=lambda: asyncio.run(serve_all(doors)))
        serving.start()
        yield (*doors, go_on)
        go_on.set()
        for door in doors:
            door.close()
        serving.join()

    def test_of_the_loop_that_takes_events_does_not_hold_up_livez(
        self, busy: tuple[Door, Door, threading.Event]
    ) -> None:
        with self.held_up(busy[0].port, "/", 1):
            self.is_alive(busy)

    def test_of_pages_that_use_the_processor_does_not_hold_up_livez(
        self, busy: tuple[Door, Door, threading.Event]
    ) -> None:
        with self.held_up(busy[1].port, "/console", LIMITS.pages_waiting):
            self.is_alive(busy)

    def test_of_as_many_requests_as_may_wait_does_not_hold_up_livez(
        self, busy: tuple[Door, Door, threading.Event]
    ) -> None:
        with self.held_up(busy[1].port, "/slow", 60) as crowd:
            until(lambda: len(answered(crowd)) == 20)  # whichever of them came last
            assert {connection.recv(12) for connection in answered(crowd)} == {b"HTTP/1.1 503"}
            self.is_alive(busy)

    @staticmethod
    @contextmanager
    def held_up(port: int, path: str, count: int) -> Iterator[list[socket.socket]]:
        """Ask, one after the other, and wait for no answer."""
        with ExitStack() as crowd:
            asked = [crowd.enter_context(in_the_end_connected(port)) for _ in range(count)]
            for one in asked:
                one.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
            yield asked

    @staticmethod
    def is_alive(busy: tuple[Door, Door, threading.Event]) -> None:
        _, health, go_on = busy
        in_the_end_connected(health.port).close()
        answer = requests.get(f"http://127.0.0.1:{health.port}/livez", timeout=PATIENCE)
        assert (answer.text, go_on.is_set()) == ("alive", False)


def answered(crowd: list[socket.socket]) -> list[socket.socket]:
    return select.select(crowd, [], [], 0)[0]


def in_the_end_connected(port: int) -> socket.socket:
    """A connection, once somebody listens."""
    made: list[socket.socket] = []

    def connects() -> bool:
        with suppress(ConnectionRefusedError):
            made.append(socket.create_connection(("127.0.0.1", port), timeout=PATIENCE))
        return bool(made)

    until(connects)
    return made[0]


class TestFaultsOfTheDoorItself:
    def test_are_answered_500_and_logged_as_one_line(self) -> None:
        program = """
import asyncio, os, sys, threading, urllib.request
from flask import Flask
from connector import telemetry
from connector.web.door import Door, Limits
telemetry.configure()
class Broken(Flask):
    def __call__(self, environ, start_response):
        raise ValueError("canary")
door = Door(Broken("broken"), "127.0.0.1", int(sys.argv[1]), Limits(threads=0))
def ask():
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{door.port}/canary")
        except urllib.error.HTTPError as error:
            print(error.code, error.read())
            break
        except urllib.error.URLError:
            pass
    door.close()
threading.Thread(target=ask).start()
asyncio.run(door.serve())
sys.stdout.flush()
os._exit(0)  # as a role does: a thread of granian's that wakes during Python's shutdown aborts it
"""
        command = [sys.executable, "-c", program, str(free_port())]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert done.stdout == "500 b'something went wrong here, send it again\\n'\n"
        (line,) = done.stderr.splitlines()
        assert json.loads(line)["what"] == "ValueError at <string>:9"
        assert "canary" not in line
