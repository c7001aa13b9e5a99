"""The receiver's own process under half-sent bodies: what it grows by, and what honest senders get meanwhile."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final

import pytest

from tests.acceptance.product import Product
from tests.builders import a_customer, signed
from tests.patience import PATIENCE
from tests.web.served import head

pytestmark = pytest.mark.xdist_group("receiver")

SENDERS: Final = 64
SIZE: Final = 5 * 1024 * 1024
PART: Final = b"x" * 65536
GROWTH: Final = 50 * 1024
"""KiB."""


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    folder = tmp_path_factory.mktemp("half-sent")
    product = Product(folder, f"sqlite:///{folder}/connector.db")
    product.start("receive")
    product.ready()
    for _ in range(20):
        assert product.post(a_customer()) == 204  # what it takes to grow warm
    assert product.post(a_customer(address="x" * 4_000_000)) == 204
    yield product
    product.close()


class Memory:
    """What the process grows by at most, in KiB."""

    def __init__(self, receiver: Product) -> None:
        assert receiver.process is not None
        self._of = Path(f"/proc/{receiver.process.pid}")
        (self._of / "clear_refs").write_text("5")  # the peak begins again
        self._before = self._read("VmRSS")

    def growth(self) -> int:
        return self._read("VmHWM") - self._before

    def _read(self, name: str) -> int:
        return int(re.findall(rf"^{name}:\s+(\d+)", (self._of / "status").read_text(), re.M)[0])


def with_length(headers: dict[str, str]) -> Iterator[bytes]:
    yield head(headers, f"Content-Length: {SIZE}")
    yield from [PART] * (SIZE // len(PART) - 1)


def in_chunks(headers: dict[str, str]) -> Iterator[bytes]:
    yield head(headers, "Transfer-Encoding: chunked")
    yield from [b"10000\r\n" + PART + b"\r\n"] * (SIZE // len(PART) - 1)


def send(wire: socket.socket, said: Iterator[bytes]) -> None:
    with suppress(OSError):  # it may be shown out meanwhile
        for part in said:
            wire.sendall(part)


class TestSixtyFourBodiesOfFiveMegabytes:
    @pytest.mark.parametrize("framed", [with_length, in_chunks])
    @pytest.mark.parametrize("looks_good", [True, False], ids=["signed", "unsigned"])
    def test_that_never_end_take_little_memory_and_stop_no_honest_event(
        self, receiver: Product, framed: Callable[[dict[str, str]], Iterator[bytes]], looks_good: bool
    ) -> None:
        memory = Memory(receiver)
        with ExitStack() as opened, ThreadPoolExecutor(SENDERS) as senders:
            wires = [
                opened.enter_context(socket.create_connection(("127.0.0.1", receiver.port), timeout=PATIENCE))
                for _ in range(SENDERS)
            ]
            sending = [
                senders.submit(send, wire, framed(signed(a_customer())[1] if looks_good else {})) for wire in wires
            ]
            answers = [receiver.post(a_customer(address="x" * 30_000)) for _ in range(10)]
            while not all(sent.done() for sent in sending):
                answers.append(receiver.post(a_customer()))
            # A large one finds room as well, once the others have been arriving for a second: till then it gets a 503.
            receiver.until(lambda: receiver.post(a_customer(address="x" * 1_000_000)) == 204)
        assert {*answers} == {204}
        assert memory.growth() < GROWTH
