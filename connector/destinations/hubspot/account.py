"""HubSpot as a destination; the only module that uses its client library."""

from __future__ import annotations

import http.client
import logging
import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from threading import Lock
from typing import Any, Final

import hubspot
import urllib3
from hubspot.crm.objects.exceptions import ApiException

from connector.crm import CrmAccount
from connector.destinations.base import EVERY, Answers, CallLog, Compare, Current, Narrow, Outcome, Row
from connector.destinations.deadline import Limits, bound, broken_limit
from connector.destinations.describing import each, problems
from connector.destinations.hubspot.after import link, opt_out
from connector.destinations.hubspot.auth import HubSpotAuth
from connector.destinations.hubspot.bench import HubSpotBench
from connector.destinations.hubspot.calls import Calls, Path, Query
from connector.destinations.hubspot.current import current, linked
from connector.destinations.hubspot.describe import OWNERS, describe
from connector.destinations.hubspot.details import portal_of
from connector.destinations.hubspot.phones import find_phones
from connector.destinations.hubspot.provision import HubSpotProvisioner
from connector.destinations.hubspot.reads import BATCH, Finder
from connector.destinations.hubspot.records import RecordWriter
from connector.destinations.hubspot.replies import Reply, daily_usage
from connector.destinations.hubspot.settings import VERSION, HubSpotSettings
from connector.destinations.hubspot.values import folded, normal
from connector.destinations.hubspot.vendor import HUBSPOT
from connector.errors import DestinationUnusable, PauseReason
from connector.mapping.target import TargetSchema
from connector.model import Value

LIMITS: Final = Limits(connect=5.0, read=30.0, total=60.0, size=16 << 20)


class HubSpot:
    """One HubSpot account.

    sleep, jitter: for the short waits within one attempt. version: of its API, a date or `legacy`.
    """

    crm = HUBSPOT
    batch = BATCH

    def __init__(
        self,
        auth: HubSpotAuth,
        *,
        endpoint: str | None,
        on_call: CallLog,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
        limits: Limits = LIMITS,
        version: str = VERSION,
        insecure: bool = False,
    ) -> None:
        token = auth.access_token.get_secret_value()
        self._client = _Client(token, endpoint or HUBSPOT.address, on_call, limits, version, insecure=insecure)
        self._calls = Calls(self._client.send, sleep, jitter)
        self._finder = Finder(self._calls)
        self._writer = RecordWriter(self._calls, self._finder)
        self._portal: CrmAccount | None = None
        self._has_asked = False
        self._asking = Lock()

    @property
    def usage(self) -> tuple[int, int] | None:
        """Calls used and allowed today for the whole account; None if HubSpot does not report it to this app."""
        return self._client.usage

    @property
    def date(self) -> str:
        """The Date header of the last reply."""
        return self._client.date

    def hold(self) -> float:
        """Seconds until the next batch should begin, by HubSpot's limits of ten seconds and of a second."""
        return self._calls.hold()

    def account(self) -> CrmAccount | None:
        """The token's portal, which never changes; None where the token may not ask. Raises DestinationUnusable."""
        with self._asking:  # of several lanes, the first asks
            if not self._has_asked:
                self._portal, self._has_asked = portal_of(self._calls), True
            return self._portal

    def serve(self, account: CrmAccount) -> None:
        """Do nothing: a token reaches only its own portal."""

    def write(self, rows: Sequence[Row]) -> list[Outcome]:
        """Write the records, then opt addresses out, then link what was written."""
        answered = self._writer.write(dict(enumerate(rows)))
        outcomes = opt_out(self._calls, rows, [answered[n] for n in range(len(rows))])
        return link(self._calls, rows, outcomes)

    def find(
        self, object: str, field: str, values: Sequence[str], read: Iterable[str], narrow: Narrow = EVERY
    ) -> Answers:
        """Records by a property: one call per hundred values if it is unique, otherwise a search."""
        return self._finder.find(object, field, values, tuple(read), narrow)

    def find_phones(self, object: str, field: str, numbers: Sequence[str], read: Iterable[str]) -> Answers:
        """Records by phone number: a search of the digits that HubSpot calculates, or of the common spellings."""
        return find_phones(self._finder, object, field, numbers, tuple(read))

    def survivors(self, object: str, ids: Sequence[str]) -> dict[str, str | None]:
        """Where records live now: a merged record's former id leads to what it became."""
        answers = self._finder.find(object, HUBSPOT.id_field, ids, ())
        return {
            crm_id: answer[0].id if answer else None for crm_id, answer in answers.items() if isinstance(answer, list)
        }

    def current(self, object: str, ids: Sequence[str], fields: Iterable[str]) -> dict[str, Current]:
        """What is there now of these records, a hundred in a call; a merged record's former id leads to it."""
        return current(self._calls, object, ids, tuple(fields))

    def linked(self, object: str, ids: Sequence[str], other: str) -> dict[str, frozenset[str]]:
        """The records that each of these is associated with, a thousand in a call."""
        return linked(self._calls, object, ids, other)

    def may_have_twins(self, object: str, field: str) -> bool:
        """No: records are upserted by unique properties only."""
        return False

    def refuses_taken(self, object: str, field: str) -> bool:
        """No: of a batch that creates records, one that is refused refuses all."""
        return False

    def normal(self, value: Value) -> str:
        """A value as HubSpot returns it, as text."""
        return normal(value)

    def comparing(self, object: str, field: str) -> Compare | None:
        """How every property is compared, also where a search is for one value of it."""
        return folded

    def describe(self, objects: Iterable[str]) -> TargetSchema:
        """The properties of these objects, without those that are missing; `owners` are HubSpot's users."""
        names = list(objects)
        described, refused = each([name for name in names if name != "owners"], partial(describe, self._calls))
        unread = problems(refused, all_of_them=not described)
        there = {name: own for name, own in described.items() if own} | (
            {"owners": OWNERS} if "owners" in names else {}
        )
        return TargetSchema(label=self.crm.account, crm=self.crm.name, objects=there, unread=unread)

    def recall(self, kept: TargetSchema) -> None:
        """Do nothing: every property takes text, so that nothing we send depends on the schema."""

    def provisioner(self) -> HubSpotProvisioner:
        """The provisioner that prepares this portal for a mapping."""
        return HubSpotProvisioner(self._calls)

    def bench(self) -> HubSpotBench:
        """What a trial may do to this portal besides delivering."""
        return HubSpotBench(self._calls)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


