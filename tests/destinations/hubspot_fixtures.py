"""A HubSpot sandbox and a destination that writes to it, and rows whose defaults are valid."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from connector.destinations.base import CallLog, Row
from connector.destinations.deadline import Limits
from connector.destinations.hubspot.account import LIMITS, HubSpot
from connector.destinations.hubspot.auth import HubSpotAuth
from connector.destinations.hubspot.settings import VERSION
from connector.model import RecordKey
from connector.sandbox.hubspot import HubSpotSandbox
from tests.destinations.openapi import Referee


@contextmanager
def sandbox_and_destination(
    *,
    sleep: Callable[[float], None] = lambda _: None,
    on_call: CallLog = lambda *_: None,
    token: str | None = None,
    limits: Limits = LIMITS,
    version: str = VERSION,
    **knobs: Any,
) -> Iterator[tuple[HubSpotSandbox, HubSpot]]:
    sandbox = HubSpotSandbox(**knobs)
    auth = HubSpotAuth.model_validate({"access_token": token or sandbox.token})
    with sandbox as url:
        short = {"sleep": sleep, "jitter": lambda: 0.0, "limits": limits}
        destination = HubSpot(auth, endpoint=url, on_call=on_call, version=version, **short)
        referee = Referee(sandbox)
        try:
            yield sandbox, destination
        finally:
            destination.close()
        assert not referee.verdicts, referee.verdicts


def a_contact(key: str = "c-1", /, **more: Any) -> Row:
    """A contact row; what is no attribute of Row is a property of the contact."""
    return _row(RecordKey("contacts", "carecycle_id", key), {"firstname": "Ada"}, more)


def a_call(key: str = "k-1", /, **more: Any) -> Row:
    return _row(RecordKey("calls", "carecycle_call_id", key), {"hs_timestamp": "2026-11-02T15:04:05Z"}, more)


def _row(key: RecordKey, fields: dict[str, Any], more: dict[str, Any]) -> Row:
    own = {
        name: more.pop(name)
        for name in ("id", "mode", "consent", "links", "unsubscribe", "unique", "known", "keyed", "held")
        if name in more
    }
    return Row(key, {**fields, **more}, **own)
