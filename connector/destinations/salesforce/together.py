"""Send several requests in one call, as many as the org answers together.

https://developer.salesforce.com/docs/platform/api-rest/guide/resources-composite-composite-post.html
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from connector.destinations.salesforce import api_error, errors
from connector.destinations.salesforce.api_error import ApiError
from connector.destinations.salesforce.client import NO_ANSWER, UNREADABLE, Client, is_temporary
from connector.destinations.salesforce.rule import REJECTING, Kind
from connector.telemetry import calls

MOST: Final = 5
"""Of a call's requests, those that query or write collections."""
LONGEST: Final = 3_000_000
"""Characters of a call: triggers that keep what they are given have 6 MB for it."""
TRIES: Final = 2
REFERENCE: Final = "@{"
"""What Salesforce replaces in the text of a request, wherever it is: a customer's own text may have it, too."""

SLOW: Final = 30.0
"""Seconds. An org that takes longer gets fewer requests together: a call that is given up may go on there."""

_NARROWED_FOR: Final = 3600.0
"""Seconds for which fewer requests are sent together."""
_SLOW_FOR: Final = 86_400.0
"""The same where the org took too long, because each further try costs it that time again."""
_TOO_MUCH: Final = (Kind.AGAIN, Kind.LATER, Kind.OUTAGE, Kind.SMALLER)


class Request(NamedTuple):
    """One request. path: below /services/data/vXX.0/. body: JSON, or empty."""

    method: str
    path: str
    body: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """The reply to a request that was sent among others. body: as `Client.call` returns it."""

    body: Any
    request_id: str


class Fault(NamedTuple):
    """Why a call did not bring every reply. too_much: fewer requests may be answered; else no such call is taken."""

    code: str
    too_much: bool


TOO_SLOW: Final = Fault("SLOW", too_much=True)


class Replies(NamedTuple):
    """The replies to a call's requests, in order; None where a request has to be sent alone.

    doubtful: whether one was refused for a reason that may lie in the others.
    """

    each: list[Reply | None]
    fault: Fault | None = None
    doubtful: bool = False


class Together:
    """How many requests one org answers in a call: fewer for an hour, once it did not. what: what they are for."""

    def __init__(self, client: Client, what: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._client, self._what, self._clock = client, what, clock
        self._narrow, self._until = MOST, 0.0
        self._logged: set[int] = set()

    @property
    def most(self) -> int:
        """How many requests to send together now; 1: none."""
        return self._narrow if self._clock() < self._until else MOST

    def bundles(self, sizes: Sequence[int | None]) -> list[list[int]]:
        """The places of requests that go into one call, in order. sizes: in characters; None for one that goes alone.

        Salesforce replaces REFERENCE in a request's text, so one that has it means something else among others.
        """
        bundles: list[list[int]] = []
        most, left, room = self.most, 0, 0
        for place, size in enumerate(sizes):
            if size is not None and room > 0 and size <= left:
                bundles[-1].append(place)
                left, room = left - size, room - 1
            else:
                bundles.append([place])
                left, room = LONGEST - (size or 0), 0 if size is None else most - 1
        return bundles

    def ask(self, requests: Sequence[Request]) -> Replies:
        """Send requests in one call. Raises DestinationUnusable if there is no session.

        What the org refuses has to be sent alone: that shows what it is refused for, and whether it is refused at all.
        """
        parts = ",".join(self._part(place, request) for place, request in enumerate(requests))
        body = f'{{"allOrNone":false,"compositeRequest":[{parts}]}}'.encode()
        began = self._clock()
        reply = self._client.ask("POST", "composite", tries=TRIES, again=_passes, data=body)
        slow = TOO_SLOW if self._clock() - began > SLOW else None
        listed = reply.get("compositeResponse") if isinstance(reply, dict) else None
        if not isinstance(listed, list):
            error = reply if isinstance(reply, ApiError) else ApiError(self._client.line.last.status, UNREADABLE)
            return Replies([None] * len(requests), _fault(error))
        bodies = _bodies(listed)
        answers = [bodies.get(_reference(place), ApiError(200, UNREADABLE)) for place in range(len(requests))]
        return self._replies(answers, slow)

    def _replies(self, answers: Sequence[Any], slow: Fault | None) -> Replies:
        request_id = self._client.line.last.request_id
        replies = [None if _is_refused(answer) else Reply(answer, request_id) for answer in answers]
        fault = next((_fault(answer) for answer in answers if _is_of_the_call(answer)), None)
        doubtful = any(_is_refused(answer) and not _has_ended(answer) for answer in answers)
        return Replies(replies, slow or fault, doubtful)

    def learn(self, fault: Fault) -> None:
        """Send fewer together for a while. Call it once the requests were answered alone."""
        most = max(1, self.most // 2) if fault.too_much else 1
        if most < self.most:
            self._narrow, self._until = most, self._clock() + (_SLOW_FOR if fault == TOO_SLOW else _NARROWED_FOR)
            if most not in self._logged:
                self._logged.add(most)
                calls.fewer_together(self._what, most, fault.code)

    def _part(self, place: int, request: Request) -> str:
        # Of the call's own headers, its requests inherit none of ours.
        head = {
            "method": request.method,
            "url": self._client.base + request.path,
            "referenceId": _reference(place),
            "httpHeaders": dict(self._client.headers),
        }
        text = json.dumps(head)
        return f'{text[:-1]},"body":{request.body}}}' if request.body else text


def _reference(place: int) -> str:
    return f"part{place}"


def _bodies(listed: list[Any]) -> dict[str, Any]:
    """The reply to each request by its reference; one that has no reference, or another's, confirms nothing."""
    bodies: dict[str, Any] = {}
    for part in api_error.entries(listed):
        reference, status = part.get("referenceId"), part.get("httpStatusCode")
        if not isinstance(reference, str) or type(status) is not int:
            continue
        is_error = not 200 <= status < 300
        body = api_error.read(status, part.get("body")) if is_error else part.get("body")
        bodies[reference] = ApiError(200, UNREADABLE) if reference in bodies else body
    return bodies


def _is_refused(answer: Any) -> bool:
    return isinstance(answer, ApiError) and answer.code != UNREADABLE


def _is_of_the_call(answer: Any) -> bool:
    """Whether a request may have no good reply for being sent among others."""
    if not isinstance(answer, ApiError):
        return False
    return answer.code == UNREADABLE or not (errors.rule_for(answer).kind in REJECTING or _has_ended(answer))


def _has_ended(answer: ApiError) -> bool:
    """Whether it is refused because the session ended."""
    return errors.rule_for(answer).kind is Kind.SESSION


def _fault(error: ApiError) -> Fault:
    if _is_given_up(error):
        return TOO_SLOW
    is_silent = error.code in (NO_ANSWER, UNREADABLE)
    return Fault(error.code, is_silent or errors.rule_for(error).kind in _TOO_MUCH)


def _passes(reply: Any) -> bool:
    """Whether the call is worth repeating: not if it took too long or its reply was too large."""
    return is_temporary(reply) and not _is_given_up(reply)


def _is_given_up(error: ApiError) -> bool:
    """Whether we stopped waiting, rather than a connection broke: only that has a message of ours."""
    return error.code == NO_ANSWER and bool(error.message)
