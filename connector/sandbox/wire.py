"""Shared by both sandboxes: a loopback HTTP server, a log of every request, and planned faults.

Nothing here imports the rest of connector, and only the demo and `connector sandbox` import this package.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from flask import Flask, Response, g, request
from werkzeug.routing import Map
from werkzeug.serving import WSGIRequestHandler, make_server


@dataclass(slots=True)
class Seen:
    """A request as it arrived. at: in seconds of the monotonic clock."""

    method: str
    path: str
    host: str
    status: int
    at: float
    headers: dict[str, str] = field(repr=False)
    body: Any = field(default=None, repr=False)


@dataclass(slots=True)
class Fault:
    """A failure planned for the requests that match.

    answer: called with the ordinary handler; returns the response to send. times: requests left to fail.
    skip: requests to let through first. name: what people call it.
    """

    matches: Callable[[str, str], bool]
    answer: Callable[[Callable[[], Response]], Response]
    times: int
    skip: int = 0
    name: str = ""


class _Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Write no log: requests are kept in `Wire.seen`."""


class DropConnection(Exception):
    """Raised while handling a request to close the connection without a reply."""


@dataclass(frozen=True, slots=True)
class Way:
    """A path that is served, for these methods. strict: whether a slash at its end makes it another one."""

    path: str
    name: str
    methods: tuple[str, ...]
    strict: bool = False


_MAPS: dict[tuple[Way, ...], Map] = {}
"""The routes of each kind of server. To make them takes ten times as long as all else a server needs."""


class Wire:
    """A CRM's HTTP API on loopback. Use it as a context manager, or call start() and stop()."""

    def __init__(self, *, latency: float = 0.0) -> None:
        self.app = Flask(type(self).__name__)
        self.app.config["PROPAGATE_EXCEPTIONS"] = True  # a dropped connection must reach the server below Flask
        self.latency = latency
        self.seen: list[Seen] = []
        self.faults: list[Fault] = []
        self.lock = threading.RLock()
        self.front: Callable[[dict[str, Any], Any], Iterable[bytes]] = self.app
        self._around(self.app)

    def _serve(self, views: Mapping[Way, Callable[..., Any]]) -> None:
        """Answer these paths with these views, by routes that every server of this kind shares."""
        ways = tuple(views)
        if ways not in _MAPS:
            made = Flask(type(self).__name__)
            for way in ways:
                made.add_url_rule(way.path, way.name, methods=way.methods, strict_slashes=way.strict)
            _MAPS[ways] = made.url_map
        self.app.url_map = _MAPS[ways]
        self.app.view_functions.update({way.name: view for way, view in views.items()})

    def _around(self, app: Flask) -> None:
        dispatch = app.full_dispatch_request

        def answer() -> Response:
            with self.lock:
                fault = self._due(request.method, request.path)
            return fault.answer(dispatch) if fault else dispatch()

        def logged() -> Response:
            began = time.monotonic()
            body = request.get_json(silent=True) if request.is_json else request.get_data(as_text=True)
            path, headers = request.full_path.rstrip("?"), dict(request.headers)
            entry = Seen(request.method, path, request.host, 0, began, headers, body)
            with self.lock:
                self.seen.append(entry)
            g.seen = entry
            response = answer()
            entry.status = response.status_code
            time.sleep(max(0.0, began + self.latency - time.monotonic()))
            return response

        app.full_dispatch_request = logged  # type: ignore[method-assign]  # the one place every request passes

    def _due(self, method: str, path: str) -> Fault | None:
        for fault in self.faults:
            if fault.times > 0 and fault.matches(method, path):
                if fault.skip > 0:
                    fault.skip -= 1
                    continue
                fault.times -= 1
                return fault
        return None

    def fault(
        self,
        path: str,
        answer: Response | Callable[[Callable[[], Response]], Response],
        *,
        method: str = "",
        times: int = 1,
        skip: int = 0,
    ) -> None:
        """Plan a fault for the next `times` requests whose path contains `path`, after letting `skip` through."""
        act = (lambda _: answer) if isinstance(answer, Response) else answer
        self.faults.append(Fault(lambda m, p: path in p and method in ("", m), act, times, skip))

    @staticmethod
    def lose_reply(handle: Callable[[], Response]) -> Response:
        """A fault: handle the request, then close the connection without a reply."""
        handle()
        raise DropConnection

    @staticmethod
    def refuse(handle: Callable[[], Response]) -> Response:
        """A fault: close the connection without handling the request."""
        raise DropConnection

    @staticmethod
    def is_write(method: str, path: str) -> bool:
        """Whether a request writes records: a reply to lose."""
        return method in ("POST", "PATCH", "DELETE") and not path.endswith(("/search", "/read", "/token", "/composite"))

    def lose_replies(self, times: int) -> None:
        """Plan to lose the replies to the next writes."""
        self.faults.append(Fault(self.is_write, self.lose_reply, times))

    def calls(self, *parts: str) -> list[Seen]:
        """List the requests so far whose path contains all of `parts`."""
        with self.lock:
            return [seen for seen in self.seen if all(part in seen.path for part in parts)]

    def start(self, port: int = 0) -> str:
        """Serve on 127.0.0.1 in a new thread; return the base URL."""
        self._server = make_server("127.0.0.1", port, self._wsgi, threaded=True, request_handler=_Quiet)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="sandbox", daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        return self.url

    def _wsgi(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        try:
            return self.front(environ, start_response)
        except DropConnection:
            environ["werkzeug.socket"].shutdown(2)
            raise ConnectionAbortedError from None

    def stop(self) -> None:
        """Stop serving and close the port."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def __enter__(self) -> str:
        return self.start()

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.stop()
