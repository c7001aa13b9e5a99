"""doctor on careCycle's API: what an agency would otherwise find out in the middle of a backfill."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connector.running.findings import Health
from connector.running.source_check import check_source
from connector.sandbox.carecycle import KEY, PARAMETERS, CareCycleSandbox
from connector.sandbox.carecycle.book import Book
from connector.sandbox.hubspot import HubSpotSandbox
from connector.source.client import CareCycle
from connector.source.settings import CareCycleSettings
from tests.cli.test_doctor import Installation
from tests.source.test_client import Pace

API = "sunrise: careCycle's API"


@pytest.fixture
def sandbox() -> Iterator[CareCycleSandbox]:
    sandbox = CareCycleSandbox(Book(231), a_minute=0)
    with sandbox:
        yield sandbox


def found(sandbox: CareCycleSandbox, **settings: Any) -> dict[str, Health]:
    given = {"api_key": KEY, "endpoint": sandbox.url, **settings}
    own = CareCycleSettings.model_validate(given)
    source = CareCycle("sunrise", own, Pace(), lambda _: None)
    try:
        checked = list(check_source(source, "sunrise", own.parameters))
    finally:
        source.close()
    return {finding.thing.removeprefix(API).removeprefix(": "): finding.health for finding in checked}


class TestTheCheck:
    def test_a_sound_account_is_fine_after_a_handful_of_requests(self, sandbox: CareCycleSandbox) -> None:
        things = ["", "page size", "pages", "order", "one customer", "consent flags", "calls"]
        assert found(sandbox) == dict.fromkeys(things, Health.FINE)
        assert len(sandbox.seen) == 4

    @pytest.mark.parametrize(
        ("name", "thing", "health"),
        [
            ("page", "pages", Health.WRONG),
            ("size", "page size", Health.DOUBTFUL),
            ("sort", "order", Health.FINE),  # it sorts by this anyway
            ("direction", "order", Health.DOUBTFUL),
        ],
    )
    def test_a_parameter_of_another_name_is_found(
        self, sandbox: CareCycleSandbox, name: str, thing: str, health: Health
    ) -> None:
        sandbox.parameters = {**PARAMETERS, name: "another"}
        results = found(sandbox)
        assert results.pop(thing) is health
        assert set(results.values()) == {Health.FINE}

    def test_what_the_key_may_not_do_is_named(self, sandbox: CareCycleSandbox) -> None:
        sandbox.forbidden = {"calls", "customer"}
        results = found(sandbox)
        assert (results[""], results["calls"], results["one customer"]) == (
            Health.FINE,
            Health.DOUBTFUL,
            Health.DOUBTFUL,
        )

    def test_flags_that_are_not_shown_are_named(self, sandbox: CareCycleSandbox) -> None:
        sandbox.shows_flags = False
        assert found(sandbox)["consent flags"] is Health.DOUBTFUL

    def test_a_bad_key_is_wrong(self, sandbox: CareCycleSandbox) -> None:
        assert found(sandbox, api_key="cc_another") == {"": Health.WRONG}

    def test_an_empty_book_leaves_the_rest_open(self) -> None:
        sandbox = CareCycleSandbox(a_minute=0)
        with sandbox:
            assert found(sandbox) == {"": Health.DOUBTFUL}


class TestDoctor:
    def test_it_tries_the_api_of_an_agency_that_has_a_key(self, tmp_path: Path, sandbox: CareCycleSandbox) -> None:
        crm = HubSpotSandbox()
        with crm as url:
            installed = Installation(tmp_path, url, crm)
            assert API not in installed.found()
            block = f"{{api_key: {KEY}, endpoint: '{sandbox.url}', requests_a_minute: 6000}}"
            installed.write(url, f"carecycle: {block}\n")
            assert installed.found()[API]["health"] == "fine"
