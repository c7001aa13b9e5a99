"""Events through real proxies, configured as docs/operating.md says: each gets 204 and is stored once."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connector.running.endpoint import check_endpoint
from connector.running.findings import Health
from tests.acceptance.product import Product
from tests.builders import SECRET, a_customer, a_message_id, signed
from tests.patience import until
from tests.ports import free_port
from tests.web.proxies import HOST, Proxy, curl

MIB = 1024 * 1024
PROXIES = ("nginx", "caddy", "haproxy", "apache")
HTTP = {"1.0": ["--http1.0", "--no-alpn"], "1.1": ["--http1.1"], "2": ["--http2"]}
CHUNKED = {"Transfer-Encoding": "chunked"}
STREAMING = {"proxy_pass http": "proxy_request_buffering off; proxy_pass http"}


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    folder = tmp_path_factory.mktemp("receiver")
    product = Product(folder, f"sqlite:///{folder}/connector.db")
    product.start("receive")
    product.ready()
    yield product
    product.close()


@pytest.fixture(scope="module")
def started(receiver: Product, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Proxy]]:
    with ExitStack() as running:
        made: dict[str, Proxy] = Started(receiver, tmp_path_factory, running)
        yield made


class Started(dict[str, Proxy]):
    """The proxies, each started when it is first asked for."""

    def __init__(self, receiver: Product, folders: pytest.TempPathFactory, running: ExitStack) -> None:
        super().__init__()
        self._receiver, self._folders, self._running = receiver, folders, running

    def __missing__(self, name: str) -> Proxy:
        changed = STREAMING if name == "streaming nginx" else {}
        made = Proxy(name.rpartition(" ")[2], self._folders.mktemp("proxy"), self._receiver.port, changed)
        self[name] = self._running.enter_context(made)
        return made


def stored(receiver: Product, message_id: str = "%") -> int:
    with closing(sqlite3.connect(receiver.folder / "connector.db")) as database:
        (count,) = database.execute("SELECT count(*) FROM events WHERE message_id LIKE ?", (message_id,)).fetchone()
        return int(count)


@pytest.fixture(params=[*PROXIES, "streaming nginx"])
def proxy(request: pytest.FixtureRequest, started: dict[str, Proxy]) -> Proxy:
    return started[request.param]


class TestAnEvent:
    @pytest.mark.parametrize("http", HTTP)
    @pytest.mark.parametrize("form", ["length", "chunked"])
    def test_is_stored_once_in_every_form(self, receiver: Product, proxy: Proxy, http: str, form: str) -> None:
        if (http, form) == ("1.0", "chunked"):
            return  # HTTP/1.0 has no chunks
        message_id = a_message_id()
        body, headers = signed(a_customer(address="x" * 100_000), message_id=message_id)
        more = CHUNKED if form == "chunked" and http == "1.1" else {}
        if form == "chunked" and http == "2":
            more = {"Content-Length": ""}  # frames without a length
        status, version, answer = curl(proxy, "/hooks/sunrise", *HTTP[http], data=body, headers={**headers, **more})
        assert (status, answer) == (204, "")
        assert version == http or http == "1.0"  # which is answered with either 1.0 or 1.1
        assert stored(receiver, message_id) == 1

    def test_under_standard_webhooks_headers_passes(self, receiver: Product, proxy: Proxy) -> None:
        body, headers = signed(a_customer(), family="webhook")
        assert curl(proxy, "/hooks/sunrise", data=body, headers=headers)[0] == 204

    def test_with_large_headers_passes(self, receiver: Product, proxy: Proxy) -> None:
        body, headers = signed(a_customer())
        large = {f"X-Trace-{number}": "x" * 1_500 for number in range(4)}
        assert curl(proxy, "/hooks/sunrise", data=body, headers={**headers, **large})[0] == 204

    def test_of_four_mebibytes_passes(self, receiver: Product, proxy: Proxy) -> None:
        body, headers = signed(a_customer(address="x" * 4 * MIB))
        assert curl(proxy, "/hooks/sunrise", data=body, headers=headers)[0] == 204

    @pytest.mark.slow
    def test_after_an_idle_connection_was_closed_passes_and_the_proxy_closed_it(
        self, receiver: Product, proxy: Proxy
    ) -> None:
        """The proxy first: a connection that the connector closes may be just then sent an event, which gets 502."""
        before = connections(receiver.port, TIME_WAIT)
        for _ in range(3):
            assert curl(proxy, "/hooks/sunrise", data=(s := signed(a_customer()))[0], headers=s[1])[0] == 204
        until(lambda: connections(receiver.port, ESTABLISHED) == set())
        ours = [ends for ends in connections(receiver.port, TIME_WAIT) - before if ends[0] == receiver.port]
        assert ours == [] or proxy.name == "apache"  # which looks at the age only before it uses one again
        assert curl(proxy, "/hooks/sunrise", data=(s := signed(a_customer()))[0], headers=s[1])[0] == 204

    def test_forged_is_401_with_its_reason(self, receiver: Product, proxy: Proxy) -> None:
        body, headers = signed(a_customer())
        assert curl(proxy, "/hooks/sunrise", data=body + b" ", headers=headers)[::2] == (401, "wrong signature\n")


ESTABLISHED, TIME_WAIT = "01", "06"
"""As Linux numbers the states of a connection. Who closes first has to wait."""


def connections(port: int, state: str) -> set[tuple[int, int]]:
    """The local and the remote port of each connection in this state that has this port at an end."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    ends = [(int(line[1].split(":")[1], 16), int(line[2].split(":")[1], 16)) for line in lines if line[3] == state]
    return {both for both in ends if port in both}


