"""A list of HubSpot's whose pages never end is given up, and nobody passes for missing because of it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable

import pytest
from flask import Response

from connector.destinations.base import Found, Outcome, Verdict
from connector.destinations.hubspot.account import HubSpot
from connector.destinations.hubspot.cursors import PAGES
from connector.sandbox.hubspot import HubSpotSandbox
from connector.sandbox.hubspot.limits import Tier
from tests.destinations.conftest import HubSpotPair
from tests.destinations.hubspot_fixtures import sandbox_and_destination

ADA = {"id": "7", "email": "ada@example.org", "properties": {"city": "Mesa"}}


def leading_on(cursors: Callable[[], object]) -> Callable[..., Response]:
    """A page with one record, and the cursor of a further page each time."""

    def answer(_: object) -> Response:
        page = {"results": [ADA], "paging": {"next": {"after": str(cursors())}}}
        return Response(json.dumps(page), 200, content_type="application/json")

    return answer


@pytest.fixture
def hubspot_pair() -> object:
    with sandbox_and_destination(index_lag=0.0, tier=Tier(searches=10_000)) as both:
        yield both


@pytest.fixture(params=["the same page again", "always another page"])
def endless(request: pytest.FixtureRequest, hubspot_pair: HubSpotPair) -> HubSpotPair:
    numbers = itertools.count(1)
    again = request.param == "the same page again"
    for path in ("/search", "/owners"):
        hubspot_pair[0].fault(path, leading_on(lambda: 1 if again else next(numbers)), times=10_000)
    return hubspot_pair


class TestAListWithoutAnEnd:
    def test_of_a_search_answers_nothing_but_puts_the_record_off(self, endless: HubSpotPair) -> None:
        portal, hubspot = endless
        for city, answer in hubspot.find("contacts", "city", ["Mesa", "Tucson"], []).items():
            assert isinstance(answer, Outcome), city
            assert (answer.verdict, answer.code) == (Verdict.DEFERRED, "LIST_ENDLESS")
        assert len(portal.calls("/search")) <= PAGES

    def test_of_owners_answers_whom_it_has_and_puts_off_who_needs_another(self, endless: HubSpotPair) -> None:
        portal, hubspot = endless
        answers = hubspot.find("owners", "email", ["ada@example.org", "priya@youragency.com"], ["id"])
        assert answers["ada@example.org"] == [Found("7", {"id": "7"})]
        missing = answers["priya@youragency.com"]
        assert isinstance(missing, Outcome)
        assert (missing.verdict, missing.code) == (Verdict.DEFERRED, "LIST_ENDLESS")
        assert len(portal.calls("/owners")) <= PAGES


def test_a_list_of_several_pages_is_read_to_its_end(portal: HubSpotSandbox, hubspot: HubSpot) -> None:
    for _ in range(401):
        portal.put("contacts", city="Mesa")
    (answer,) = hubspot.find("contacts", "city", ["Mesa"], []).values()
    assert isinstance(answer, list)
    assert len(answer) == 401
