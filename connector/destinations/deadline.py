"""Total deadlines: an exchange with a server ends in time and fits in memory, whatever the server sends.

The timeouts of requests, urllib3 and smtplib are for one operation of a socket, so that a server which sends a byte now
and then would keep its caller for ever. Here each exchange has a thread, whose socket is cut when its time is over.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Final, TypeVar

import requests
from requests.adapters import HTTPAdapter
from urllib3 import BaseHTTPResponse, HTTPConnectionPool, HTTPHeaderDict, HTTPResponse, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import DecodeError, ProtocolError, ReadTimeoutError

from connector.destinations import outgoing
from connector.destinations.overheard import Exchange, is_listened, overheard

Result = TypeVar("Result")

_PIECE: Final = 1 << 16
_ORDINARY: Final = 1 << 20
"""Bytes of a reply up to which any number are received at a time."""

_LARGE: Final = threading.BoundedSemaphore(2)
"""Held while a larger reply is received: those of many lanes would not fit in memory together."""

_OF_THE_TRANSFER: Final = ("content-encoding", "content-length", "transfer-encoding")


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds to connect, between two bytes, and for all of an exchange; and bytes of its decoded reply."""

    connect: float
    read: float
    total: float
    size: int


SHORT: Final = Limits(connect=10.0, read=10.0, total=20.0, size=1 << 20)
"""For exchanges whose reply is a few lines."""


class TooLong(TimeoutError):
    """An exchange was cut off when its time was over."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"no complete answer within {seconds:g} s")


class TooLarge(OSError):
    """A reply is larger than any that is expected."""

    def __init__(self, size: int) -> None:
        super().__init__(f"the answer is larger than {size:,} bytes")


def broken_limit(error: BaseException) -> str:
    """Say which limit made an exchange fail, or why its address is refused; empty if neither did."""
    inner: BaseException | None = error
    while inner is not None:
        if isinstance(inner, TooLong | TooLarge | outgoing.Forbidden):
            return str(inner)
        inner = inner.__cause__ or inner.__context__
    return ""


class Wire:
    """The socket that an exchange uses now. Another thread may cut it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._cut = False

    def use(self, used: socket.socket | None) -> None:
        """Go on with this socket. Raises ConnectionAbortedError if the exchange was cut off."""
        with self._lock:
            if self._cut:
                raise ConnectionAbortedError
            self._socket = used or self._socket

    def cut(self) -> None:
        """End every wait for this socket, at once and for good."""
        with self._lock:
            self._cut = True
            if self._socket is not None:
                with suppress(OSError):
                    socket.socket.shutdown(self._socket, socket.SHUT_RDWR)  # the class's own: TLS would say goodbye


def within(seconds: float, wire: Wire, exchange: Callable[[], Result]) -> Result:
    """Do an exchange in a thread of its own. Raises TooLong when its time is over, and whatever it raises."""
    thread = ThreadPoolExecutor(1, "exchange")
    doing = thread.submit(exchange)
    thread.shutdown(wait=False)
    try:
        if not wait([doing], seconds).done:
            raise TooLong(seconds)
    finally:
        if not doing.done():
            wire.cut()
    return doing.result()


class _Here(threading.local):
    wire: Wire | None = None
    insecure = False


_here: Final = _Here()


def _use(connection: HTTPConnection) -> None:
    if _here.wire is not None:
        _here.wire.use(connection.sock)


class _Connection(HTTPConnection):
    plain = True

    def _new_conn(self) -> socket.socket:
        plain = self.plain and not _here.insecure
        outgoing.check(self._dns_host, self.port, plain=plain)
        made = super()._new_conn()
        outgoing.check_peer(made, plain=plain)  # the name may lead elsewhere by now
        return made

    def connect(self) -> None:
        super().connect()
        _use(self)

    def request(self, *args: Any, **options: Any) -> None:
        _use(self)
        super().request(*args, **options)


