"""Salesforce's failures, planned by name."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, Literal

from flask import Response, request
from werkzeug.exceptions import HTTPException

from connector.sandbox.salesforce.values import Refused
from connector.sandbox.wire import Wire

_PAGE: Final = "<html><body><h1>We are down for maintenance.</h1></body></html>"
_LIMITS: Final = {
    "daily": "TotalRequests Limit exceeded.",
    "long": "ConcurrentPerOrgLongTxn Limit exceeded.",
    "concurrent": "ConcurrentRequests (Concurrent API Requests) Limit exceeded.",
}
_ENDPOINTS: Final = "/services/data"


def reply(body: Any, status: int = 200) -> Response:
    """Build a JSON reply as Salesforce sends it."""
    return Response(json.dumps(body), status, content_type="application/json;charset=UTF-8")


def error_reply(status: int, code: str, message: str) -> Response:
    """Build the error of a whole request: a list with one entry."""
    return reply([{"message": message, "errorCode": code}], status)


def refused_reply(refused: Refused) -> Response:
    """Build the reply that rejects a single record."""
    error: dict[str, Any] = {"message": refused.message, "errorCode": refused.code, "fields": refused.fields}
    if refused.code == "DUPLICATES_DETECTED":
        error["duplicateResut"] = {"allowSave": True, "matchResults": []}  # Salesforce's own spelling
    return reply([error], 400)


def unknown_reply(error: HTTPException) -> Response:
    """Build the reply for a resource that does not exist."""
    status = error.code or 500
    code = {404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED"}.get(status, "UNKNOWN_EXCEPTION")
    return error_reply(status, code, "The requested resource does not exist")


class PlannedFaults(Wire):
    """Plans faults for requests to come. `times`: how many requests fail."""

    def __init__(self, *, latency: float = 0.0) -> None:
        super().__init__(latency=latency)
        self._row_faults: dict[str, list[Refused]] = {}

    @staticmethod
    def is_write(method: str, path: str) -> bool:
        """Whether a request writes records: of those that are made of several, one that has such a part."""
        if not path.endswith("/composite"):
            return Wire.is_write(method, path)
        return any(part.get("method") != "GET" for part in request.get_json()["compositeRequest"])

    def html_503(self, times: int = 1, path: str = _ENDPOINTS) -> None:
        self.fault(path, Response(_PAGE, 503, content_type="text/html"), times=times)

    def html_200(self, times: int = 1, path: str = _ENDPOINTS) -> None:
        self.fault(path, Response(_PAGE, 200, content_type="text/html"), times=times)

    def redirect_302(self, times: int = 1, path: str = _ENDPOINTS) -> None:
        self.fault(path, Response("", 302, {"Location": "https://elsewhere.salesforce.com/"}), times=times)

    def limit_403(self, kind: Literal["daily", "long", "concurrent"] = "daily", times: int = 1) -> None:
        self.fault(_ENDPOINTS, error_reply(403, "REQUEST_LIMIT_EXCEEDED", _LIMITS[kind]), times=times)

    def session_expired(self, times: int = 1) -> None:
        answer = error_reply(401, "INVALID_SESSION_ID", "Session expired or invalid")
        self.fault(_ENDPOINTS, answer, times=times)

    def deny_login(self, error: str, description: str, times: int = 1) -> None:
        """Refuse a login with an OAuth error."""
        body = {"error": error, "error_description": description}
        self.fault("/services/oauth2/token", reply(body, 400), times=times)

    def fail(self, status: int, code: str, message: str = "", *, times: int = 1, path: str = _ENDPOINTS) -> None:
        """Reject a whole request."""
        self.fault(path, error_reply(status, code, message), times=times)

    def reshape(self, change: Callable[[Any], Any], times: int = 1, path: str = "/composite/sobjects") -> None:
        """Handle the request (by default, a collection), then change the body of the reply."""

        def answer(proceed: Callable[[], Response]) -> Response:
            return reply(change(json.loads(proceed().get_data())))

        self.fault(path, answer, times=times)

    def lock_rows(self, keys: Iterable[str], times: int = 1) -> None:
        """Refuse the records with these external ids (or ids) as locked by another user."""
        self.refuse_rows(keys, "UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record", times=times)

    def refuse_rows(
        self, keys: Iterable[str], code: str, message: str = "", fields: Sequence[str] = (), *, times: int = 1
    ) -> None:
        """Refuse the records with these external ids (or ids) with any error code."""
        for key in keys:
            self._row_faults.setdefault(key.lower(), []).extend([Refused(code, message, list(fields))] * times)

    def _planned(self, keys: Iterable[str]) -> Refused | None:
        waiting = (self._row_faults.get(key.lower()) for key in keys)
        return next((refusals.pop(0) for refusals in waiting if refusals), None)
