"""The receiver's own process under whatever anybody may send it: over a raw socket, in HTTP, and signed.

CONNECTOR_DOOR says how much: quick (the default), ci, nightly.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import re
import socket
import sqlite3
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from connector.carecycle.catalogue import FIELDS
from connector.store import Store, open_store
from connector.store.desk import Filter
from tests.acceptance.product import Product
from tests.builders import a_call, a_customer, a_message_id, signed
from tests.web.shapes import CANARY, Shape, a_shape

INPUTS: Final = {"quick": 300, "ci": 5_000, "nightly": 100_000}[os.environ.get("CONNECTOR_DOOR", "quick")]
GROWTH: Final = 128 * 1024
"""KiB the process may grow by under all of it: what it took to grow warm, and nothing that grows with the inputs."""
FUZZ = settings(
    max_examples=INPUTS // 6,  # half of all inputs are made by structure
    deadline=None,
    database=None,
    derandomize="CONNECTOR_DOOR" not in os.environ,  # the same inputs every day; the longer profiles look further
    suppress_health_check=list(HealthCheck),
    phases=(Phase.generate, Phase.target),  # shrinking would mean to send all of it again
)

_HEADERS: Final = (
    "svix-id svix-timestamp svix-signature webhook-id webhook-timestamp webhook-signature content-type"
    " content-encoding expect x-forwarded-for cookie accept if-match range"
)
_PIECES: Final = [
    b"POST /hooks/sunrise HTTP/1.1\r\n",
    b"POST /hooks/sunrise HTTP/1.1\r\nHost: x\r\n",
    b"POST /hooks/sunrise HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello",
    b"POST /hooks/sunrise HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"POST http://[::1 HTTP/1.1\r\n",
    b"POST /%ff%00 HTTP/1.1\r\n",
    b"GET / HTTP/1.0\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"Host: x\r\n",
    b"Content-Length: 5\r\n",
    b"Content-Length: -1\r\n",
    b"Content-Length: 99999999999999999999\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Expect: 100-continue\r\n",
    b"Upgrade: websocket\r\nConnection: Upgrade\r\n",
    b"5\r\nhello\r\n",
    b"0\r\n\r\n",
    b"FFFFFFFFFFFFFFFF\r\n",
    b"\x16\x03\x01",
    b"\r\n",
]
words = st.text(st.characters(exclude_characters="\r\n\0", max_codepoint=255), max_size=60)
headers = st.dictionaries(
    st.sampled_from(_HEADERS.split()) | st.from_regex(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,30}", fullmatch=True),
    words | st.from_regex(r"v1,[A-Za-z0-9+/=]{0,60}", fullmatch=True) | st.integers().map(str),
    max_size=8,
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
names = st.sampled_from(sorted({part for path in FIELDS for part in path.split(".")} | {"event_type"}))
changed = st.builds(
    lambda make, changes: make(**changes),
    st.sampled_from([a_customer, lambda **changes: {**a_call(a_customer(**changes)), **changes}]),
    st.dictionaries(names, values | st.sampled_from(["customer.created", "call.completed", "2026-02-30T99:00:00Z"])),
)
bodies = (
    st.binary(max_size=400)
    | values.map(lambda value: json.dumps(value).encode())
    | changed.map(lambda payload: json.dumps(payload).encode())
    | changed.map(lambda payload: json.dumps(payload, ensure_ascii=False).encode("utf-8", "surrogatepass"))
    | st.integers(1, 3000).map(lambda depth: b"[" * depth)
    | st.integers(1, 3000).map(lambda depth: b'{"a":' * depth + b"1" + b"}" * depth)
    | st.builds(lambda body, cut: json.dumps(body).encode()[:cut], changed, st.integers(0, 300))
)
messages = st.lists(
    st.binary(max_size=60) | st.sampled_from(_PIECES),
    max_size=8,
).map(b"".join)


def is_text(body: bytes) -> bool:
    """Whether it can have been signed."""
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


pytestmark = pytest.mark.xdist_group("receiver")


class Receiver:
    """`connector receive` as a process, its inbox, and a connection that is kept."""

    def __init__(self, folder: Path) -> None:
        self.product = Product(folder, f"sqlite:///{folder}/connector.db")
        self.product.start("receive")
        self.product.ready()
        self.rows = sqlite3.connect(f"file:{folder}/connector.db?mode=ro", uri=True)
        self.store: Store = open_store(f"sqlite:///{folder}/connector.db", self.product.environment)
        self.kept = http.client.HTTPConnection("127.0.0.1", self.product.port, timeout=60)
        for _ in range(20):
            self.send("/hooks/sunrise", b"{}", {})  # what it takes to grow warm
        self.rss = self.memory()

    def send(self, path: str, body: bytes, told: dict[str, str]) -> int:
        try:
            self.kept.request("POST", path, body, {name: value.encode("latin-1") for name, value in told.items()})
            answer = self.kept.getresponse()
            answer.read()
        except (http.client.HTTPException, OSError):  # it hung up, as it may on what is no HTTP
            self.kept.close()
            return 0
        return answer.status

    def throw(self, said: bytes) -> list[int]:
        """Send bytes and nothing more; every status answered."""
        with socket.create_connection(("127.0.0.1", self.product.port), timeout=60) as wire:
            try:
                wire.sendall(said)
                wire.shutdown(socket.SHUT_WR)
                heard = b"".join(iter(lambda: wire.recv(65536), b""))
            except OSError:  # it hung up before all was said
                return []
        return [int(status) for status in re.findall(rb"^HTTP/1\.[01] (\d{3})", heard, re.M)]

    def exchange(self, said: bytes, *, is_open: bool) -> list[int]:
        """Send it, end the connection where its end is not said, and return every status."""
        with socket.create_connection(("127.0.0.1", self.product.port), timeout=60) as wire:
            heard = b""
            try:
                wire.sendall(said)
                if is_open:
                    wire.shutdown(socket.SHUT_WR)
                while part := wire.recv(65536):
                    heard += part
            except OSError:  # it hung up before all was said
                pass
        return [int(status) for status in re.findall(rb"^HTTP/1\.[01] (\d{3})", heard, re.M)]

    def stored(self, message_id: str) -> int:
        """How many events are on disk whose IDs begin with this."""
        asked = "SELECT count(*) FROM events WHERE agency = 'sunrise' AND message_id >= ? AND message_id < ?"
        return int(self.rows.execute(asked, (message_id, f"{message_id}\x7f")).fetchone()[0])

    def memory(self) -> int:
        """Resident KiB of the process."""
        assert self.product.process is not None
        told = Path(f"/proc/{self.product.process.pid}/status").read_text()
        return int(re.findall(r"^VmRSS:\s+(\d+)", told, re.M)[0])

    def lives(self) -> bool:
        return self.product.process is not None and self.product.process.poll() is None

    def close(self) -> None:
        self.kept.close()
        self.rows.close()
        self.store.close()
        self.product.close()


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    receiver = Receiver(tmp_path_factory.mktemp("receiver"))
    yield receiver
    receiver.close()


def stood(receiver: Receiver) -> bool:
    """Whether the process is well after all of it."""
    body, told = signed(a_customer())
    receiver.kept.close()  # it may have been idle for too long
    grown = receiver.memory() - receiver.rss
    assert grown < GROWTH, f"{grown} KiB more than at first"
    return receiver.lives() and receiver.send("/hooks/sunrise", body, told) == 204


class TestTheDoorStands:
    @pytest.mark.slow
    def test_under_any_bytes_on_its_socket(self, receiver: Receiver) -> None:
        heard: Counter[int] = Counter()

        @FUZZ
        @given(messages)
        def throw(said: bytes) -> None:
            answered = receiver.throw(said)
            heard.update(answered)
            assert [status for status in answered if status >= 500] == []

        throw()
        assert heard[400] > INPUTS // 60, heard
        assert stood(receiver)

    def test_under_any_headers_and_body(self, receiver: Receiver) -> None:
        heard: Counter[int] = Counter()

        @FUZZ
        @given(
            st.sampled_from(["/hooks/sunrise", "/hooks/x", "/", "/hooks/%00", "/hooks/sunrise?a=%zz"]), bodies, headers
        )
        def send(path: str, body: bytes, told: dict[str, str]) -> None:
            status = receiver.send(path, body, told)
            heard[status] += 1
            assert status < 500
            assert status != 204

        send()
        assert heard[401] > INPUTS // 60, heard
        assert stood(receiver)

    def test_under_any_signed_body_and_keeps_all_it_acknowledges(self, receiver: Receiver) -> None:
        heard: Counter[int] = Counter()

        @FUZZ
        @given(bodies)
        def sign(body: bytes) -> None:
            message_id = f"fuzz_{a_message_id()}"
            body, told = signed(body, message_id=message_id)
            status = receiver.send("/hooks/sunrise", body, told)
            heard[status] += 1
            assert status in (204, 401)  # 401: what is not UTF-8 cannot be signed
            kept = receiver.store.desk.deliveries(Filter(message_id=message_id))
            assert len(kept) == (2 if status == 204 else 0)

        sign()
        assert heard[204] > INPUTS // 20, heard
        assert stood(receiver)


class TestRequestsMadeByStructure:
    def test_are_on_disk_if_and_only_if_they_were_acknowledged(self, receiver: Receiver) -> None:
        """A good one is acknowledged; no other answer than what the README lists; no value in a log; little memory."""
        rng = random.Random("CONNECTOR_DOOR" not in os.environ or None)  # the same every day, others at length
        heard: Counter[int] = Counter()
        logged = receiver.product.log.stat().st_size
        for number in range(INPUTS // 2):
            shapes = self.some(rng, number)
            statuses = receiver.exchange(b"".join(shape.said for shape in shapes), is_open=shapes[-1].is_open)
            heard.update(statuses)
            self.check(shapes, statuses, [receiver.stored(shape.message_id) for shape in shapes])
            if number % 200 == 0:
                assert receiver.memory() - receiver.rss < GROWTH
        print(dict(heard))
        assert CANARY.encode() not in receiver.product.log.read_bytes()[logged:]
        assert heard[204] > INPUTS // 20, heard
        assert stood(receiver)

    @staticmethod
    def some(rng: random.Random, number: int) -> list[Shape]:
        """Requests of one connection: whatever follows one that is not good may be taken for its body."""
        count = rng.choice((1, 1, 1, 2, 3))
        shapes = [a_shape(rng, f"shape_{number}_{n}", last=n == count - 1) for n in range(count)]
        good = next((n for n, shape in enumerate(shapes) if not shape.is_good), count - 1)
        return shapes[: good + 1]

    @staticmethod
    def check(shapes: list[Shape], statuses: list[int], stored: list[int]) -> None:
        said = [(shape.said, shape.is_good) for shape in shapes], statuses, stored
        assert {*statuses} <= {100, 204, 400, 401, 404, 405, 408, 411, 413, 414, 417, 431, 501, 505}, said
        if not shapes[-1].is_open:
            assert statuses.count(204) == sum(stored), said
        assert statuses.count(204) <= sum(stored), said
        if shapes[-1].is_open:  # the connection was ended in the middle: what came before may not be read any more
            return
        for shape, rows in zip(shapes, stored, strict=True):
            assert rows == is_text(shape.body) or not shape.is_good, said
            if b"ransfer-Encoding" in shape.said:  # after chunks the connection is closed
                break

    def test_are_good_more_often_than_not(self) -> None:
        rng = random.Random(1)
        good = sum(a_shape(rng, "m", last=True).is_good for _ in range(1_000))
        assert 200 < good < 800


class TestTheHarness:
    @pytest.mark.slow
    def test_can_tell_a_door_that_answers_503(self, receiver: Receiver) -> None:
        receiver.kept.close()  # it may have been idle for too long
        with receiver.store.database.transaction():  # nobody else can write meanwhile
            body, told = signed(a_customer())
            assert receiver.send("/hooks/sunrise", body, told) == 503
        assert stood(receiver)
