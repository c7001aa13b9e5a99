"""careCycle's REST API on loopback, for demonstrations and tests.

What careCycle does not publish can be either way here: the parameters' names, the consent flags, the end of a list.
"""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from flask import Response, request

from connector.sandbox.carecycle.book import Book
from connector.sandbox.carecycle.shapes import call_shape, customer_shape
from connector.sandbox.wire import Wire

KEY: Final = "cc_sandbox_key"
PARAMETERS: Final = {"page": "page", "size": "limit", "sort": "sortBy", "direction": "sortOrder"}
PLAYGROUND: Final = 14 * 86_400
"""Seconds that a playground key lives."""
_MOST, _USUAL = 100, 50
_SORTS: Final = {"customers": ("createdAt", "firstName", "lastName", "callerId"), "calls": ("createdAt", "disposition")}


class Rejected(Exception):
    """A request that is answered with an error."""

    def __init__(self, status: int, code: str, message: str, **more: Any) -> None:
        super().__init__(code)
        self.reply = answer({"message": message, "code": code, **more}, status)


def answer(body: Any, status: int = 200) -> Response:
    """A JSON reply."""
    return Response(json.dumps(body), status, content_type="application/json; charset=utf-8")


class CareCycleSandbox(Wire):
    """An organisation's API. Configure it before it starts; change `book` and plan faults at any time.

    a_minute: requests before a 429; 0 for no limit. shows_flags: whether customers have their consent flags.
    parameters: what those of a list are called. strict: whether unknown ones are rejected.
    forbidden: of customers, customer and calls, those the key has no permission for.
    playground: whether the key, made at the first request, ends after 14 days. now: epoch seconds.
    recording_after: seconds after a call until its recording is there; None: never.
    on_page: called with the number of each page of customers after it was read.
    """

    def __init__(
        self,
        book: Book | None = None,
        *,
        latency: float = 0.0,
        a_minute: int = 60,
        shows_flags: bool = True,
        parameters: Mapping[str, str] = PARAMETERS,
        strict: bool = False,
        playground: bool = False,
        now: Callable[[], float] = time.time,
        recording_after: float | None = 60.0,
    ) -> None:
        super().__init__(latency=latency)
        self.book = book or Book()
        self.a_minute, self.shows_flags, self.parameters, self.strict = a_minute, shows_flags, parameters, strict
        self.playground, self.now, self.recording_after = playground, now, recording_after
        self.forbidden: set[str] = set()
        self.on_page: Callable[[int], None] = lambda number: None
        self._made_at: float | None = None
        self._times: deque[float] = deque()
        self.app.add_url_rule("/v2/customers", "customers", self._customers)
        self.app.add_url_rule("/v2/customers/<id>", "customer", self._customer)
        self.app.add_url_rule("/v2/customers/<id>/calls", "calls", self._calls)
        self.app.before_request(self._admit)
        self.app.register_error_handler(Rejected, lambda rejected: rejected.reply)
        self.app.register_error_handler(404, lambda _: Rejected(404, "NOT_FOUND", "Not found").reply)

    def webhook(self, id: str) -> dict[str, Any]:
        """What careCycle's webhook says of a customer."""
        return {"event_type": "customer.updated", **(self.book.find(id) or {})}

    def rate_limited(self, retry_after: Any = 23, times: int = 1, **headers: str) -> None:
        """Plan 429s. retry_after: as the body says it; None: it does not."""
        body = {"message": "Rate limit exceeded", "code": "RATE_LIMIT_EXCEEDED"}
        reply = answer({**body, **({} if retry_after is None else {"retryAfter": retry_after})}, 429)
        reply.headers.extend({name.replace("_", "-"): value for name, value in headers.items()})
        self.fault("/v2/", reply, times=times)

    def html(self, status: int = 502, times: int = 1) -> None:
        """Plan pages of a proxy in place of answers."""
        page = "<html><body><h1>Please wait</h1></body></html>"
        self.fault("/v2/", Response(page, status, content_type="text/html"), times=times)

    def reshape(self, change: Callable[[Any], Any], times: int = 1, path: str = "/v2/") -> None:
        """Handle the request, then change the body of the reply."""

        def act(handle: Callable[[], Response]) -> Response:
            reply = handle()
            return answer(change(json.loads(reply.get_data())), reply.status_code)

        self.fault(path, act, times=times)

    def _admit(self) -> None:
        """Check the key, the limit and the permission. Raises Rejected."""
        moment = self.now()
        with self.lock:
            self._check_key(moment)
            self._count(moment)
        if request.endpoint in self.forbidden:
            raise Rejected(403, "FORBIDDEN", "Insufficient permissions")

    def _check_key(self, moment: float) -> None:
        self._made_at = moment if self._made_at is None else self._made_at
        has_ended = self.playground and moment - self._made_at >= PLAYGROUND
        if request.headers.get("x-api-key") != KEY or has_ended:
            raise Rejected(401, "UNAUTHORIZED", "Invalid API key")

    def _count(self, moment: float) -> None:
        while self._times and moment - self._times[0] >= 60:
            self._times.popleft()
        if self.a_minute and len(self._times) >= self.a_minute:
            left = max(1, round(60 - (moment - self._times[0])))
            raise Rejected(429, "RATE_LIMIT_EXCEEDED", "Rate limit exceeded", retryAfter=left)
        self._times.append(moment)

    def _customers(self) -> Response:
        page, size, sort, descending = self._asked("customers")
        with self.lock:
            total = len(self.book)
            part = self._part((page - 1) * size, page * size, sort, descending=descending)
            shown = [customer_shape(customer, shows_flags=self.shows_flags, details=False) for customer in part]
            reply = _listed(shown, total, page, size)
            self.on_page(page)
        return reply

    def _part(self, first: int, last: int, sort: str, *, descending: bool) -> list[dict[str, Any]]:
        if sort != "createdAt":
            own = {"callerId": "phoneNumber"}.get(sort, sort)
            return sorted(self.book, key=lambda customer: str(customer[own]), reverse=descending)[first:last]
        if not descending:
            return self.book.part(first, last)
        total = len(self.book)
        return self.book.part(max(0, total - last), max(0, total - first))[::-1]

    def _customer(self, id: str) -> Response:
        with self.lock:
            customer = self.book.find(id)
        if customer is None:
            raise Rejected(404, "NOT_FOUND", "Customer not found")
        return answer(customer_shape(customer, shows_flags=self.shows_flags, details=True))

    def _calls(self, id: str) -> Response:
        page, size, sort, descending = self._asked("calls")
        with self.lock:
            if self.book.find(id) is None:
                raise Rejected(404, "NOT_FOUND", "Customer not found")
            calls = sorted(self.book.calls(id), key=lambda call: str(call[sort]), reverse=descending)
        part = calls[(page - 1) * size : page * size]
        return _listed([call_shape(call, recording=self._recording(call)) for call in part], len(calls), page, size)

    def _recording(self, call: dict[str, Any]) -> str | None:
        """The address of a call's recording, once it is there."""
        if "recordingUrl" in call:
            return call["recordingUrl"] and str(call["recordingUrl"])
        ended = datetime.fromisoformat(call["createdAt"]).timestamp()
        is_there = self.recording_after is not None and self.now() >= ended + self.recording_after
        return f"https://api.carecycle.ai/recordings/{call['id']}.mp3" if is_there else None

    def _asked(self, kind: str) -> tuple[int, int, str, bool]:
        """The page, its size, the field to sort by and whether descending. Raises Rejected."""
        names = self.parameters
        unknown = set(request.args) - set(names.values())
        if self.strict and unknown:
            raise _invalid(min(unknown), "no such parameter", request.args[min(unknown)])
        page = _whole(names["page"], 1, 10**9)
        size = _whole(names["size"], _USUAL, _MOST)
        sort = request.args.get(names["sort"], "createdAt")
        if sort not in _SORTS[kind]:
            raise _invalid(names["sort"], " | ".join(_SORTS[kind]), sort)
        return page, size, sort, request.args.get(names["direction"], "desc") == "desc"


def _whole(name: str, usual: int, most: int) -> int:
    text = request.args.get(name, str(usual))
    if not text.isdigit() or not 1 <= int(text) <= most:
        raise _invalid(name, f"1 to {most}", text)
    return int(text)


def _invalid(name: str, expected: str, received: str) -> Rejected:
    error = {"path": [name], "message": "Invalid", "expected": expected, "received": received, "code": "invalid_type"}
    return Rejected(400, "VALIDATION_ERROR", "Invalid input", errors=[error])


def _listed(items: list[dict[str, Any]], total: int, page: int, size: int) -> Response:
    more = page * size < total
    before = page - 1 if page > 1 else None
    body = {"itemsTotal": total, "currentPage": page, "nextPage": page + 1 if more else None, "prevPage": before}
    return answer({**body, "items": items})
