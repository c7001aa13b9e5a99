"""Whatever comes instead of a CRM's reply is an unreadable reply at worst, and never a crash."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest
from flask import Response

from connector.destinations.base import Verdict
from connector.errors import ACCOUNT_WIDE, DestinationUnusable
from tests.destinations import hubspot_fixtures, salesforce_fixtures

JSON = "application/json;charset=utf-8"
HALF = gzip.compress(b'{"results": []}' * 100)[:40]
BODIES: dict[str, tuple[bytes, dict[str, str]]] = {
    "deep": (b'{"results":' + b"[" * 100_000, {}),
    "deep and closed": (b"[" * 100_000 + b"]" * 100_000, {}),
    "deep in a message": (b'{"message": "not valid: ' + rb"[{\"a\":" * 30_000 + b'", "category": "X"}', {}),
    "a huge number": (b'{"results": [{"id": ' + b"9" * 5_000 + b'}], "errors": ' + b"9" * 5_000 + b"}", {}),
    "huge in a list": (b'[{"success": true, "id": ' + b"9" * 5_000 + b', "errors": []}]', {}),
    "infinity": (b'{"results": [{"id": 1e999}], "errors": [NaN]}', {}),
    "invalid UTF-8": (b'{"message": "\xff\xfe"}', {}),
    "another encoding": ('{"message": "Ä"}'.encode("utf-16"), {}),
    "half of a gzip": (HALF, {"content-encoding": "gzip"}),
    "no gzip at all": (b'{"results": []}', {"content-encoding": "gzip"}),
    "nothing": (b"", {}),
    "null": (b"null", {}),
    "a number": (b"7", {}),
    "a text": (b'"no"', {}),
    "a list of nulls": (b"[null, null]", {}),
    "zero bytes": (b"\x00" * 64, {}),
    "a page": (b"<html></html>", {"content-type": "text/html"}),
}


@pytest.fixture(params=["hubspot", "salesforce"])
def crm(request: pytest.FixtureRequest) -> Iterator[tuple[Any, Any, Any]]:
    """A sandbox, the destination that writes to it, and a row."""
    pair: AbstractContextManager[Any]
    if request.param == "hubspot":
        pair, row = hubspot_fixtures.sandbox_and_destination(), hubspot_fixtures.a_contact()
    else:
        pair, row = salesforce_fixtures.sandbox_and_destination(), salesforce_fixtures.a_contact()
    with pair as (sandbox, destination):
        yield sandbox, destination, row


@pytest.mark.parametrize("status", [200, 400, 500, *(pytest.param(n, marks=pytest.mark.slow) for n in (204, 207, 404))])
@pytest.mark.parametrize("name", BODIES)
class TestAStrayBody:
    def answers(self, crm: Any, name: str, status: int, ask: Callable[[Any], Any]) -> Any:
        """What our side makes of it: a result, or the error that pauses the lane."""
        sandbox, destination, _ = crm
        body, headers = BODIES[name]
        reply = Response(body, status, {"content-type": JSON, **headers})
        sandbox.fault("", lambda _: reply, times=1_000)
        try:
            return ask(destination)
        except DestinationUnusable as error:
            return error

    def test_never_delivers_nor_rejects_a_row_for_good_unless_it_was_refused(
        self, crm: Any, name: str, status: int
    ) -> None:
        result = self.answers(crm, name, status, lambda destination: destination.write([crm[2]]))
        if isinstance(result, DestinationUnusable):
            assert status < 500 or result.reason in ACCOUNT_WIDE
        else:
            assert result[0].verdict is Verdict.DEFERRED or status in (400, 404)

    def test_is_no_answer_to_a_search(self, crm: Any, name: str, status: int) -> None:
        result = self.answers(crm, name, status, lambda it: it.find(crm[2].key.object, crm[2].key.field, ["x"], ()))
        if not isinstance(result, DestinationUnusable) and status not in (400, 404):
            assert result["x"].verdict is Verdict.DEFERRED

    def test_is_no_schema(self, crm: Any, name: str, status: int) -> None:
        result = self.answers(crm, name, status, lambda destination: destination.describe([crm[2].key.object]))
        assert isinstance(result, DestinationUnusable) or status in (400, 404)
