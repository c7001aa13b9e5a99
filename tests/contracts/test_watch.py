"""People are told, by real HTTP and real SMTP, once."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from sqlalchemy import select, update

from connector import telemetry
from connector.destinations.deadline import SHORT
from connector.errors import AlarmNotSent, PauseReason
from connector.insight import notify
from connector.insight.alarm_watch import Watch
from connector.insight.alarms import MINUTE
from connector.insight.sending import Subscriber
from connector.settlement import ObligationState, Pause, Payment, Settlement
from connector.store import Store
from connector.store.inbox import Owed
from connector.store.tables import watches
from tests.builders import DESTINATION, LANE, an_arrival, an_odd_arrival
from tests.conftest import Clock
from tests.destinations.servers import NEVER_DONE, Behaviour, Say, drip, pour, serving, silent

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


class Folder:
    """A state folder."""

    def __init__(self) -> None:
        self.content: dict[str, dict[str, Any]] = {}

    def read(self, name: str) -> dict[str, Any] | None:
        return self.content.get(name)

    def write(self, name: str, content: Mapping[str, Any]) -> None:
        self.content[name] = json.loads(json.dumps(content))


def subscribed(
    store: Store, chat: Chat, clock: Clock, *, folder: Folder | None = None, tick: Clock | None = None, **more: Any
) -> Watch:
    ways = {"webhook": partial(notify.post, chat.url), **more.pop("ways", {})}
    agency = Subscriber("sunrise", ways, 60 * MINUTE, **more)
    return Watch(store, [agency], folder or Folder(), lambda: (tick or clock)() / 1000)


def subjects(chat: Chat) -> list[str]:
    return [text.splitlines()[0] for text in chat.said]


WRITTEN = f"[sunrise] lane paused {LANE}"
OVER = f"[sunrise] over: lane paused {LANE}"


def paused(store: Store, agency: str = "sunrise") -> None:
    destination, lane = (name.replace("sunrise", agency) for name in (DESTINATION, LANE))
    store.lanes.open({lane: destination})
    store.inbox.accept([an_arrival(agency=agency, owed=(Owed(destination, lane),))])
    lease = store.lanes.lease("worker", [lane], 60_000)
    assert lease is not None
    store.lanes.settle(lease, Settlement("", pause=Pause(3_600_000, PauseReason.AUTH, "the login is refused")), 60_000)


def told_in(store: Store) -> str:
    with store.database.reading() as connection:
        return str(connection.execute(select(watches.c.told)).scalar_one())


def forget(store: Store, told: str) -> None:
    """Let the database have what it had: an older copy, or a write that failed."""
    with store.database.transaction() as connection:
        connection.execute(update(watches).values(told=told))


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
        other = Subscriber("sunset", {"webhook": partial(notify.post, chat.url)}, MINUTE)
        Watch(store, [other], Folder(), lambda: clock() / 1000)()
        assert chat.said == []


class TestAClockThatJumps:
    def test_back_silences_no_alarm(self, store: Store, chat: Chat, clock: Clock) -> None:
        tick = Clock()
        watch = subscribed(store, chat, clock, tick=tick)
        watch()
        clock.forward(-60 * MINUTE)
        tick.forward(MINUTE)
        paused(store)
        watch()
        assert subjects(chat) == [WRITTEN]

    def test_back_does_not_keep_an_alarm_from_being_repeated(self, store: Store, chat: Chat, clock: Clock) -> None:
        tick = Clock()
        watch = subscribed(store, chat, clock, tick=tick)
        paused(store)
        watch()
        clock.forward(-60 * MINUTE)
        for _ in range(61):
            clock.forward(MINUTE)
            tick.forward(MINUTE)
            watch()
        assert subjects(chat) == [WRITTEN, WRITTEN]

    def test_ahead_repeats_none(self, store: Store, chat: Chat, clock: Clock) -> None:
        tick = Clock()
        store.inbox.accept([an_arrival(f"m{number}") for number in range(30)])
        watch = subscribed(store, chat, clock, tick=tick)
        watch()
        for _ in range(5):
            clock.forward(600 * MINUTE)
            tick.forward(MINUTE)
            watch()
        assert subjects(chat) == []


class TestEachWay:
    def test_is_remembered_by_itself(self, store: Store, chat: Chat, clock: Clock) -> None:
        mail: list[str] = []
        watch = subscribed(store, chat, clock, ways={"mail": lambda subject, _: mail.append(subject)})
        paused(store)
        chat.status = 500
        for _ in range(3):
            watch()
            clock.forward(MINUTE)
        chat.status = 200
        watch()
        assert (subjects(chat), mail) == ([WRITTEN], [WRITTEN])

    def test_that_hangs_does_not_hold_up_another_agency(self, store: Store, chat: Chat, clock: Clock) -> None:
        told: list[str] = []
        together = threading.Barrier(9, timeout=60)  # eight that hang, and one that is sent meanwhile

        def hang(say: Say, _: threading.Event) -> None:
            with suppress(threading.BrokenBarrierError):
                together.wait()
            say(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

        def mail(subject: str, _: str) -> None:
            together.wait()
            told.append(subject)

        with serving(hang) as (port, _):
            hung = partial(notify.post, f"http://127.0.0.1:{port}", limits=replace(SHORT, read=99, total=99))
            agencies = [Subscriber(f"a{number}", {"webhook": hung}, MINUTE) for number in range(8)]
            agencies.append(Subscriber("sunrise", {"mail": mail}, MINUTE))
            for agency in agencies:
                paused(store, agency.agency)
            Watch(store, agencies, Folder(), lambda: clock() / 1000)()
        assert told == [WRITTEN]


class TestWhatIsRemembered:
    @pytest.mark.slow
    @pytest.mark.parametrize("restarted", [False, True])
    def test_outlives_a_database_that_goes_away_after_sending(
        self, store: Store, chat: Chat, clock: Clock, restarted: bool
    ) -> None:
        folder = Folder()
        watch = subscribed(store, chat, clock, folder=folder)
        watch()
        before = told_in(store)
        paused(store)
        clock.forward(MINUTE)
        watch()
        forget(store, before)
        watch = subscribed(store, chat, clock, folder=folder) if restarted else watch
        for _ in range(2):
            clock.forward(MINUTE)
            watch()
        store.desk.resume(LANE, "ana")
        clock.forward(MINUTE)
        watch()
        assert subjects(chat) == [WRITTEN, OVER]

    def test_by_the_database_counts_where_another_process_has_looked_since(
        self, store: Store, chat: Chat, clock: Clock
    ) -> None:
        first, second = (subscribed(store, chat, clock) for _ in range(2))
        paused(store)
        first()
        store.desk.resume(LANE, "ana")
        for minute in range(70):
            clock.forward(MINUTE)
            first() if minute == 65 else second()
        assert subjects(chat) == [WRITTEN, OVER]

    def test_before_ways_were_told_apart_is_repeated_by_none(self, store: Store, chat: Chat, clock: Clock) -> None:
        watch = subscribed(store, chat, clock)
        watch()
        paused(store)
        forget(store, json.dumps({f"lane paused {LANE}": {"at": clock(), "on": True}}))
        clock.forward(MINUTE)
        subscribed(store, chat, clock)()
        assert subjects(chat) == []


class TestHeartbeat:
    def hearts(self, store: Store, chat: Chat, clock: Clock) -> tuple[list[int], Watch]:
        beats: list[int] = []
        return beats, subscribed(store, chat, clock, heartbeat=lambda: beats.append(clock()))

    def test_beats_each_minute_while_events_can_be_stored_and_checks_run(
        self, store: Store, chat: Chat, clock: Clock
    ) -> None:
        beats, watch = self.hearts(store, chat, clock)
        for _ in range(3):
            store.watches.receives(["sunrise"])
            watch()
            watch()
            clock.forward(MINUTE)
        assert len(beats) == 3

    def test_stops_where_no_receiver_can_write(self, store: Store, chat: Chat, clock: Clock) -> None:
        beats, watch = self.hearts(store, chat, clock)
        store.watches.receives(["sunrise"])
        for _ in range(9):
            watch()
            clock.forward(MINUTE)
        assert len(beats) == 3

    def test_needs_no_other_way(self, store: Store, clock: Clock) -> None:
        beats: list[int] = []
        store.watches.receives(["sunrise"])
        agency = Subscriber("sunrise", {}, MINUTE, heartbeat=lambda: beats.append(1))
        Watch(store, [agency], Folder(), lambda: clock() / 1000)()
        assert beats == [1]

    def test_that_is_not_accepted_is_logged_once(
        self, store: Store, chat: Chat, clock: Clock, capsys: pytest.CaptureFixture[str]
    ) -> None:
        telemetry.configure()
        with serving(drip(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n")) as (port, heard):
            address = f"http://127.0.0.1:{port}/ping/s3cret"
            watch = subscribed(store, chat, clock, heartbeat=partial(notify.ping, address))
            for _ in range(3):
                store.watches.receives(["sunrise"])
                watch()
                clock.forward(MINUTE)
        logged = capsys.readouterr().err
        assert (logged.count("heartbeat not sent"), "s3cret" in logged, len(heard)) == (1, False, 3)
        assert heard[0].startswith(b"GET /ping/s3cret HTTP/1.1\r\n")


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
