"""The HTTP session that simple-salesforce uses, with what it lacks.

Limits of every call, including logins; no redirects (a 302 turns a PATCH into a GET that succeeds); nothing from the
environment (a .netrc would replace the token); another address in place of Salesforce; and a call log.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Mapping
from http.cookiejar import DefaultCookiePolicy
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import requests

from connector.destinations.base import CallLog
from connector.destinations.deadline import Adapter, Limits

LIMITS: Final = Limits(connect=10.0, read=120.0, total=150.0, size=16 << 20)
"""200 records with triggers take a while, and an object with a thousand fields is described in several megabytes."""


class Last(threading.local):
    """The last reply in this thread; status 0 if there was none."""

    status = 0
    request_id = ""


def _no_values(url: str) -> str:
    """The path of a URL for the call log: object and field names stay, but not a query's cursor."""
    return re.sub(r"/query/.+", "/query/{cursor}", urlsplit(url).path)


class _Adapter(Adapter):
    def __init__(self, line: Line, endpoint: str | None, limits: Limits, on_call: CallLog, *, insecure: bool) -> None:
        super().__init__(limits, insecure=insecure)
        self._line, self._endpoint, self._on_call = line, endpoint, on_call

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        method, path = str(request.method), _no_values(str(request.url))
        started, self._line.last.status, self._line.last.request_id = time.perf_counter(), 0, ""
        self._line.date = ""
        try:
            response = super().send(self._directed(request), *args, **options)
            self._line.note(response)
        finally:
            self._on_call(method, path, self._line.last.status, (time.perf_counter() - started) * 1000)
        return response

    def _directed(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._endpoint is None:
            return request
        asked, endpoint = urlsplit(str(request.url)), urlsplit(self._endpoint)
        copy = request.copy()
        copy.headers["Host"] = asked.netloc
        copy.url = urlunsplit((endpoint.scheme, endpoint.netloc, asked.path, asked.query, ""))
        return copy


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> str | None:
        return None


class Line:
    """The connection to Salesforce. usage: calls made and allowed in 24 hours, as last reported.

    date: the Date header of the last reply.
    """

    def __init__(
        self, endpoint: str | None, on_call: CallLog, *, limits: Limits = LIMITS, insecure: bool = False
    ) -> None:
        self.last = Last()
        self.usage: tuple[int, int] | None = None
        self.date = ""
        self.session = _Session()
        self.session.trust_env = False
        self.session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))  # threads share the session
        self.session.headers["User-Agent"] = "carecycle-crm-connector"
        for scheme in ("http://", "https://"):
            self.session.mount(scheme, _Adapter(self, endpoint, limits, on_call, insecure=insecure))

    def note(self, response: requests.Response) -> None:
        """Remember the status, the request id and the API usage of a reply."""
        self.last.status = response.status_code
        self.last.request_id = _request_id(response.headers)
        self.date = response.headers.get("Date", "")
        used = re.search(r"api-usage=(\d+)/(\d+)", response.headers.get("Sforce-Limit-Info", ""))
        if used:
            self.usage = int(used[1]), int(used[2])


def _request_id(headers: Mapping[str, str]) -> str:
    given = headers.get("X-SFDC-Request-Id") or headers.get("X-Request-Id") or ""
    return given if re.fullmatch(r"[\w.:-]{1,80}", given) else ""
