"""HubSpot's paths in one table, and short waits inside one attempt."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, Protocol, TypeVar

from pydantic import BaseModel
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt

from connector.destinations.hubspot.errors import NOT_DONE, UNREADABLE, Trouble
from connector.destinations.hubspot.refusals import reply_refusal, trouble, used_up
from connector.destinations.hubspot.replies import Reply, parse
from connector.errors import DestinationUnusable, PauseReason

TRIES: Final = 3
Parsed = TypeVar("Parsed", bound=BaseModel)


class Path(NamedTuple):
    """A method and a path template. Only {object} and {other} are ever shown filled in.

    once: asked twice it would do its work twice, so it is asked again only where it was certainly not done.
    """

    method: str
    template: str
    once: bool = False

    def of(self, version: str | None) -> str:
        """The template in a dated version of the API, as 2026-03; without one, as it stands here."""
        if version is None:
            return self.template
        old = next(prefix for prefix in DATED if self.template.startswith(prefix))
        return f"{DATED[old]}/{version}{self.template.removeprefix(old)}"

    def shown(self, parts: Mapping[str, str], version: str | None = None) -> str:
        """The path without values."""
        text = self.of(version)
        for name in ("object", "other"):
            text = text.replace(f"{{{name}}}", parts.get(name, ""))
        return text


# v3 is supported until September 2027, v4 until 2027-03-30. https://developers.hubspot.com/docs/api-reference/legacy/overview
DATED: Final[Mapping[str, str]] = {
    "/crm/v3/objects": "/crm/objects",
    "/crm/v3/properties": "/crm/properties",
    "/crm/v3/owners": "/crm/owners",
    "/crm/v4/associations": "/crm/associations",
    "/communication-preferences/v4": "/communication-preferences",
}
"""How a path of old begins -> how its dated successor does, before the version."""

UPSERT: Final = Path("POST", "/crm/v3/objects/{object}/batch/upsert")
CREATE: Final = Path("POST", "/crm/v3/objects/{object}/batch/create", once=True)
UPDATE: Final = Path("POST", "/crm/v3/objects/{object}/batch/update")
READ: Final = Path("POST", "/crm/v3/objects/{object}/batch/read")
SEARCH: Final = Path("POST", "/crm/v3/objects/{object}/search")
PROPERTIES: Final = Path("GET", "/crm/v3/properties/{object}")
OWNERS: Final = Path("GET", "/crm/v3/owners")
ASSOCIATE: Final = Path("POST", "/crm/v4/associations/{object}/{other}/batch/associate/default")
UNSUBSCRIBE: Final = Path("POST", "/communication-preferences/v4/statuses/{address}/unsubscribe-all")
SUBSCRIPTIONS: Final = Path("GET", "/communication-preferences/v4/statuses/{address}/unsubscribe-all")

Query = list[tuple[str, str]]


class Send(Protocol):
    """One HTTP request, answered whatever happens; it never raises for what the network or HubSpot does."""

    def __call__(self, path: Path, parts: Mapping[str, str], query: Query, body: Any) -> Reply: ...


class _Passing(Exception):
    """A trouble that may be over in seconds."""

    def __init__(self, found: Trouble) -> None:
        super().__init__(found.reason)
        self.found = found


class Calls:
    """Requests to one account, tried again where a short wait may help and nothing can be done twice by it."""

    def __init__(self, send: Send, sleep: Callable[[float], None], jitter: Callable[[], float]) -> None:
        self._send, self._sleep, self._jitter = send, sleep, jitter
        self._free_at = 0.0

    def ask(self, path: Path, *, query: Query | None = None, body: Any = None, **parts: str) -> Reply:
        """A reply that is a success or speaks of what was sent. Raises DestinationUnusable."""
        return self._patiently(lambda: self._once(path, parts, query or [], body))

    def read(self, model: type[Parsed], path: Path, *, query: Query | None = None, **parts: str) -> Parsed:
        """A success parsed by its model. Raises DestinationUnusable."""
        return expect(model, self.ask(path, query=query, **parts))

    def _once(self, path: Path, parts: Mapping[str, str], query: Query, body: Any) -> Reply:
        if (wait := self._free_at - time.monotonic()) > 0:  # refused requests count as errors at HubSpot: ask for none
            self._sleep(wait)
        reply = self._send(path, parts, query, body)
        self._free_at = time.monotonic() + used_up(reply)
        found = trouble(reply)
        if found is None and reply.ok and not _speaks_json(reply):
            found = UNREADABLE
        if found is not None:
            raise _Passing(found._replace(wait=None) if path.once and reply.status not in NOT_DONE else found)
        return reply

    def _patiently(self, once: Callable[[], Reply]) -> Reply:
        retrying = Retrying(
            sleep=self._sleep,
            stop=_stop,
            wait=self._pause,
            retry=retry_if_exception_type(_Passing),
            reraise=True,
        )
        try:
            return retrying(once)
        except _Passing as passing:
            raise unusable(passing.found) from None

    def _pause(self, state: RetryCallState) -> float:
        found = _found(state)
        growth = 2 ** (state.attempt_number - 1) if found.grows else 1
        return (found.wait or 0.0) * growth + self._jitter()


def _found(state: RetryCallState) -> Trouble:
    error = state.outcome.exception() if state.outcome else None
    return error.found if isinstance(error, _Passing) else UNREADABLE


def _stop(state: RetryCallState) -> bool:
    return stop_after_attempt(TRIES)(state) or _found(state).wait is None


def _speaks_json(reply: Reply) -> bool:
    return reply.body[:1] in (b"", b"{") or "json" in reply.headers.get("content-type", "")


def expect(model: type[Parsed], reply: Reply) -> Parsed:
    """A success's body by its model. Raises DestinationUnusable for a refusal or for anything else."""
    if not reply.ok:
        found = reply_refusal(reply)
        text = f"HubSpot refused to read: {found.code}" + (f" ({', '.join(found.fields)})" if found.fields else "")
        raise DestinationUnusable("HubSpot", PauseReason.REQUEST, text)
    parsed = parse(model, reply)
    if parsed is None:
        raise unusable(UNREADABLE)
    return parsed


def unusable(found: Trouble) -> DestinationUnusable:
    """The error that pauses the lane."""
    park = found.park if found.park is not None or found.grows else found.wait
    return DestinationUnusable("HubSpot", found.reason, found.problem, retry_after=park)
