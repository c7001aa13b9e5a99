"""A server that never comes to an end holds nobody: each exchange has a total deadline and a largest reply."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import requests

from connector.destinations import deadline
from connector.destinations.base import Verdict
from connector.destinations.deadline import SHORT, Limits, broken_limit
from connector.destinations.hubspot import account as hubspot
from connector.destinations.hubspot.auth import HubSpotAuth
from connector.destinations.salesforce import account as salesforce
from connector.errors import DestinationUnusable
from tests.destinations import hubspot_fixtures, salesforce_fixtures
from tests.destinations.servers import AT_ONCE, NEVER_DONE, NEVER_SMALL, serving
from tests.patience import one_in_three

SOON = replace(SHORT, read=0.3, total=0.4, size=1 << 20)


def bounded(call: Callable[[], Any]) -> Any:
    began = time.monotonic()
    result = call()
    assert time.monotonic() - began < AT_ONCE
    return result


def paused(destination: Any, row: Any) -> DestinationUnusable:
    with pytest.raises(DestinationUnusable) as caught:
        destination.write([row])
    return caught.value


def to_hubspot(port: int, limits: Limits = SOON) -> Any:
    auth = HubSpotAuth.model_validate({"access_token": "t"})
    options: dict[str, Any] = {"on_call": lambda *_: None, "sleep": lambda _: None, "limits": limits}
    return hubspot.HubSpot(auth, endpoint=f"http://127.0.0.1:{port}", **options)


def to_salesforce(port: int, limits: Limits = SOON, **auth: Any) -> Any:
    options: dict[str, Any] = {"on_call": lambda *_: None, "sleep": lambda _: None, "limits": limits, "tries": 1}
    session = {"flow": "session", "session_id": "s", "instance_url": "https://x.my.salesforce.com"}
    given = salesforce_fixtures.credentials(**auth or session)
    return salesforce.Salesforce(given, endpoint=f"http://127.0.0.1:{port}", **options)


@pytest.mark.parametrize("name", NEVER_DONE)
class TestAServerThatIsNeverDone:
    def test_is_given_up(self, name: str) -> None:
        opened = deadline.session(SOON)
        with serving(NEVER_DONE[name]) as (port, _), opened as session, pytest.raises(requests.Timeout):
            bounded(lambda: session.post(f"http://127.0.0.1:{port}", data=b"{}"))

    def test_pauses_a_salesforce_lane(self, name: str) -> None:
        with serving(NEVER_DONE[name]) as (port, _):
            error = bounded(lambda: paused(to_salesforce(port), salesforce_fixtures.a_contact()))
        assert error.reason == "unreachable"

    def test_does_not_hold_a_login(self, name: str) -> None:
        given = {"client_id": "c", "client_secret": "s", "domain": "youragency.my"}
        with serving(NEVER_DONE[name]) as (port, _):
            crm = to_salesforce(port, flow="client_credentials", **given)
            assert bounded(lambda: paused(crm, salesforce_fixtures.a_contact())).reason == "unreachable"

    def test_of_hubspot_is_asked_only_once_for_what_is_not_idempotent(self, name: str) -> None:
        row = hubspot_fixtures.a_call(unique=False)

        def asked_once() -> None:
            with serving(NEVER_DONE[name]) as (port, heard):
                error = bounded(lambda: paused(to_hubspot(port), row))
            assert (error.reason, [b"batch/create" in one for one in heard]) == ("network", [True])

        one_in_three(asked_once)  # where the machine stands still, it may be given up before it was heard


@pytest.mark.parametrize("name", NEVER_SMALL)
class TestAServerWhoseReplyIsHuge:
    def test_is_given_up_without_keeping_it(self, name: str) -> None:
        tracemalloc.start()
        opened, failing = (
            deadline.session(replace(SHORT, total=AT_ONCE, read=AT_ONCE, size=SOON.size)),
            pytest.raises(requests.RequestException),
        )
        with serving(NEVER_SMALL[name]) as (port, _), opened as session, failing as caught:
            session.get(f"http://127.0.0.1:{port}")
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert broken_limit(caught.value) == "the answer is larger than 1,048,576 bytes"
        assert peak < 24 << 20


class TestWhatIsToldOfIt:
    def test_names_what_took_too_long(self) -> None:
        limits = replace(SOON, read=AT_ONCE)
        with serving(NEVER_DONE["drips its body"]) as (port, _):
            ours = [paused(to_hubspot(port, limits), hubspot_fixtures.a_contact())]
            ours += [paused(to_salesforce(port, limits), salesforce_fixtures.a_contact())]
        assert [error.problem.count("no complete answer within 0.4 s") for error in ours] == [1, 1]


class TestAnOrdinaryReply:
    def test_leaves_the_connection_to_the_next_call(self) -> None:
        with hubspot_fixtures.sandbox_and_destination() as (sandbox, crm):
            outcomes = [crm.write([hubspot_fixtures.a_contact(key)])[0] for key in ("c-1", "c-2")]
            ports = {seen.headers.get("Host") for seen in sandbox.seen}
        assert ([one.verdict for one in outcomes], len(ports)) == ([Verdict.DELIVERED] * 2, 1)
