"""What trial says of records of which nobody knows whether they were made, and of those that come back."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Response

from connector.sandbox.hubspot import HubSpotSandbox
from tests.cli.provisioning import Agency, Opened, opening

NOT_UNIQUE = "extends: hubspot\nrecords: {call: {unique_key: false, key: {hs_call_external_id: call.id}}}\n"


@pytest.fixture
def portal(tmp_path: Path) -> Iterator[Opened]:
    yield from opening(tmp_path, HubSpotSandbox, "hubspot")


def tried(agency: Agency, *arguments: str) -> dict[str, Any]:
    (said,) = json.loads(agency.run("trial", "--yes", "--json", *arguments).stdout)
    return dict(said)


def ending(agency: Agency) -> Callable[[Callable[[], Response]], Response]:
    """A fault: handle the request, and let the token end before its reply."""

    def answer(handle: Callable[[], Response]) -> Response:
        handle()
        agency.sandbox.tokens.clear()
        return Response('{"category": "EXPIRED_AUTHENTICATION"}', 401, content_type="application/json")

    return answer


class TestAnUnsureRecord:
    @pytest.mark.slow
    def test_one_that_the_search_does_not_show_yet_is_named(self, portal: Opened) -> None:
        agency = portal(NOT_UNIQUE)
        agency.sandbox.fault("/calls/batch/create", agency.sandbox.lose_reply)
        said, (call,) = tried(agency), agency.sandbox.records("calls")
        assert [(left["object"], left["id"]) for left in said["left"]] == [("calls", "")]
        assert call["hs_call_external_id"] in said["left"][0]["why"]

    @pytest.mark.parametrize("keep", [(), ("--keep",)])
    def test_one_written_as_the_token_ended_is_named(self, portal: Opened, keep: tuple[str, ...]) -> None:
        agency = portal()
        agency.sandbox.fault("/contacts/batch/upsert", ending(agency))
        said = tried(agency, *keep)
        assert [left["object"] for left in said["left"]] == ["contacts"]
        assert not said["works"]

    @pytest.mark.slow
    def test_one_with_a_unique_key_that_is_not_found_is_not_there(self, portal: Opened) -> None:
        agency = portal()
        odd = Response("<html></html>", 502, content_type="text/html")
        agency.sandbox.fault("/contacts/batch/upsert", odd, times=9)
        assert tried(agency)["left"] == []


class TestARecordThatComesBack:
    @pytest.mark.slow
    def test_is_deleted_once_more(self, portal: Opened) -> None:
        agency = portal()

        def restored(handle: Callable[[], Response]) -> Response:
            (*_, last) = (call.path for call in agency.sandbox.calls() if call.method == "DELETE")
            agency.sandbox.restore("contacts", last.rsplit("/", 1)[1])
            return handle()

        agency.sandbox.fault("/contacts/batch/upsert", restored, skip=2)
        said = tried(agency)
        assert "the deleted record is back" in str(said["tried"])
        assert (said["left"], agency.sandbox.records("contacts")) == ([], [])
