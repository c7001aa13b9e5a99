"""The listener in front of Flask: a body is read whole, within a size and a time, before a thread is given to it.

What the headers alone refuse is answered before the body is read. So three hundred half-sent bodies cost three hundred
sockets and no thread, and three hundred events that wait for one commit cost none either. granian speaks HTTP; Flask
runs in a pool, or where it waits for nothing on the loop itself.
Pages for people have a pool of their own: however many of them wait for the database, monitors get their answers.
"""

from __future__ import annotations

import asyncio
import gc
import io
import socket
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from flask import Flask, Response
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings

from connector import telemetry
from connector.web.bodies import Bodies, Body, Late, NoRoom, TooLarge
from connector.web.bodies import Limits as Limits  # beside its Door
from connector.web.listening import Listening, listen
from connector.web.origin import Network, client_of, neighbourhood

Answer = tuple[int, list[tuple[str, str]], bytes]
_CLOSE: Final = ("connection", "close")
_PLAIN: Final = [("content-type", "text/plain; charset=utf-8"), _CLOSE]

LATER: Final = "connector.later"
"""Where a request's environ has a list: what an application puts there, a Later, its answer waits for."""

FIRST: Final = "connector.first"
"""Where an application's extensions have a function: from a request's environ, what to answer without its body."""

SOCKETS: Final = 65_536
"""Connections a listener takes at once, as far as the limit of open files allows."""

_AHEAD: Final = 64 * 1024
"""Bytes of a connection that are read before they are asked for, headers included."""

_TOO_LARGE: Final[Answer] = (413, _PLAIN, b"the body is too large\n")
_LATE: Final[Answer] = (408, _PLAIN, b"the body did not arrive in time\n")
_CUT_SHORT: Final[Answer] = (400, _PLAIN, b"the body is shorter than its Content-Length\n")
_ENCODED: Final[Answer] = (400, _PLAIN, b"the only transfer encoding is chunked\n")
_NO_LENGTH: Final[Answer] = (411, _PLAIN, b"the request has no Content-Length\n")
_BUSY: Final[Answer] = (503, [*_PLAIN, ("retry-after", "5")], b"too much at once, send it again\n")
_FAULT: Final[Answer] = (500, _PLAIN, b"something went wrong here, send it again\n")
_MANY_PAGES: Final[Answer] = (
    503,
    [("content-type", "text/html; charset=utf-8"), ("retry-after", "5")],
    b'<!doctype html><html lang="en"><head><meta name="viewport" content="width=device-width">'
    b"<title>The console is busy</title></head><body><h1>The console is busy</h1>"
    b"<p>Too many pages are loading at once. Nothing was changed. Try again in a few seconds.</p></body></html>\n",
)


@dataclass(frozen=True, slots=True)
class Later:
    """A deferred response, sent when `until` completes or after `seconds`; `instead()` may replace it."""

    until: Future[Any]
    seconds: float
    instead: Callable[[], Response | None]


class _Threads:
    """Threads that call an application, for `most` requests at once."""

    def __init__(self, name: str, threads: int, most: int) -> None:
        self._pool, self._most, self._asked = ThreadPoolExecutor(threads, thread_name_prefix=name), most, 0

    async def call(self, app: Flask, request: dict[str, Any]) -> Answer:
        if self._asked >= self._most:
            return _MANY_PAGES
        self._asked += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, call_wsgi, app, request)
        finally:
            self._asked -= 1

    def close(self) -> None:
        """Return when the requests in hand are answered."""
        self._pool.shutdown(wait=True)