class _TlsConnection(_Connection, HTTPSConnection):
    plain = False


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection
    limits = SHORT
    insecure = False

    def urlopen(self, method: str, url: str, *args: Any, **options: Any) -> HTTPResponse:
        """Return a complete reply, with its connection free already."""
        with overheard(method, url, options.get("body")) as heard:
            return self._complete(heard, *args, **options)

    def _complete(self, heard: Exchange, *args: Any, **options: Any) -> HTTPResponse:
        wire = Wire()

        def exchange() -> HTTPResponse:
            _here.wire, _here.insecure = wire, self.insecure
            options["preload_content"] = False
            reply = super(_Pool, self).urlopen(heard.method, heard.url, *args, **options)
            return _in_memory(reply, self.limits, heard)

        try:
            return within(self.limits.total, wire, exchange)
        except TooLong as error:
            raise ReadTimeoutError(self, "", str(error)) from error
        except (DecodeError, TooLarge) as error:
            raise ProtocolError(str(error)) from error


class _TlsPool(_Pool, HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


def _in_memory(reply: BaseHTTPResponse, limits: Limits, heard: Exchange) -> HTTPResponse:
    """Read a reply's body, decoded."""
    body = BytesIO()
    with ExitStack() as failed:
        failed.callback(reply.close)
        failed.callback(body.close)  # an exception that is kept would keep all that was received
        _receive(reply, body, limits)
        failed.pop_all()
    if is_listened():
        heard.status, heard.headers, heard.reply = reply.status, reply.headers, body.getvalue()
    body.seek(0)
    reply.release_conn()
    headers = HTTPHeaderDict(reply.headers)
    for name in _OF_THE_TRANSFER:
        headers.discard(name)
    return HTTPResponse(
        body,
        headers,
        status=reply.status,
        version=reply.version,
        reason=reply.reason,
        preload_content=False,
        enforce_content_length=False,
    )


def _receive(reply: BaseHTTPResponse, body: BytesIO, limits: Limits) -> None:
    with ExitStack() as large:
        is_large = False
        for piece in reply.stream(_PIECE, decode_content=True):
            body.write(piece)
            if body.tell() > limits.size:
                raise TooLarge(limits.size)
            if body.tell() > _ORDINARY and not is_large:
                if not _LARGE.acquire(timeout=limits.total):
                    raise TooLong(limits.total)
                large.callback(_LARGE.release)
                is_large = True


def bound(manager: PoolManager, given: Limits, *, unencrypted: bool = False) -> None:
    """Hold every exchange of this manager's pools to these limits. unencrypted: also by plain HTTP to another machine.

    What breaks one raises urllib3's ReadTimeoutError or ProtocolError, as if the server had fallen silent or gone away.
    """

    class Pool(_Pool):
        limits = given
        insecure = unencrypted

    class TlsPool(_TlsPool):
        limits = given

    manager.pool_classes_by_scheme = {"http": Pool, "https": TlsPool}


class Adapter(HTTPAdapter):
    """Holds every exchange of a session to the limits. insecure: also by plain HTTP to another machine."""

    def __init__(self, limits: Limits, *, insecure: bool = False) -> None:
        self.limits, self._insecure = limits, insecure
        super().__init__()

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        bound(self.poolmanager, self.limits, unencrypted=self._insecure)

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        """Send a request and receive all of its reply. Raises requests.RequestException."""
        options["timeout"] = (self.limits.connect, self.limits.read)
        return super().send(request, *args, **options)


@contextmanager
def session(limits: Limits = SHORT, *, insecure: bool = False) -> Iterator[requests.Session]:
    """A session that takes nothing from the environment (a .netrc is for other programs), with these limits."""
    with requests.Session() as opened:
        opened.trust_env = False
        for scheme in ("http://", "https://"):
            opened.mount(scheme, Adapter(limits, insecure=insecure))
        yield opened
