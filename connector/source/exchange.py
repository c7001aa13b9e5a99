"""Ask careCycle's API: at the pace that all processes share, again where that may help, and no other host."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any, Final, Protocol, TypeVar

import requests
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt

from connector.carecycle.decode import decoded
from connector.destinations import deadline
from connector.errors import PauseReason, SourceForbidden, SourceUnusable
from connector.source.replies import FORBIDDEN, NONSENSE, NOT_FOUND, Reply, Trouble, trouble
from connector.source.settings import CareCycleSettings
from connector.telemetry import source as telemetry

TRIES: Final = 5
LIMITS: Final = deadline.Limits(connect=10.0, read=60.0, total=120.0, size=16 << 20)

Sleep = Callable[[float], None]
Read = TypeVar("Read")


class Pace(Protocol):
    """Says when the next request may be made, for all processes of the installation."""

    def take(self) -> float:
        """Take the next request: 0.0 if it may be made now, else the seconds until it is worth asking again."""
        ...

    def hold(self, seconds: float) -> None:
        """Let no request be made for these seconds."""
        ...


class _Troubled(Exception):
    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble.reason)
        self.trouble = trouble


class Exchange:
    """GET requests to one agency's API."""

    def __init__(self, agency: str, settings: CareCycleSettings, pace: Pace, sleep: Sleep = time.sleep) -> None:
        self._agency, self._base, self._pace, self._sleep = agency, settings.endpoint, pace, sleep
        self._headers = {"x-api-key": settings.api_key.get_secret_value(), "Accept": "application/json"}
        self._closing = ExitStack()
        self._session = self._closing.enter_context(deadline.session(LIMITS, insecure=settings.insecure))

    def close(self) -> None:
        """Close every connection."""
        self._closing.close()

    def get(
        self,
        template: str,
        read: Callable[[Any], Read | None],
        *,
        id: str = "",
        query: Mapping[str, str] | None = None,
    ) -> Read | None:
        """What `read` makes of the answer's JSON; None if careCycle does not have it. Raises SourceUnusable.

        template: the path, with {id} for `id`, which is quoted already. read: returns None for what is not as
        documented.
        """
        retrying = Retrying(
            sleep=self._sleep,
            stop=_stop,
            wait=_pause,
            retry=retry_if_exception_type(_Troubled),
            reraise=True,
        )
        try:
            return retrying(self._once, template, read, id, query or {})
        except _Troubled as error:
            raise _unusable(error.trouble, template) from None

    def _once(
        self, template: str, read: Callable[[Any], Read | None], id: str, query: Mapping[str, str]
    ) -> Read | None:
        while (wait := self._pace.take()) > 0:
            self._sleep(wait)
        reply = self._send(template.replace("{id}", id), query)
        telemetry.called(self._agency, template, reply.status)
        problem = trouble(reply)
        if problem is NOT_FOUND:
            return None
        if problem is None and (result := read(reply.body)) is not None:
            return result
        if problem and problem.hold is not None:
            self._pace.hold(problem.hold)
        raise _Troubled(problem or NONSENSE)

    def _send(self, path: str, query: Mapping[str, str]) -> Reply:
        try:
            answer = self._session.get(
                self._base + path, params=dict(query), headers=self._headers, allow_redirects=False
            )
        except requests.RequestException as error:
            return Reply(0, problem=deadline.broken_limit(error) or type(error).__name__)
        headers = {name.lower(): value for name, value in answer.headers.items()}
        try:
            return Reply(answer.status_code, decoded(answer.content), headers)
        except ValueError:
            return Reply(answer.status_code, None, headers)


def _trouble_of(state: RetryCallState) -> Trouble:
    error = state.outcome.exception() if state.outcome else None
    return error.trouble if isinstance(error, _Troubled) else NONSENSE


def _stop(state: RetryCallState) -> bool:
    return not _trouble_of(state).again or bool(stop_after_attempt(TRIES)(state))


def _pause(state: RetryCallState) -> float:
    """Seconds before the next try. After a 429, the shared pace makes it wait."""
    return 0.0 if _trouble_of(state).hold is not None else float(2 ** (state.attempt_number - 1))


def _unusable(trouble: Trouble, template: str) -> SourceUnusable:
    if trouble is FORBIDDEN:
        return SourceForbidden("careCycle's API", f"{trouble.problem} (GET {template})", PauseReason.PERMISSIONS)
    return SourceUnusable("careCycle's API", trouble.problem, trouble.reason, retry_after=trouble.hold)
