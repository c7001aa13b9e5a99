"""Servers that never come to an end, each in its own way."""

from __future__ import annotations

import gzip
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

PACE: Final = 0.02
"""Seconds between two bytes of a drip."""

FOR_EVER: Final = 150.0
"""Seconds. Whoever waited for the end of this would be much too late, and the test fails instead of hanging."""

AT_ONCE: Final = 60.0
"""Seconds after which a call has been given up whose limits are a fraction of a second, however slow the machine is."""

HEAD: Final = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
Say = Callable[[bytes], object]
Behaviour = Callable[[Say, threading.Event], None]


def drip(text: bytes) -> Behaviour:
    """Say this once, and then a byte now and then for ever."""

    def behave(say: Say, over: threading.Event) -> None:
        say(text)
        ends = time.monotonic() + FOR_EVER
        while not over.wait(PACE) and time.monotonic() < ends:
            say(b" ")

    return behave


def pour(text: bytes, piece: bytes) -> Behaviour:
    """Say this once, and then a piece again and again, as fast as it is taken."""

    def behave(say: Say, over: threading.Event) -> None:
        say(text)
        ends = time.monotonic() + FOR_EVER
        while not over.is_set() and time.monotonic() < ends:
            say(piece)

    return behave


def silent(_: Say, over: threading.Event) -> None:
    over.wait(FOR_EVER)


NEVER_DONE: Final[dict[str, Behaviour]] = {
    "silent": silent,
    "drips its status line": drip(b"HTTP/1.1 200 O"),
    "drips its headers": drip(HEAD + b"X-Long: a"),
    "drips its body": drip(HEAD + b"Content-Length: 9999\r\n\r\n["),
    "drips a body without length": drip(HEAD + b"Connection: close\r\n\r\n["),
    "drips the size of a chunk": drip(HEAD + b"Transfer-Encoding: chunked\r\n\r\n1"),
    "goes on with 100 Continue": pour(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
}
NEVER_SMALL: Final[dict[str, Behaviour]] = {
    "pours a body without length": pour(HEAD + b"Connection: close\r\n\r\n", b" " * 65_536),
    "pours a body of 200 MB": pour(HEAD + b"Content-Length: 209715200\r\n\r\n", b" " * 65_536),
    "pours chunks": pour(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + b" " * 65_536 + b"\r\n"),
    "pours zeros out of a small gzip": pour(
        HEAD + b"Content-Encoding: gzip\r\nConnection: close\r\n\r\n", gzip.compress(bytes(1 << 24))
    ),
}


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False


@contextmanager
def serving(behave: Behaviour, *, read: bool = True) -> Iterator[tuple[int, list[bytes]]]:
    """Serve on loopback: the port, and what each connection began with. read: only after that, for HTTP."""
    over, heard = threading.Event(), list[bytes]()

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):
                if read:
                    heard.append(self.request.recv(65_536))
                behave(self.request.sendall, over)

    server = _Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    port: Any = server.server_address[1]
    try:
        yield port, heard
    finally:
        over.set()
        server.shutdown()
        thread.join()
        server.server_close()
