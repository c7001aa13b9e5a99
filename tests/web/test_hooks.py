"""The door over real HTTP: what is answered, and that nothing is answered before it is on disk."""

from __future__ import annotations

import json
import resource
import socket
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import ExitStack, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from flask import Response
from prometheus_client import REGISTRY
from sqlalchemy import event

from connector.carecycle.catalogue import FIELDS, steps
from connector.carecycle.signature import Verifier
from connector.receive import Agency
from connector.store.writer import Keeper, Writer
from connector.web.health import create_admin
from connector.web.hooks import create_hooks
from tests.builders import NOBODYS, SECRET, a_call, a_customer, a_message_id, signed
from tests.patience import PATIENCE, until
from tests.web.served import CROWD, OLD_SECRET, Served, shown_out


class TestAGenuineMessage:
    def test_is_kept_for_every_destination_and_answered_204(self, hook: Served) -> None:
        assert hook.post(a_customer()).status_code == 204
        assert {row.destination for row in hook.deliveries()} == {"sunrise/salesforce", "sunrise/hubspot"}

    def test_may_carry_standard_webhooks_headers(self, hook: Served) -> None:
        assert hook.post(a_customer(), family="webhook").status_code == 204

    def test_may_be_signed_with_any_of_the_secrets(self, hook: Served) -> None:
        assert hook.post(a_customer(), secret=OLD_SECRET).status_code == 204

    def test_sent_twice_is_answered_204_twice_and_kept_once(self, hook: Served) -> None:
        assert [hook.post(a_customer(), message_id="one").status_code for _ in range(2)] == [204, 204]
        assert len(hook.deliveries()) == 2  # one for each destination

    def test_that_raises_an_opt_out_goes_first(self, hook: Served) -> None:
        hook.post(a_customer(doNotCall=True), message_id="opt-out")
        hook.post(a_customer(), message_id="plain")
        assert {row.message_id: row.priority for row in hook.deliveries()} == {"opt-out": 1, "plain": 0}

    def test_with_odd_fields_is_delivered_and_they_are_counted(self, hook: Served) -> None:
        labels = {"agency": "sunrise", "field": "customer.subsidyAmount", "used": "no"}
        before = REGISTRY.get_sample_value("connector_odd_fields_total", labels) or 0.0
        for _ in range(2):
            assert hook.post(a_customer(subsidyAmount=148.5), message_id="odd").status_code == 204
        assert REGISTRY.get_sample_value("connector_odd_fields_total", labels) == before + 1
        assert {row.state for row in hook.deliveries()} == {"ready"}

    def test_of_a_type_we_do_not_know_is_kept_and_ignored(self, hook: Served) -> None:
        assert hook.post({"event_type": "customer.deleted", "id": "x"}).status_code == 204
        assert {row.state for row in hook.deliveries()} == {"ignored"}

    def test_with_fields_we_do_not_know_is_an_ordinary_one(self, hook: Served) -> None:
        assert hook.post(a_customer(loyaltyTier="gold")).status_code == 204
        assert {row.state for row in hook.deliveries()} == {"ready"}

    def test_of_a_call_linked_to_nobody_is_kept(self, hook: Served) -> None:
        assert hook.post(a_call(None)).status_code == 204
        assert {row.state for row in hook.deliveries()} == {"ready"}


class TestAForgedMessage:
    @pytest.mark.parametrize(
        ("reason", "change"),
        [
            ("signature headers missing", {"svix-signature": None}),
            ("signature headers missing", {"svix-id": None}),
            ("malformed headers", {"svix-timestamp": "yesterday"}),
            ("no v1 signature", {"svix-signature": "v1"}),
            ("no v1 signature", {"svix-signature": "v1,a"}),
            ("no v1 signature", {"svix-signature": "v1,=="}),
            ("malformed headers", {"svix-id": "x" * 300}),
            ("no v1 signature", {"svix-signature": "v2,AAAA"}),
            ("wrong signature", {"svix-signature": NOBODYS}),
            ("wrong signature", {"svix-id": "another"}),
        ],
    )
    def test_is_401_with_a_short_reason(self, hook: Served, reason: str, change: dict[str, str | None]) -> None:
        body, headers = signed(a_customer())
        sent = {name: value for name, value in {**headers, **change}.items() if value is not None}
        answer = requests.post(hook.url, data=body, headers=sent, timeout=PATIENCE)
        assert (answer.status_code, answer.text.strip()) == (401, reason)
        assert hook.deliveries() == []

    @pytest.mark.parametrize(("minutes", "reason"), [(-6, "stale timestamp"), (6, "timestamp in the future")])
    def test_five_minutes_off_is_401(self, hook: Served, minutes: int, reason: str) -> None:
        answer = hook.post(a_customer(), at=datetime.now(UTC) + timedelta(minutes=minutes))
        assert (answer.status_code, answer.text.strip()) == (401, reason)

    def test_signed_by_somebody_else_is_401(self, hook: Served) -> None:
        assert hook.post(a_customer(), secret="whsec_c29tZWJvZHkgZWxzZXMgc2VjcmV0").status_code == 401

    def test_with_a_body_that_is_not_utf8_is_401(self, hook: Served) -> None:
        answer = hook.post(b"\xff\xfe{}")
        assert (answer.status_code, answer.text.strip()) == (401, "body is not UTF-8")

    def test_changed_by_one_byte_is_401(self, hook: Served) -> None:
        body, headers = signed(a_customer())
        assert requests.post(hook.url, data=body + b" ", headers=headers, timeout=PATIENCE).status_code == 401