@dataclass(slots=True)
class Door:
    """One listener. `serve()` returns once `close()` was called and the requests in hand are answered.

    pages: where the paths of people's pages begin, if there are any. at_once: the paths that wait for nothing and are
    answered on the loop, however much else waits. listening: the socket to serve; without one, it is opened.
    proxies: whose X-Forwarded-For is believed.
    """

    app: Flask
    host: str
    port: int
    limits: Limits = field(default_factory=Limits)
    pages: str = ""
    at_once: frozenset[str] = frozenset()
    listening: socket.socket | None = None
    proxies: Sequence[Network] = ()
    _server: Listening | None = None
    _threads: _Threads | None = None
    _page_threads: _Threads | None = None
    _loop: asyncio.AbstractEventLoop | None = None
    _bodies: Bodies = field(default_factory=Bodies)
    _asked: int = 0
    _draining: int = 0
    _closed: bool = False

    async def serve(self) -> None:
        """Listen until closed."""
        self._loop = asyncio.get_running_loop()
        if self.limits.threads:
            self._threads = _Threads("door", self.limits.threads, self.limits.waiting)
            self._page_threads = _Threads("pages", self.limits.pages, self.limits.pages_waiting)
        listening = self.listening or listen((self.host, self.port))
        self._server = Listening(
            self._answer_one,
            listening,
            interface=Interfaces.RSGI,
            http=HTTPModes.http1,  # while it may still become HTTP/2, a silent connection has no time limit
            websockets=False,
            log_enabled=False,
            backpressure=SOCKETS,  # the default, the backlog, lets that many idle connections block everybody
            http1_settings=HTTP1Settings(
                header_read_timeout=int(self.limits.seconds * 1000),
                max_buffer_size=_AHEAD,
            ),
        )
        if self._closed:
            listening.close()
        else:
            await self._server.serve()
        for threads in filter(None, (self._threads, self._page_threads)):
            threads.close()

    def close(self) -> None:
        """Stop listening, or never begin. Safe from any thread, and from a signal."""
        self._closed = True
        if self._server is not None and self._loop is not None:
            self._loop.call_soon_threadsafe(self._server.stop)

    async def _answer_one(self, scope: Any, protocol: Any) -> None:
        protocol.__aiter__()  # without, there is no next chunk
        request, body = environ(scope), Body(_source(scope, self.proxies))
        try:
            if (answer := self._refused(scope, request)) is None:
                answer = await self._answer(scope, protocol, body, request)
        except Exception as error:  # noqa: BLE001  # granian would answer without a word, and log nothing
            telemetry.fault("door", error)
            answer = _FAULT
        finally:
            self._bodies.release(body)
        protocol.response_bytes(*_last(answer) if "transfer-encoding" in scope.headers else answer)
        if body.is_large:
            gc.collect(1)  # where it was refused, the exception's frames have it until garbage is collected
        if _CLOSE in answer[1]:
            await self._drain(protocol)

    def _refused(self, scope: Any, request: dict[str, Any]) -> Answer | None:
        """What is answered without reading a body; None if there is nothing against it so far."""
        first = self.app.extensions.get(FIRST)
        if first and (response := first(request)) is not None:
            status, headers, content = call_wsgi(response, request)
            return _last((status, headers, content)) if _has_body(scope) else (status, headers, content)
        return _length_refused(scope, self.limits.body)

    async def _answer(self, scope: Any, protocol: Any, body: Body, request: dict[str, Any]) -> Answer:
        try:
            await self._bodies.read(protocol.__anext__, body, self.limits, _declared(scope))
        except TooLarge:
            return _TOO_LARGE
        except NoRoom:
            return _BUSY
        except Late:
            return _LATE
        content = bytes(body.content)
        body.content.clear()
        if len(content) < (_declared(scope) or 0):
            return _CUT_SHORT
        request["wsgi.input"], request["CONTENT_LENGTH"] = io.BytesIO(content), str(len(content))
        if scope.path in self.at_once:
            return call_wsgi(self.app, request)
        return await self._ask(request) if self._asked < self.limits.waiting else _BUSY

    async def _drain(self, protocol: Any) -> None:
        """Read on a little after an answer: what is closed with bytes unread takes the answer from its reader."""
        if self._draining >= self.limits.draining:
            return
        self._draining += 1
        loop, left = asyncio.get_running_loop(), self.limits.unread
        end = loop.time() + self.limits.seconds
        with suppress(TimeoutError, StopAsyncIteration):
            async with asyncio.timeout(self.limits.silence) as patience:
                while (chunk := await protocol.__anext__()) and (left := left - len(chunk)) > 0:
                    patience.reschedule(min(loop.time() + self.limits.silence, end))
        self._draining -= 1

    async def _ask(self, request: dict[str, Any]) -> Answer:
        self._asked += 1
        try:
            answer = await self._call(request)
            for later in request[LATER]:
                await _done(later.until, later.seconds)
                if instead := later.instead():
                    answer = call_wsgi(instead, request)
            return answer
        finally:
            self._asked -= 1

    async def _call(self, request: dict[str, Any]) -> Answer:
        is_page = self.pages and request["PATH_INFO"].startswith(self.pages)
        threads = self._page_threads if is_page else self._threads
        return await threads.call(self.app, request) if threads else call_wsgi(self.app, request)

    def soon(self, call: Callable[[], None]) -> None:
        """Call it on this door's loop; from any thread. Once the door is closed nobody is left to hear of it."""
        with suppress(RuntimeError):
            if self._loop is not None:
                self._loop.call_soon_threadsafe(call)