class TestWhatIsRefused:
    @pytest.mark.parametrize(("http", "form"), [("1.1", {}), ("1.1", CHUNKED), ("2", {})])
    def test_a_body_of_six_mebibytes_is_413(
        self, receiver: Product, proxy: Proxy, http: str, form: dict[str, str]
    ) -> None:
        message_id = a_message_id()
        body, headers = signed(a_customer(address="x" * 6 * MIB), message_id=message_id)
        assert curl(proxy, "/hooks/sunrise", *HTTP[http], data=body, headers={**headers, **form})[0] == 413
        assert stored(receiver, message_id) == 0
        assert curl(proxy, "/hooks/sunrise", data=(s := signed(a_customer()))[0], headers=s[1])[0] == 204

    def test_a_header_with_underscores_is_none_of_the_signature(self, proxy: Proxy) -> None:
        body, headers = signed(a_customer())
        changed = {name.replace("-", "_"): value for name, value in headers.items()}
        assert curl(proxy, "/hooks/sunrise", data=body, headers=changed)[0] in (400, 401)

    @pytest.mark.parametrize("path", ["/", "/console", "/metrics", "/livez", "/hooks/nobody", "/hooks/sunrise/"])
    def test_anything_but_the_hook_is_404(self, proxy: Proxy, path: str) -> None:
        body, headers = signed(a_customer())
        assert curl(proxy, path, data=body, headers=headers)[0] == 404

    def test_a_path_is_passed_on_as_it_is(self, proxy: Proxy) -> None:
        body, headers = signed(a_customer())
        assert curl(proxy, "/hooks/sun%72ise", data=body, headers=headers)[0] == 204


class TestDoctor:
    @pytest.mark.parametrize("name", [name for name in (*PROXIES, "streaming nginx") if name != "caddy"])
    def test_finds_nothing_wrong_and_leaves_nothing_behind(
        self, receiver: Product, started: dict[str, Proxy], name: str
    ) -> None:
        """Caddy's answers to the documented name alone, which no DNS leads here."""
        own, before = started[name], stored(receiver)
        address, trusted = f"https://localhost:{own.port}/hooks/sunrise", f"{own.folder}/fullchain.pem"
        found = list(check_endpoint(address, SECRET, lambda: datetime.now(UTC), trusted))
        assert [(result.thing, result.found) for result in found if result.health is not Health.FINE] == []
        assert len(found) == 6
        assert stored(receiver) == before

    def test_says_what_to_do_where_the_limit_of_bodies_is_too_low(self, receiver: Product, tmp_path: Path) -> None:
        with Proxy("nginx", tmp_path, receiver.port, {"client_max_body_size 5m": "client_max_body_size 1m"}) as small:
            address, trusted = f"https://localhost:{small.port}/hooks/sunrise", f"{small.folder}/fullchain.pem"
            found = check_endpoint(address, SECRET, lambda: datetime.now(UTC), trusted)
            (wrong,) = [result for result in found if result.health is Health.WRONG]
        assert (wrong.found, "client_max_body_size 5m" in wrong.do) == ("answers 413", True)

    def test_says_that_the_connector_is_not_running(self, tmp_path: Path) -> None:
        with Proxy("nginx", tmp_path, free_port()) as alone:
            address, trusted = f"https://localhost:{alone.port}/hooks/sunrise", f"{alone.folder}/fullchain.pem"
            (wrong,) = check_endpoint(address, SECRET, lambda: datetime.now(UTC), trusted)
        assert (wrong.found[:11], "is the connector running?" in wrong.do) == ("answers 502", True)


class TestAFlood:
    @pytest.mark.parametrize(
        ("name", "slower"),
        [("nginx", {"50r/s": "1r/m", "burst=200": "burst=5"}), ("haproxy", {"gt 500": "gt 6", "(10s)": "(600s)"})],
    )
    def test_over_the_documented_limit_is_429(
        self, receiver: Product, tmp_path: Path, name: str, slower: dict[str, str]
    ) -> None:
        with Proxy(name, tmp_path, receiver.port, slower) as limited:
            answers = [self.post(limited) for _ in range(12)]
        assert {*answers} == {204, 429}
        assert answers == sorted(answers)

    def test_within_it_is_stored_once_each(self, receiver: Product, proxy: Proxy) -> None:
        ids = [a_message_id() for _ in range(40)]
        with ThreadPoolExecutor(8) as senders:
            assert {*senders.map(lambda own: self.post(proxy, own), ids)} == {204}
        assert [stored(receiver, own) for own in ids] == [1] * len(ids)

    @staticmethod
    def post(proxy: Proxy, message_id: str = "") -> int:
        body, headers = signed(a_customer(), message_id=message_id or a_message_id())
        return curl(proxy, "/hooks/sunrise", data=body, headers=headers)[0]


def test_the_documented_host_is_the_same_everywhere() -> None:
    assert HOST == "connector.your-agency.example"
