"""The listener in front of Flask: a body is read whole, within a size and a time, before a thread is given to it.

So three hundred half-sent bodies cost three hundred sockets and no thread, and three hundred events that wait for one
commit cost none either. granian speaks HTTP; Flask runs in a pool, or where it waits for nothing on the loop itself.
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
from werkzeug.test import run_wsgi_app

from connector import telemetry
from connector.web.listening import Listening, listen

Answer = tuple[int, list[tuple[str, str]], bytes]
_PLAIN: Final = [("content-type", "text/plain; charset=utf-8"), ("connection", "close")]

LATER: Final = "connector.later"
"""Where a request's environ has a list: what an application puts there, a Later, its answer waits for."""

SOCKETS: Final = 65_536
"""Connections a listener takes at once, as far as the limit of open files allows."""

_AHEAD: Final = 128 * 1024
"""Bytes of a connection that are read before they are asked for, headers included."""

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
class Limits:
    """What one request may cost: bytes of body, seconds to send it; requests in Flask at once, and those that wait.

    threads: 0 for an application that waits for nothing: it is called where its request was read. pages: threads for
    the pages of people, fewer than there are database connections; pages_waiting: those at work and those that wait.
    large: bytes of a body from which on it is large; larger: of all large bodies that are in memory together; smaller:
    of all others, as far as they have arrived. So much is sent by nobody who means well.
    """

    body: int = 5 * 1024 * 1024
    large: int = 64 * 1024
    larger: int = 20 * 1024 * 1024
    smaller: int = 64 * 1024 * 1024
    seconds: float = 20.0
    threads: int = 32
    waiting: int = 1024
    pages: int = 8
    pages_waiting: int = 32


@dataclass(frozen=True, slots=True)
class Later:
    """A deferred response, sent when `until` completes or after `seconds`; `instead()` may replace it."""

    until: Future[Any]
    seconds: float
    instead: Callable[[], Response | None]


class _TooLarge(Exception):
    """The body is over the limit."""


class _NoRoom(Exception):
    """Too much of other bodies is in memory."""


@dataclass(slots=True)
class _Body:
    """A body as it arrives. held: the bytes that are set aside for it, if it is large; else arrived: its bytes."""

    content: bytearray = field(default_factory=bytearray)
    held: int = 0
    arrived: int = 0


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
    """

    app: Flask
    host: str
    port: int
    limits: Limits = field(default_factory=Limits)
    pages: str = ""
    at_once: frozenset[str] = frozenset()
    listening: socket.socket | None = None
    _server: Listening | None = None
    _threads: _Threads | None = None
    _page_threads: _Threads | None = None
    _loop: asyncio.AbstractEventLoop | None = None
    _asked: int = 0
    _held: int = 0
    _arrived: int = 0
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
        body = _Body()
        try:
            protocol.response_bytes(*await self._answer(scope, protocol, body))
        except Exception as error:  # noqa: BLE001  # granian would answer without a word, and log nothing
            telemetry.fault("door", error)
            protocol.response_bytes(*_FAULT)
        finally:
            body.content.clear()
            self._arrived -= body.arrived
            if body.held:
                gc.collect(1)  # where it was refused, the exception's frames have it until garbage is collected
                self._held -= body.held

    async def _answer(self, scope: Any, protocol: Any, body: _Body) -> Answer:
        try:
            if not self._has_room(self._size(scope), body):
                return _BUSY
            await asyncio.wait_for(self._read(protocol, body), self.limits.seconds)
        except _TooLarge:
            return (413, _PLAIN, b"the body is too large\n")
        except _NoRoom:
            return _BUSY
        except TimeoutError:
            return (408, _PLAIN, b"the body did not arrive in time\n")
        content = bytes(body.content)
        body.content.clear()
        if scope.path in self.at_once:
            return call_wsgi(self.app, environ(scope, content))
        return await self._ask(environ(scope, content)) if self._asked < self.limits.waiting else _BUSY

    def _size(self, scope: Any) -> int:
        """The size a body may have: that of its header, or the largest there may be. Raises _TooLarge."""
        if (declared := scope.headers.get("content-length")) is None:
            return self.limits.body if "transfer-encoding" in scope.headers else 0
        if not declared.isdigit() or int(declared) > self.limits.body:
            raise _TooLarge
        return int(declared)

    def _has_room(self, size: int, body: _Body) -> bool:
        """Set memory aside for a large body, unless others use it. One that waited would be in memory all the same."""
        if size > self.limits.large:
            if self._held + size > self.limits.larger:
                return False
            self._held += size
            body.held = size
        return True

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

    async def _read(self, protocol: Any, body: _Body) -> None:
        async for chunk in protocol:
            body.content += chunk
            if len(body.content) > self.limits.body:
                raise _TooLarge
            if not body.held:
                body.arrived += len(chunk)
                self._arrived += len(chunk)
                if self._arrived > self.limits.smaller:
                    raise _NoRoom


async def _done(until: Future[Any], seconds: float) -> None:
    """Return when it is done, or after `seconds`."""
    loop, here = asyncio.get_running_loop(), threading.get_ident()
    waiter = loop.create_future()

    def wake() -> None:
        if not waiter.done():
            waiter.set_result(None)

    until.add_done_callback(lambda _: wake() if threading.get_ident() == here else loop.call_soon_threadsafe(wake))
    timer = loop.call_later(seconds, wake)
    await waiter
    timer.cancel()


def environ(scope: Any, body: bytes) -> dict[str, Any]:
    """A request as WSGI has it (PEP 3333)."""
    host, _, port = scope.server.rpartition(":")
    made: dict[str, Any] = {
        "REQUEST_METHOD": scope.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(scope.path).decode("latin-1"),
        "QUERY_STRING": scope.query_string,
        "SERVER_NAME": host,
        "SERVER_PORT": port,
        "SERVER_PROTOCOL": f"HTTP/{scope.http_version}",
        "REMOTE_ADDR": scope.client.rpartition(":")[0].strip("[]"),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.scheme,
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        LATER: [],
    }
    for name, value in scope.headers.items():
        if "_" in name:  # a client's X_Forwarded_For must not pass for what a proxy says
            continue
        made[f"HTTP_{name.upper().replace('-', '_')}"] = value
    made["CONTENT_TYPE"] = made.pop("HTTP_CONTENT_TYPE", "")
    made["CONTENT_LENGTH"] = str(len(body))
    return made


def call_wsgi(app: Flask | Response, request: dict[str, Any]) -> Answer:
    """Call a WSGI application, gather its response and close it."""
    content, status, headers = run_wsgi_app(app, request, buffered=True)
    return int(status.split(" ", 1)[0]), [(name.lower(), value) for name, value in headers], b"".join(content)


async def serve_all(doors: Sequence[Door]) -> None:
    """Serve listeners until all are closed. Each has a loop and a thread of its own: none waits for another's work."""
    here, *beside = doors
    threads = [threading.Thread(target=asyncio.run, args=(door.serve(),), name="door", daemon=True) for door in beside]
    for thread in threads:
        thread.start()
    await here.serve()
    for thread in threads:
        await asyncio.to_thread(thread.join)
