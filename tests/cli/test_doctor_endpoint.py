"""What doctor says of the public address: of a sound one, and of each way in which a proxy breaks it."""

from __future__ import annotations

import http.server
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from connector.carecycle.probe import is_probe, probe
from connector.running.endpoint import check_endpoint
from connector.running.findings import Finding, Health
from connector.store import open_store
from tests.builders import DATA_KEY, SECRET, a_customer
from tests.web.proxies import certificate
from tests.web.test_hooks import Served

Answer = tuple[int, dict[str, str], bytes]
KINDS = ("signed", "chunked", "8 KiB of headers", "body near 5 MiB", "one connection reused")


@pytest.fixture
def hook(sqlite_ready: str) -> Iterator[Served]:
    store = open_store(sqlite_ready, {"CONNECTOR_DATA_KEY": DATA_KEY})
    served = Served(store)
    yield served
    served.stop()
    store.close()


def found(
    url: str, secret: str = SECRET, at: Callable[[], datetime] = lambda: datetime.now(UTC), trusted: str | None = None
) -> dict[str, Finding]:
    address = f"{url.removesuffix('/hooks/sunrise')}/hooks/sunrise"
    kinds = {f"{address}: {kind}": kind for kind in KINDS}
    return {kinds.get(own.thing, ""): own for own in check_endpoint(address, secret, at, trusted)}


class Between(http.server.BaseHTTPRequestHandler):
    """A proxy that passes requests on, but for what a test breaks."""

    protocol_version = "HTTP/1.1"
    upstream = ""

    def do_POST(self) -> None:
        chunked = "chunked" in self.headers.get("Transfer-Encoding", "")
        body = self._chunks() if chunked else self.rfile.read(int(self.headers.get("Content-Length", 0)))
        status, headers, content = self.answer(dict(self.headers), body, chunked=chunked)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _chunks(self) -> bytes:
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def answer(self, headers: dict[str, str], body: bytes, *, chunked: bool) -> Answer:
        return self.passed_on(headers, body)

    def passed_on(self, headers: dict[str, str], body: bytes) -> Answer:
        kept = {name: value for name, value in headers.items() if name.lower().startswith("svix-")}
        got = requests.post(self.upstream, data=body, headers=kept, timeout=100)
        return got.status_code, {}, got.content

    def log_message(self, *_: Any) -> None:
        """Nothing."""


@contextmanager
def between(hook: Served, handler: type[Between], tls: Path | None = None) -> Iterator[str]:
    handler.upstream = hook.url
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    if tls:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(tls / "fullchain.pem", tls / "privkey.pem")
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http{'s' if tls else ''}://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


class TestASoundAddress:
    def test_accepts_one_of_each_and_keeps_none(self, hook: Served) -> None:
        results = found(hook.url)
        assert {kind: (own.health, own.found) for kind, own in results.items()} == {
            "": (Health.FINE, "reached; unsigned messages are rejected"),
            **dict.fromkeys(KINDS, (Health.FINE, "accepted, and not kept")),
        }
        assert hook.deliveries() == []

    def test_still_keeps_events_afterwards(self, hook: Served) -> None:
        found(hook.url)
        assert hook.post(a_customer()).status_code == 204
        assert len(hook.deliveries()) == 2  # one for each destination

    def test_is_said_to_have_another_secret(self, hook: Served) -> None:
        signed = found(hook.url, "whsec_c29tZWJvZHkgZWxzZXMgc2VjcmV0")["signed"]
        assert (signed.health, "first secret is not the receiver's" in signed.found) == (Health.WRONG, True)

    def test_is_said_to_have_another_clock(self, hook: Served) -> None:
        signed = found(hook.url, at=lambda: datetime.now(UTC) - timedelta(hours=1))["signed"]
        assert (signed.found, "NTP" in signed.do) == ("answers 401: stale timestamp", True)

    def test_is_not_asked_with_what_is_no_secret(self, hook: Served) -> None:
        assert found(hook.url, "whsec_?")["signed"].found == "the agency file's first secret is none"


@pytest.mark.parametrize(
    "body", [probe()[:-2], probe() + b"x", probe(100).replace(b"sent", b"said"), probe()[:-2] + b', "a": 1}']
)
def test_nor_is_what_only_begins_as_one(body: bytes) -> None:
    assert not is_probe(body)


def test_nothing_of_carecycle_is_taken_for_a_probe() -> None:
    assert [is_probe(body) for body in (probe(), probe(9_000), b"{}", b'{"event_type":"customer.created"}')] == [
        True, True, False, False,
    ]  # fmt: skip