class _Client:
    """HubSpot's client, kept for reuse: each access to one of its APIs would open new connections."""

    def __init__(
        self, token: str, host: str, on_call: CallLog, limits: Limits, version: str, *, insecure: bool
    ) -> None:
        with _logging_unchanged():
            self._api = hubspot.HubSpot(access_token=token, host=host.rstrip("/"), retry=False).crm.objects.batch_api
        bound(self._api.api_client.rest_client.pool_manager, limits, unencrypted=insecure)
        self._on_call, self._timeout, self._version = on_call, (limits.connect, limits.read), version
        self.usage: tuple[int, int] | None = None
        self.date = ""

    def send(self, path: Path, parts: Mapping[str, str], query: Query, body: Any) -> Reply:
        """Send one request; errors of the network or of HubSpot come back as a reply."""
        started = time.perf_counter()
        reply = self._answer(path, parts, query, body)
        self.date = reply.headers.get("date", "")
        self.usage = daily_usage(reply) or self.usage
        duration_ms = (time.perf_counter() - started) * 1000
        self._on_call(path.method, path.shown(parts, self._version), reply.status, duration_ms)
        return reply

    def _answer(self, path: Path, parts: Mapping[str, str], query: Query, body: Any) -> Reply:
        try:
            answer = self._api.api_client.call_api(
                path.of(self._version),
                path.method,
                dict(parts),
                list(query),
                {"Accept": "application/json", "Content-Type": "application/json"},
                body=body,
                auth_settings=["oauth2"],
                _preload_content=False,
                _request_timeout=self._timeout,
            )
            return _reply(answer.status, answer.headers, answer.data)
        except ApiException as error:
            return _reply(error.status, error.headers, (error.body or "").encode())
        except (UnicodeDecodeError, AttributeError) as error:
            return _undecoded(error)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            return Reply(0, broken=broken_limit(error))

    def close(self) -> None:
        self._api.api_client.close()
        self._api.api_client.rest_client.pool_manager.clear()


def _reply(status: int, headers: Mapping[str, str] | None, body: bytes) -> Reply:
    return Reply(status or 0, {name.lower(): text for name, text in (headers or {}).items()}, body)


def _undecoded(error: Exception) -> Reply:
    """The reply to an error whose body the client could not decode: its own exception is hidden in the context."""
    api_error = error.__context__
    if not isinstance(api_error, ApiException):
        problem = f"HubSpot's client library failed ({type(error).__name__}): reinstall the connector's dependencies"
        raise DestinationUnusable("HubSpot", PauseReason.CLIENT, problem) from None
    return _reply(api_error.status, api_error.headers, b"")


@contextmanager
def _logging_unchanged() -> Iterator[None]:
    """Undo the changes that the client's Configuration makes to global logging."""
    loggers = [logging.getLogger(name) for name in ("urllib3", "hubspot.crm.objects")]
    levels, debuglevel = [logger.level for logger in loggers], http.client.HTTPConnection.debuglevel
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
        http.client.HTTPConnection.debuglevel = debuglevel
        connections = logging.getLogger("urllib3.connectionpool")
        connections.setLevel(max(connections.level, logging.INFO))  # DEBUG logs URLs, and ours may hold an address


def connect(settings: HubSpotSettings, on_call: CallLog) -> HubSpot:
    """Open the portal that an agency file describes, without calling it yet."""
    return HubSpot(
        settings.auth,
        endpoint=settings.endpoint,
        on_call=on_call,
        version=settings.api_version or VERSION,
        insecure=settings.insecure,
    )
