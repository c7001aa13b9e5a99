"""The public listener: POST /hooks/<agency>, answered once the event is on disk."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from connector import telemetry
from connector.errors import InboxFull, RefuseMessage, StoreUnavailable
from connector.receive import Agency, receive
from connector.store.inbox import Arrival


def create_hooks(
    agencies: Mapping[str, Agency], keep: Callable[[Arrival], bool], clock: Callable[[], float] = time.time
) -> Flask:
    """The Flask application of the door. `keep` returns once an arrival is on disk."""
    app = Flask("connector.hooks", static_folder=None)

    @app.post("/hooks/<name>")
    def hook(name: str) -> Response:
        agency = agencies.get(name)
        if agency is None:
            telemetry.message_refused("-", "unknown agency")
            return _text(404, "no such agency")
        with telemetry.receiving(agency.name):
            receive(agency, request.get_data(cache=False), dict(request.headers), keep, int(clock() * 1000))
        return Response(status=204)

    @app.errorhandler(RefuseMessage)
    def refused(error: RefuseMessage) -> Response:
        telemetry.message_refused(error.thing, error.reason)
        return _text(401, error.reason)

    @app.errorhandler(StoreUnavailable)
    def unavailable(error: StoreUnavailable) -> Response:
        full = isinstance(error, InboxFull)
        telemetry.store_unavailable("inbox" if full else "door", error.problem)
        return _text(503, "not kept, send it again", {"Retry-After": "60" if full else "5"})

    @app.errorhandler(HTTPException)
    def other(error: HTTPException) -> Response:
        return _text(error.code or 400, error.name.lower())

    return app


def _text(status: int, line: str, headers: Mapping[str, str] | None = None) -> Response:
    return Response(f"{line}\n", status, headers, mimetype="text/plain")