def _last(answer: Answer) -> Answer:
    """The same answer, after which its connection is closed.

    So it is after chunks: hyper drops a length beside them unseen, and a proxy that went by it would take the rest of
    the connection for another's (RFC 9112, section 6.1).
    """
    status, headers, content = answer
    return (status, [*(header for header in headers if header != _CLOSE), _CLOSE], content)


def _has_body(scope: Any) -> bool:
    return "transfer-encoding" in scope.headers or scope.headers.get("content-length", "0") != "0"


def _length_refused(scope: Any, most: int) -> Answer | None:
    """What is answered for the way in which the end of the body is said; None if nothing is against it."""
    encodings = [value for name, value in scope.headers.items() if name == "transfer-encoding"]
    if encodings:
        return None if [value.lower() for value in encodings] == ["chunked"] else _ENCODED
    declared = scope.headers.get("content-length")
    if declared is None:
        return _NO_LENGTH if scope.method == "POST" and scope.http_version != "1.1" else None
    return None if declared.isdigit() and int(declared) <= most else _TOO_LARGE


def _declared(scope: Any) -> int | None:
    """The length of the body, if its headers say it. Where it comes in chunks as well, hyper goes by those."""
    length = scope.headers.get("content-length")
    return None if length is None else int(length)


def _source(scope: Any, proxies: Sequence[Network]) -> str:
    """Who sends it, as far as connections and trusted proxies say."""
    named = [value for name, value in scope.headers.items() if name == "x-forwarded-for"] if proxies else []
    return neighbourhood(client_of(_address(scope.client), named, proxies))


async def _done(until: Future[Any], seconds: float) -> None:
    """Return when it is done, or after `seconds`."""
    if until.done():
        return
    loop, here = asyncio.get_running_loop(), threading.get_ident()
    waiter = loop.create_future()

    def wake() -> None:
        if not waiter.done():
            waiter.set_result(None)

    until.add_done_callback(lambda _: wake() if threading.get_ident() == here else loop.call_soon_threadsafe(wake))
    timer = loop.call_later(seconds, wake)
    await waiter
    timer.cancel()


def environ(scope: Any) -> dict[str, Any]:
    """A request as WSGI has it (PEP 3333), without its body."""
    host, _, port = scope.server.rpartition(":")
    made: dict[str, Any] = {
        "REQUEST_METHOD": scope.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(scope.path).decode("latin-1"),
        "QUERY_STRING": scope.query_string,
        "SERVER_NAME": host,
        "SERVER_PORT": port,
        "SERVER_PROTOCOL": f"HTTP/{scope.http_version}",
        "REMOTE_ADDR": _address(scope.client),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.scheme,
        "wsgi.input": io.BytesIO(),
        "wsgi.input_terminated": True,  # all of it is there: nobody has to count what is read
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        LATER: [],
    }
    for name, value in scope.headers.items():
        # A client's X_Forwarded_For must not pass for what a proxy says. The body comes whole, however it was sent:
        # with this header Werkzeug would read none of it.
        if "_" in name or name == "transfer-encoding":
            continue
        key = f"HTTP_{name.upper().replace('-', '_')}"
        made[key] = f"{made[key]}{'; ' if name == 'cookie' else ', '}{value}" if key in made else value
    made["CONTENT_TYPE"] = made.pop("HTTP_CONTENT_TYPE", "")
    made["CONTENT_LENGTH"] = "0"
    return made


def _address(client: str) -> str:
    return client.rpartition(":")[0].strip("[]")


def call_wsgi(app: Flask | Response, request: dict[str, Any]) -> Answer:
    """Call a WSGI application, gather its response and close it (PEP 3333)."""
    begun: list[tuple[str, list[tuple[str, str]]]] = []
    content: list[bytes] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], object]:
        begun.append((status, headers))
        return content.append

    parts = app(request, start_response)
    try:
        content.extend(parts)
    finally:
        if close := getattr(parts, "close", None):
            close()
    status, headers = begun[-1]
    return int(status[:3]), [(name.lower(), value) for name, value in headers], b"".join(content)


async def serve_all(doors: Sequence[Door]) -> None:
    """Serve listeners until all are closed. Each has a loop and a thread of its own: none waits for another's work."""
    here, *beside = doors
    threads = [threading.Thread(target=asyncio.run, args=(door.serve(),), name="door", daemon=True) for door in beside]
    for thread in threads:
        thread.start()
    await here.serve()
    for thread in threads:
        await asyncio.to_thread(thread.join)
