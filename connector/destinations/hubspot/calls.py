"""HubSpot's paths in one table, and short retries within one attempt."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, Protocol, TypeVar

from pydantic import BaseModel
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt

from connector.destinations.hubspot.errors import NOT_DONE, UNREADABLE, Trouble
from connector.destinations.hubspot.limits import Limits
from connector.destinations.hubspot.refusals import reply_refusal, trouble
from connector.destinations.hubspot.replies import Reply, parse
from connector.destinations.hubspot.settings import LEGACY
from connector.errors import DestinationUnusable, PauseReason

TRIES: Final = 3
Parsed = TypeVar("Parsed", bound=BaseModel)


class Path(NamedTuple):
    """A method and a path template. Only {object} and {other} are filled in for logs.

    once: not idempotent, so it is retried only if it certainly had no effect.
    scope: the scope it needs, where HubSpot may name another one as missing.
    """

    method: str
    template: str
    once: bool = False
    scope: str = ""

    def of(self, version: str) -> str:
        """The template in a dated API version such as 2026-03; in `legacy`, unchanged."""
        if version == LEGACY:
            return self.template
        undated = next((prefix for prefix in DATED if self.template.startswith(prefix)), None)
        if undated is None:
            return self.template
        return f"{DATED[undated]}/{version}{self.template.removeprefix(undated)}"

    def shown(self, parts: Mapping[str, str], version: str) -> str:
        """The path for logs, without values."""
        text = self.of(version)
        for name in ("object", "other"):
            text = text.replace(f"{{{name}}}", parts.get(name, ""))
        return text


# https://developers.hubspot.com/docs/api-reference/legacy/migration-guide
DATED: Final[Mapping[str, str]] = {
    "/crm/v3/objects": "/crm/objects",
    "/crm/v3/properties": "/crm/properties",
    "/crm/v3/owners": "/crm/owners",
    "/crm/v3/pipelines": "/crm/pipelines",
    "/crm/v4/associations": "/crm/associations",
    "/crm-object-schemas/v3": "/crm-object-schemas",
    "/account-info/v3": "/account-info",
    "/communication-preferences/v4": "/communication-preferences",
}
"""Prefix of a v3 or v4 path -> prefix of its dated successor, before the version."""

UPSERT: Final = Path("POST", "/crm/v3/objects/{object}/batch/upsert")
CREATE: Final = Path("POST", "/crm/v3/objects/{object}/batch/create", once=True)
UPDATE: Final = Path("POST", "/crm/v3/objects/{object}/batch/update")
READ: Final = Path("POST", "/crm/v3/objects/{object}/batch/read")
SEARCH: Final = Path("POST", "/crm/v3/objects/{object}/search")
PROPERTIES: Final = Path("GET", "/crm/v3/properties/{object}")
OWNERS: Final = Path("GET", "/crm/v3/owners", scope="crm.objects.owners.read")
ASSOCIATE: Final = Path("POST", "/crm/v4/associations/{object}/{other}/batch/associate/default")
LINKED: Final = Path("POST", "/crm/v4/associations/{object}/{other}/batch/read")
UNSUBSCRIBE: Final = Path("POST", "/communication-preferences/v4/statuses/{address}/unsubscribe-all")
SUBSCRIPTIONS: Final = Path("GET", "/communication-preferences/v4/statuses/{address}/unsubscribe-all")

DETAILS: Final = Path("GET", "/account-info/v3/details")
ME: Final = Path("GET", "/integrations/v1/me")

Query = list[tuple[str, str]]


class Send(Protocol):
    """Sends one HTTP request. Errors of the network or of HubSpot come back as a reply; they do not raise."""

    def __call__(self, path: Path, parts: Mapping[str, str], query: Query, body: Any) -> Reply: ...


class _Troubled(Exception):
    """HubSpot or the network has a trouble, which a retry may get past."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble.reason)
        self.trouble = trouble


class Calls:
    """Requests to one account, retried where a short wait may help and nothing can be written twice."""

    def __init__(self, send: Send, sleep: Callable[[float], None], jitter: Callable[[], float]) -> None:
        self._send, self._sleep, self._jitter = send, sleep, jitter
        self._limits = Limits()

    def ask(self, path: Path, *, query: Query | None = None, body: Any = None, **parts: str) -> Reply:
        """A reply that is a success or rejects what was sent. Raises DestinationUnusable."""
        tries = itertools.count()
        return self._retried(lambda: self._once(path, parts, query or [], body, rested=next(tries) > 0))

    def read(self, model: type[Parsed], path: Path, *, query: Query | None = None, **parts: str) -> Parsed:
        """A successful reply, parsed as `model`. Raises DestinationUnusable."""
        return expect(model, self.ask(path, query=query, **parts))

    def hold(self) -> float:
        """Seconds until the next batch should begin."""
        return self._limits.hold()

    def _once(self, path: Path, parts: Mapping[str, str], query: Query, body: Any, *, rested: bool) -> Reply:
        if (wait := self._limits.wait(search=path is SEARCH, rested=rested)) > 0:
            self._sleep(wait)
        reply = self._send(path, parts, query, body)
        problem = trouble(reply, path.scope)
        self._limits.hear(reply.headers)
        if problem and problem.reason is PauseReason.RATE and problem.wait:
            self._limits.rest(problem.wait)
        if problem is None and reply.ok and reply.foreign:
            problem = UNREADABLE
        if problem is not None:
            raise _Troubled(problem._replace(wait=None) if path.once and reply.status not in NOT_DONE else problem)
        return reply

    def _retried(self, once: Callable[[], Reply]) -> Reply:
        retrying = Retrying(
            sleep=self._sleep,
            stop=_stop,
            wait=self._pause,
            retry=retry_if_exception_type(_Troubled),
            reraise=True,
        )
        try:
            return retrying(once)
        except _Troubled as error:
            raise unusable(error.trouble) from None

    def _pause(self, state: RetryCallState) -> float:
        last = _last_trouble(state)
        growth = 2 ** (state.attempt_number - 1) if last.grows else 1
        return (last.wait or 0.0) * growth + self._jitter()


def _last_trouble(state: RetryCallState) -> Trouble:
    error = state.outcome.exception() if state.outcome else None
    return error.trouble if isinstance(error, _Troubled) else UNREADABLE


def _stop(state: RetryCallState) -> bool:
    return stop_after_attempt(TRIES)(state) or _last_trouble(state).wait is None


def expect(model: type[Parsed], reply: Reply) -> Parsed:
    """The body of a successful reply, parsed as `model`. Raises DestinationUnusable for any other reply."""
    if not reply.ok:
        error = reply_refusal(reply)
        text = f"HubSpot rejected a read: {error.code}" + (f" ({', '.join(error.fields)})" if error.fields else "")
        raise DestinationUnusable("HubSpot", PauseReason.REQUEST, text)
    parsed = parse(model, reply)
    if parsed is None:
        raise unusable(UNREADABLE)
    return parsed


def unusable(trouble: Trouble) -> DestinationUnusable:
    """The error that pauses the lane."""
    park = trouble.park if trouble.park is not None or trouble.grows else trouble.wait
    return DestinationUnusable("HubSpot", trouble.reason, trouble.problem, retry_after=park)
