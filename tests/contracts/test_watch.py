"""People are told, by real HTTP and real SMTP, once."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from connector.destinations.deadline import SHORT
from connector.errors import AlarmNotSent, PauseReason
from connector.insight import notify
from connector.insight.alarm_watch import Subscriber, Watch
from connector.insight.alarms import MINUTE
from connector.settlement import ObligationState, Pause, Payment, Settlement
from connector.store import Store
from tests.builders import DESTINATION, LANE, an_arrival, an_odd_arrival
from tests.conftest import Clock
from tests.destinations.servers import NEVER_DONE, Behaviour, drip, pour, serving, silent

SOON = replace(SHORT, read=0.3, total=0.4)


class Chat:
    """A chat program's incoming webhook."""

    def __init__(self) -> None:
        self.status, self.said = 200, list[str]()
        chat = self

        class Hook(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if chat.status == 200:
                    chat.said.append(json.loads(body)["text"])
                self.send_response(chat.status)
                self.send_header("Location", "/elsewhere")
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        self.server = HTTPServer(("127.0.0.1", 0), Hook)
        self.url = f"http://127.0.0.1:{self.server.server_port}/services/T0"


class Letters(socketserver.StreamRequestHandler):
    """As much of a mail server as takes a letter."""

    taken: list[str]

    def handle(self) -> None:
        self.wfile.write(b"220 here\r\n")
        for line in self.rfile:
            match line.split()[0].upper():
                case b"DATA":
                    self.wfile.write(b"354 go on\r\n")
                    letter = iter(self.rfile.readline, b".\r\n")
                    self.taken.append(b"".join(letter).decode())
                case b"QUIT":
                    self.wfile.write(b"221 bye\r\n")
                    return
            self.wfile.write(b"250 fine\r\n")


@pytest.fixture
def chat() -> Iterator[Chat]:
    chat = Chat()
    yield from _served(chat.server, chat)


@pytest.fixture
def post_office() -> Iterator[tuple[int, list[str]]]:
    taken: list[str] = []
    server = socketserver.TCPServer(("127.0.0.1", 0), type("Taking", (Letters,), {"taken": taken}))
    yield from _served(server, (server.server_address[1], taken))


def _served(server: socketserver.TCPServer, thing: Any) -> Iterator[Any]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield thing
    server.shutdown()
    thread.join()
    server.server_close()


def paid(store: Store, payment: Payment) -> None:
    """Record what became of an obligation."""
    lease = store.lanes.lease("worker", [LANE], MINUTE)
    assert lease is not None
    store.lanes.settle(lease, Settlement("", payments=[payment]), MINUTE)
    store.lanes.release(lease)


def subscribed(store: Store, chat: Chat, clock: Clock) -> Watch:
    return Watch(store, [Subscriber("sunrise", [partial(notify.post, chat.url)], 60 * MINUTE)], lambda: clock() / 1000)


def paused(store: Store) -> None:
    store.lanes.open({LANE: DESTINATION})
    store.inbox.accept([an_arrival()])
    lease = store.lanes.lease("worker", [LANE], 60_000)
    assert lease is not None
    store.lanes.settle(lease, Settlement("", pause=Pause(3_600_000, PauseReason.AUTH, "the login is refused")), 60_000)


class TestWatch:
    def test_a_paused_lane_is_told_once_and_its_end_once(self, store: Store, chat: Chat, clock: Clock) -> None:
        paused(store)
        watch = subscribed(store, chat, clock)
        watch()
        clock.forward(MINUTE)
        watch()
        store.desk.resume(LANE, "ana")
        clock.forward(MINUTE)
        watch()
        assert [text.splitlines()[0] for text in chat.said] == [
            f"[sunrise] lane paused {LANE}",
            f"[sunrise] over: lane paused {LANE}",
        ]

    def test_an_opt_out_the_crm_refuses_is_reported_until_it_is_applied(
        self, store: Store, chat: Chat, clock: Clock
    ) -> None:
        store.lanes.open({LANE: DESTINATION})
        store.inbox.accept([an_arrival("m1", priority=1, raised=frozenset({"doNotCall"}))])
        (owed,) = store.obligations.due(LANE, 9)
        paid(store, Payment(owed, ObligationState.REFUSED, wait_ms=MINUTE))
        clock.forward(6 * MINUTE)
        watch = subscribed(store, chat, clock)
        watch()
        clock.forward(MINUTE)
        paid(store, Payment(owed, ObligationState.APPLIED))
        watch()
        assert "1 were refused and are retried: `connector consent report` says why" in chat.said[0]
        assert [text.splitlines()[0] for text in chat.said] == [
            f"[sunrise] opt-outs late {LANE}",
            f"[sunrise] over: opt-outs late {LANE}",
        ]

    def test_an_odd_field_is_reported_until_it_has_not_come_for_an_hour(
        self, store: Store, chat: Chat, clock: Clock
    ) -> None:
        store.inbox.accept([an_odd_arrival(), an_odd_arrival()])
        watch = subscribed(store, chat, clock)
        for _ in range(4):
            watch()
            clock.forward(21 * MINUTE)
        assert [text.splitlines()[0] for text in chat.said] == [
            "[sunrise] odd fields customer.subsidyAmount",
            "[sunrise] over: odd fields customer.subsidyAmount",
        ]

    def test_of_two_workers_one_tells(self, store: Store, chat: Chat, clock: Clock) -> None:
        paused(store)
        subscribed(store, chat, clock)()
        subscribed(store, chat, clock)()
        assert len(chat.said) == 1

    def test_what_could_not_be_told_is_told_a_minute_later(self, store: Store, chat: Chat, clock: Clock) -> None:
        paused(store)
        watch = subscribed(store, chat, clock)
        chat.status = 500
        watch()
        chat.status = 200
        clock.forward(MINUTE)
        watch()
        assert len(chat.said) == 1

    def test_a_day_of_ours_without_work_is_told_when_it_ends(self, store: Store, chat: Chat, clock: Clock) -> None:
        watch = subscribed(store, chat, clock)
        watch()
        clock.forward(24 * 60 * MINUTE)
        watch()
        assert "replay what failed since 2026-06-18 12:00 UTC" in chat.said[0]

    def test_another_agencys_lanes_are_not_told(self, store: Store, chat: Chat, clock: Clock) -> None:
        paused(store)
        other = Subscriber("sunset", [partial(notify.post, chat.url)], MINUTE)
        Watch(store, [other], lambda: clock() / 1000)()
        assert chat.said == []


class TestNotify:
    def test_a_redirect_is_not_followed(self, chat: Chat) -> None:
        chat.status = 302
        with pytest.raises(AlarmNotSent, match="answered 302"):
            notify.post(chat.url, "s", "b")

    def test_an_address_nobody_answers_is_not_told_in_full(self) -> None:
        with pytest.raises(AlarmNotSent) as caught:
            notify.post("http://127.0.0.1:1/services/secret", "s", "b")
        assert "secret" not in str(caught.value)

    def test_mail_arrives(self, post_office: tuple[int, list[str]]) -> None:
        port, taken = post_office
        notify.send(
            notify.Mail(["a@x.example", "b@x.example"], "c@x.example", "127.0.0.1", port, "none"), "hot", "body"
        )
        assert ("Subject: hot" in taken[0], "To: a@x.example, b@x.example" in taken[0], "body" in taken[0]) == (
            True,
        ) * 3

    def test_a_mail_server_without_tls_gets_no_letter_by_default(self, post_office: tuple[int, list[str]]) -> None:
        port, taken = post_office
        with pytest.raises(AlarmNotSent, match="did not accept it: SMTPNotSupportedError"):
            notify.send(notify.Mail(["a@x.example"], "c@x.example", "127.0.0.1", port), "hot", "body")
        assert taken == []

    @pytest.mark.parametrize("name", NEVER_DONE)
    def test_a_webhook_that_is_never_done_is_given_up(self, name: str) -> None:
        with serving(NEVER_DONE[name]) as (port, _), pytest.raises(AlarmNotSent, match="does not answer"):
            notify.post(f"http://127.0.0.1:{port}/services/secret", "s", "b", SOON)

    @pytest.mark.parametrize("security", ["none", "starttls"])
    @pytest.mark.parametrize(
        ("name", "behave"),
        {
            "silent": silent,
            "drips its greeting": drip(b"220 he"),
            "drips a reply": drip(b"220 here\r\n250-fi"),
            "never ends its greeting": pour(b"", b"220-here and here and here and here\r\n"),
            "never ends a reply": pour(b"220 here\r\n", b"250-AUTH and AUTH and AUTH and AUTH\r\n"),
        }.items(),
    )
    def test_a_mail_server_that_is_never_done_is_given_up(self, name: str, behave: Behaviour, security: str) -> None:
        with serving(behave, read=False) as (port, _):
            mail = notify.Mail(["a@x.example"], "c@x.example", "127.0.0.1", port, security)
            with pytest.raises(AlarmNotSent, match="did not accept it"):
                notify.send(mail, "hot", "body", SOON)