class TestAProxyThat:
    def said(self, hook: Served, handler: type[Between], kind: str) -> tuple[str, str]:
        with between(hook, handler) as url:
            own = found(url)[kind]
        assert own.health is Health.WRONG
        return own.found, own.do

    def test_passes_everything_on_is_fine(self, hook: Served) -> None:
        with between(hook, Between) as url:
            assert {own.health for own in found(url).values()} == {Health.FINE}

    def test_drops_the_bodies_of_chunks_gets_a_way_out(self, hook: Served) -> None:
        class Streaming(Between):
            def answer(self, headers: dict[str, str], body: bytes, *, chunked: bool) -> Answer:
                return self.passed_on(headers, b"" if chunked else body)

        assert "proxy_request_buffering on" in self.said(hook, Streaming, "chunked")[1]

    def test_wants_a_length_is_named(self, hook: Served) -> None:
        class Strict(Between):
            def answer(self, headers: dict[str, str], body: bytes, *, chunked: bool) -> Answer:
                return (411, {}, b"") if chunked else self.passed_on(headers, body)

        assert self.said(hook, Strict, "chunked")[0] == "answers 411"

    def test_removes_headers_is_named(self, hook: Served) -> None:
        class Removing(Between):
            def answer(self, headers: dict[str, str], body: bytes, *, chunked: bool) -> Answer:
                return self.passed_on({}, body)

        found, do = self.said(hook, Removing, "signed")
        assert (found, "removes the signature headers" in do) == ("answers 401: signature headers missing", True)

    def test_changes_the_body_is_named(self, hook: Served) -> None:
        class Rewriting(Between):
            def answer(self, headers: dict[str, str], body: bytes, *, chunked: bool) -> Answer:
                return self.passed_on(headers, body.replace(b",", b", "))

        found, do = self.said(hook, Rewriting, "signed")
        assert ("changed on the way" in found, "byte by byte" in do) == (True, True)

    def test_has_no_room_for_headers_or_bodies_is_named(self, hook: Served) -> None:
        class Small(Between):
            def answer(self, headers: dict[str, str], body: bytes, *, chunked: bool) -> Answer:
                if len(str(headers)) > 4_000:
                    return 431, {}, b""
                return (413, {}, b"") if len(body) > 2**20 else self.passed_on(headers, body)

        assert "large_client_header_buffers" in self.said(hook, Small, "8 KiB of headers")[1]
        assert "client_max_body_size 5m" in self.said(hook, Small, "body near 5 MiB")[1]

    @pytest.mark.parametrize(
        ("status", "headers", "way_out"),
        [
            (301, {"Location": "https://connector.your-agency.example/hooks/sunrise"}, "follows no redirect (to https://con"),
            (308, {"Location": "/hooks/sunrise/"}, "follows no redirect: "),
            (502, {}, "is the connector running?"),
            (504, {}, "in time"),
            (429, {}, "rate limit"),
            (403, {}, "firewall"),
        ],
    )  # fmt: skip
    def test_answers_by_itself_is_named(self, hook: Served, status: int, headers: dict[str, str], way_out: str) -> None:
        class Own(Between):
            def answer(self, *_: object, **__: object) -> Answer:
                return status, headers, b""

        with between(hook, Own) as url:
            results = found(url)
        assert list(results) == [""]
        assert (f"answers {status}" in results[""].found, way_out in results[""].do) == (True, True)

    def test_serves_another_sites_certificate_is_named(self, hook: Served, tmp_path: Path) -> None:
        certificate(tmp_path)
        own = str(tmp_path / "fullchain.pem")
        with between(hook, Between, tmp_path) as url:
            assert "self-signed certificate" in found(url)[""].found
            assert "IP address mismatch" in found(url, trusted=own)[""].found
            right = found(url.replace("127.0.0.1", "localhost"), trusted=own)
            assert {result.health for result in right.values()} == {Health.FINE}

    @pytest.mark.slow
    def test_takes_longer_than_carecycle_waits_is_named(self, hook: Served) -> None:
        go_on = threading.Event()

        class Slow(Between):
            def answer(self, headers: dict[str, str], body: bytes, *, chunked: bool) -> Answer:
                go_on.wait(100)
                return 204, {}, b""

        with between(hook, Slow) as url:
            problem = found(url)[""]
            go_on.set()
        assert (problem.health, "cannot be reached" in problem.found) == (Health.WRONG, True)
