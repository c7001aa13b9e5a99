"""What careCycle's API answers, and what it means: in our own words, because its errors repeat values.

Errors are {"message", "code"}; VALIDATION_ERROR also has `errors`, whose `received` is what was sent.
https://docs.carecycle.ai/docs/api-reference/authentication
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from connector.errors import PauseReason

SHORTEST, LONGEST, USUAL = 1.0, 300.0, 60.0
"""Seconds to keep off after a 429: the least and the most that is believed, and where it does not say."""

_STATUS: Final = {
    "UNAUTHORIZED": 401,
    "FORBIDDEN": 403,
    "NOT_FOUND": 404,
    "VALIDATION_ERROR": 422,
    "RATE_LIMIT_EXCEEDED": 429,
    "INTERNAL_ERROR": 500,
}
"""careCycle documents its errors by code, not by HTTP status."""

_SECONDS: Final = re.compile(r"\s*(\d{1,9})(\.\d*)?\s*(s|sec|seconds)?\s*", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply. status: 0 for none, with `problem`. body: its JSON, None without any. headers: in small letters."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""

    @property
    def code(self) -> str:
        """careCycle's own code of an error; empty if something else answered, or it is no error."""
        named = self.body.get("code") if isinstance(self.body, Mapping) and not 200 <= self.status < 300 else None
        return named if isinstance(named, str) and named in _STATUS else ""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a reply cannot be used. again: another try within seconds may help. hold: seconds for all to keep off."""

    reason: PauseReason
    problem: str
    again: bool = False
    hold: float | None = None


KEY_REFUSED: Final = Trouble(
    PauseReason.AUTH, "the API key is not accepted: it was revoked, or it is a playground key, which ends after 14 days"
)
FORBIDDEN: Final = Trouble(PauseReason.PERMISSIONS, "the API key lacks the permission for this")
NOT_FOUND: Final = Trouble(PauseReason.REQUEST, "careCycle does not have this")
NONSENSE: Final = Trouble(PauseReason.REPLY, "the answer is not as careCycle documents it", again=True)
_REQUEST: Final = Trouble(
    PauseReason.REQUEST, "careCycle rejects the form of our request: check carecycle.parameters in the agency file"
)
_REDIRECTED: Final = Trouble(
    PauseReason.CONFIGURATION, "the answer leads to another address, which is not given the API key: check `endpoint`"
)
_IN_BETWEEN: Final = Trouble(
    PauseReason.UNREACHABLE, "something other than careCycle answers: check `endpoint` and any proxy or firewall"
)


_KNOWN: Final = {401: KEY_REFUSED, 403: FORBIDDEN, 404: NOT_FOUND}
_OF_OTHERS: Final = (403, 404)
"""What proxies and firewalls answer, too: then without careCycle's code."""


def trouble(reply: Reply) -> Trouble | None:
    """Why a reply cannot be used; None if it can."""
    status = _STATUS.get(reply.code, reply.status)
    if 200 <= status < 300:
        return NONSENSE if reply.body is None else None
    if not reply.code and status in _OF_OTHERS:
        return _IN_BETWEEN
    if status == 0:
        return Trouble(PauseReason.UNREACHABLE, f"cannot be reached: {reply.problem}", again=True)
    if status == 429:
        seconds = wait_of(reply)
        return Trouble(PauseReason.RATE, f"the limit of requests is used up for {seconds:g} s", True, seconds)
    if status >= 500:
        return Trouble(PauseReason.OUTAGE, f"careCycle's API is failing ({reply.status})", again=True)
    return _KNOWN.get(status, _REDIRECTED if status < 400 else _REQUEST)


def wait_of(reply: Reply) -> float:
    """The seconds that a 429 asks for, in its body or its headers: the longer one, within reason.

    >>> [wait_of(Reply(429, {"retryAfter": asked})) for asked in (23, "45", 0, 7200, "soon", None)]
    [23.0, 45.0, 1.0, 300.0, 60.0, 60.0]
    """
    in_body = reply.body.get("retryAfter") if isinstance(reply.body, Mapping) else None
    asked = [seconds for said in (in_body, reply.headers.get("retry-after")) if (seconds := _seconds(said)) is not None]
    return min(max(max(asked, default=USUAL), SHORTEST), LONGEST)


def _seconds(said: Any) -> float | None:
    if isinstance(said, bool) or not isinstance(said, str | int | float):
        return None
    match = _SECONDS.fullmatch(str(said))
    return float(match[1] + (match[2] or "")) if match else None
