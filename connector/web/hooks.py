"""The public listener: POST /hooks/<agency>, answered once the event is on disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from flask import Flask, Request, Response, request
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Rule

from connector import telemetry
from connector.carecycle.signature import HEADERS, Message
from connector.errors import InboxFull, RefuseMessage, StoreUnavailable
from connector.receive import Agency, Receipt, expect, receive
from connector.store.writer import Keeper
from connector.web.door import FIRST, LATER, Later

PATIENCE: Final = 10.0
"""Seconds an event may take to be kept; careCycle itself waits for 15."""

_JUDGED: Final = "connector.judged"
"""Where a request's environ has what was judged before its body was read."""

_HEADERS: Final = {name: f"HTTP_{name.upper().replace('-', '_')}" for name in HEADERS}


@dataclass(frozen=True, slots=True)
class _Judged:
    """A request that nothing in its headers is against. messages: what they say."""

    rule: Rule
    named: Mapping[str, Any]
    messages: Sequence[Message]

    def match(self, *, return_rule: bool) -> tuple[Rule, Mapping[str, Any]]:
        """What Flask asks of the adapter of a URL."""
        return self.rule, self.named


class _Hooks(Flask):
    """Flask, which does not match again what was matched when the headers were judged."""

    def create_url_adapter(self, request: Request | None) -> Any:
        judged = request.environ.get(_JUDGED) if request else None
        return judged or super().create_url_adapter(request)


def create_hooks(
    agencies: Mapping[str, Agency],
    keep: Keeper,
    patience: float = PATIENCE,
) -> Flask:
    """The Flask application of the door."""
    app = _Hooks("connector.hooks", static_folder=None)
    app.url_map.merge_slashes = False  # it would redirect, which no sender follows

    @app.post("/hooks/<name>", provide_automatic_options=False)
    def hook(name: str) -> Response:
        agency = agencies.get(name)
        if agency is None:
            return _unknown()
        judged: _Judged | None = request.environ.get(_JUDGED)
        messages = judged.messages if judged else expect(agency, _said(request.environ))
        receipt = receive(agency, request.get_data(cache=False), messages, keep)
        if (later := request.environ.get(LATER)) is None:  # a server that knows nothing of it
            receipt.confirm(patience)
        else:
            later.append(Later(receipt.kept, patience, partial(_failed, receipt)))
        return Response(status=204)

    app.extensions[FIRST] = partial(_judge, app, agencies)
    app.register_error_handler(RefuseMessage, _refused)
    app.register_error_handler(StoreUnavailable, _unavailable)
    app.register_error_handler(HTTPException, _other)
    return app


def _judge(app: Flask, agencies: Mapping[str, Agency], environ: dict[str, Any]) -> Response | None:
    """What is answered before the body is read; None if nothing in the headers is against it, which is noted."""
    path = environ["PATH_INFO"].encode("latin-1").decode(errors="replace")
    try:
        rule, named = app.url_map.bind("").match(path, environ["REQUEST_METHOD"], return_rule=True)
    except HTTPException as error:
        return _other(error)
    if "name" not in named:
        return None  # no page of ours
    if (agency := agencies.get(named["name"])) is None:
        return _unknown()
    try:
        environ[_JUDGED] = _Judged(rule, named, expect(agency, _said(environ)))
    except RefuseMessage as error:
        return _refused(error)
    return None


def _said(environ: Mapping[str, Any]) -> dict[str, str]:
    """The headers of signatures, by their names in lower case."""
    return {name: environ[key] for name, key in _HEADERS.items() if key in environ}


def _unknown() -> Response:
    telemetry.message_refused("-", "unknown agency")
    return _text(404, "no such agency")


def _refused(error: RefuseMessage) -> Response:
    telemetry.message_refused(error.thing, error.reason)
    return _text(401, error.reason)


def _other(error: HTTPException) -> Response:
    return _text(error.code or 400, error.name.lower())


def _failed(receipt: Receipt) -> Response | None:
    """What is answered in place of 204 for a message that was not kept."""
    try:
        receipt.confirm()
    except StoreUnavailable as error:
        return _unavailable(error)
    except Exception as error:  # noqa: BLE001  # the sender must learn that it was not stored, whatever happened
        telemetry.fault("door", error)
        return _text(500, "not kept, send it again")
    return None


def _unavailable(error: StoreUnavailable) -> Response:
    full = isinstance(error, InboxFull)
    telemetry.store_unavailable("inbox" if full else "door", error.problem)
    return _text(503, "not kept, send it again", {"Retry-After": "60" if full else "5"})


def _text(status: int, line: str, headers: Mapping[str, str] | None = None) -> Response:
    return Response(f"{line}\n", status, headers, mimetype="text/plain")