class TestARequestThatIsNoMessage:
    def test_to_an_unknown_agency_is_404(self, hook: Served) -> None:
        body, headers = signed(a_customer())
        assert requests.post(hook.url + "x", data=body, headers=headers, timeout=PATIENCE).status_code == 404

    def test_of_six_megabytes_is_413(self, hook: Served) -> None:
        body, headers = signed(a_customer(address="x" * 6 * 1024 * 1024))
        assert requests.post(hook.url, data=body, headers=headers, timeout=PATIENCE).status_code == 413

    def test_of_six_megabytes_without_a_length_is_413(self, hook: Served) -> None:
        body, headers = signed(a_customer(address="x" * 6 * 1024 * 1024))
        chunks = (body[start : start + 65536] for start in range(0, len(body), 65536))
        assert requests.post(hook.url, data=chunks, headers=headers, timeout=PATIENCE).status_code == 413

    def test_with_get_is_405(self, hook: Served) -> None:
        assert requests.get(hook.url, timeout=PATIENCE).status_code == 405


class TestACrowd:
    @pytest.fixture(autouse=True)
    def _sockets(self) -> Iterator[None]:
        """Both ends of every connection are this process's."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 8_192)), hard))
        yield
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    @pytest.mark.parametrize("begun", [b"", b"POST /hooks/sunrise HTTP/1.1\r\nHost: x\r\nsvix-"], ids=["idle", "slow"])
    def test_of_many_connections_stops_nobody(self, hook: Served, begun: bytes) -> None:
        stalled = [socket.create_connection(("127.0.0.1", hook.door.port)) for _ in range(CROWD)]
        for connection in stalled:
            connection.sendall(begun)
        assert hook.post(a_customer()).status_code == 204
        assert shown_out(stalled) == []
        for connection in stalled:
            connection.close()

    @pytest.mark.slow
    @pytest.mark.parametrize("begun", [b"", b"POST /hooks/sunrise HTTP/1.1\r\nHost: x\r\nsvix-"], ids=["idle", "slow"])
    def test_of_connections_that_say_nothing_is_shown_out(self, hasty: Served, begun: bytes) -> None:
        stalled = [socket.create_connection(("127.0.0.1", hasty.door.port), timeout=PATIENCE) for _ in range(CROWD)]
        for connection in stalled:
            with suppress(OSError):  # on a slow machine it is shown out before
                connection.sendall(begun)
        for connection in stalled:
            with suppress(ConnectionResetError):
                assert connection.recv(100) in (b"", b"HTTP/1.1 408 Request Timeout")
            connection.close()
        until(lambda: hasty.post(a_customer()).status_code == 204)

    def test_of_more_requests_than_may_wait_is_answered_503(self, hook: Served) -> None:
        hook.door.limits = replace(hook.door.limits, waiting=0)
        answer = hook.post(a_customer())
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
        hook.door.limits = replace(hook.door.limits, waiting=1)
        assert hook.post(a_customer()).status_code == 204


class TestAGenuineMessageThatCannotBeRead:
    @pytest.mark.parametrize(
        ("body", "reason"),
        [
            (b"not json", "the body is not JSON"),
            (b"[1]", "the body is not a JSON object"),
            (b'"text"', "the body is not a JSON object"),
            (b"[" * 100_000, "the body is not JSON"),
            (b'{"id": "x"}', "event_type is missing or malformed"),
            (b'{"event_type": 7}', "event_type is missing or malformed"),
        ],
    )
    def test_is_parked_with_its_reason_and_answered_204(self, hook: Served, body: bytes, reason: str) -> None:
        assert hook.post(body).status_code == 204
        assert {(row.state, row.reason) for row in hook.deliveries()} == {("dead", reason)}

    def test_for_want_of_its_id_is_parked(self, hook: Served) -> None:
        hook.post(a_customer(id=None))
        assert {row.reason for row in hook.deliveries()} == {"customer.id is missing or not an id"}

    def test_is_not_one_with_a_field_of_the_wrong_type(self, hook: Served) -> None:
        for path in FIELDS.keys() - {"event.type", "customer", "customer.id", "call.id"}:
            message_id = a_message_id()
            assert hook.post(with_a_list_at(path), message_id=message_id).status_code == 204, path
            assert {row.state for row in hook.deliveries(message_id=message_id)} == {"ready"}, path


def with_a_list_at(path: str) -> Any:
    """A payload that has a list where the catalogue has this field."""
    event_type = "customer.updated" if path.startswith("customer") else "call.completed"
    payload = a_customer(assignedUser={}) if event_type == "customer.updated" else a_call(a_customer(), campaign={})
    *keys, last = steps(path, event_type)
    holder: Any = payload
    for key in keys:
        holder = holder[key]
    holder[last] = [{}]
    return payload


class TestAnAnswer:
    """What a server does that knows nothing of answers to come, and what is told of a fault of our own."""

    @staticmethod
    def asked(keep: Keeper, patience: float = PATIENCE) -> Any:
        agency = Agency("sunrise", Verifier("sunrise", [SECRET]), {"crm": 1})
        body, headers = signed(a_customer())
        app = create_hooks({"sunrise": agency}, keep, patience=patience)
        return app.test_client().post("/hooks/sunrise", data=body, headers=headers)

    def test_behind_any_server_comes_after_the_commit(self, hook: Served) -> None:
        writer = Writer(hook.store.inbox.accept)
        assert self.asked(writer).status_code == 204
        assert hook.store.desk.waiting() == 1
        writer.close()

    def test_behind_any_server_is_503_without_a_commit(self) -> None:
        assert self.asked(lambda _: Future(), patience=0.01).status_code == 503

    def test_is_500_after_a_fault_of_our_own_and_the_next_message_is_kept(self, hook: Served) -> None:
        def fault(*_: Any) -> None:
            raise ZeroDivisionError

        event.listen(hook.store.database.engine, "begin", fault)
        answer = hook.post(a_customer(), message_id="one")
        assert (answer.status_code, answer.text) == (500, "not kept, send it again\n")
        event.remove(hook.store.database.engine, "begin", fault)
        assert hook.post(a_customer(), message_id="two").status_code == 204
        assert {row.message_id for row in hook.deliveries()} == {"two"}


class TestAResponse:
    def test_is_closed_once_its_body_was_read(self, hook: Served) -> None:
        seen: list[str] = []

        def body() -> Iterator[bytes]:
            yield b"all of it"
            seen.append("read")

        @hook.door.app.get("/closing")
        def closing() -> Response:
            response = Response(body())
            response.call_on_close(lambda: seen.append("closed"))
            return response

        assert requests.get(hook.url.replace("/hooks/sunrise", "/closing"), timeout=PATIENCE).text == "all of it"
        assert seen == ["read", "closed"]


class TestADatabaseThatCannotBeWritten:
    def test_is_503_and_the_next_message_is_kept_once_it_can(self, hook: Served) -> None:
        with hook.store.database.transaction() as connection:  # holds SQLite's one write lock
            connection.exec_driver_sql("SELECT 1")
            answer = hook.post(a_customer(), message_id="one")
            assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
        assert hook.post(a_customer(), message_id="two").status_code == 204

    def test_for_want_of_disk_is_503_until_there_is_some(self, hook: Served) -> None:
        most = 0

        def limit(connection: Any, _: Any) -> None:
            connection.execute(f"PRAGMA max_page_count={most or 2**30}")  # a full disk, as SQLite itself tells it

        event.listen(hook.store.database.engine, "connect", limit)
        with hook.store.database.reading() as connection:
            most = connection.exec_driver_sql("PRAGMA page_count").scalar_one() + 8
        hook.store.database.engine.dispose()
        answers = [hook.post(a_customer(), message_id=f"m{n}").status_code for n in range(40)]
        assert answers == sorted(answers)
        assert {*answers} == {204, 503}
        assert hook.store.desk.waiting() == 2 * answers.count(204)
        most = 0
        hook.store.database.engine.dispose()
        assert [hook.post(a_customer(), message_id=f"m{n}").status_code for n in range(40)] == [204] * 40

    @pytest.mark.slow
    def test_for_want_of_a_free_connection_is_503_until_there_is_one(self, hook: Served) -> None:
        with ExitStack() as holding:
            for _ in range(16):
                holding.enter_context(hook.store.database.reading())
            assert hook.post(a_customer()).status_code == 503
        assert hook.post(a_customer()).status_code == 204

    def test_is_told_by_readyz(self, hook: Served) -> None:
        client = create_admin(hook.store).test_client()
        until(lambda: client.get("/readyz").status_code == 200)
        hook.store.database.engine.dispose()
        until(lambda: json.loads(client.get("/readyz").data) == {"ready": True, "database": "ok"})
