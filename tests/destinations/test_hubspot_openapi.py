"""Our requests and the sandbox's replies against HubSpot's own OpenAPI descriptions, where copies are at hand."""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hubspot
import pytest
from flask import Response

from connector.destinations import VENDORS
from connector.destinations import hubspot as package
from connector.destinations.base import Link, Outcome
from connector.destinations.guide import Needs
from connector.destinations.hubspot import calls
from connector.destinations.hubspot.settings import LEGACY
from connector.mapping import load, shipped_folder
from connector.mapping.demands import demands
from connector.model import Mode
from connector.sandbox.hubspot import HubSpotSandbox
from tests.destinations.hubspot_fixtures import a_call, a_contact, sandbox_and_destination
from tests.destinations.openapi import NOT_COPIED, VERSIONS, Referee, description

ADA = "ada@example.org"
Refereed = tuple[HubSpotSandbox, Any, Referee]


def _nameless(path: str) -> str:
    return re.sub(r"{\w+}", "{}", path)


def ours() -> set[calls.Path]:
    """Every path that a module of the package names."""
    names = [module.name for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}.")]
    values = [value for name in names for value in vars(importlib.import_module(name)).values()]
    return {value for value in values if isinstance(value, calls.Path)}


def of_the_client() -> set[tuple[str, str]]:
    """The method and path of each call that HubSpot's own client library makes."""
    source = "".join(file.read_text() for file in Path(hubspot.__file__).parent.rglob("api/*.py"))
    found = re.findall(r'"(/[^"]+)",\s*(?:method=)?"([A-Z]+)"', source)
    return {(method, _nameless(path)) for path, method in found}


def test_what_no_description_has_is_called_as_hubspots_own_client_calls_it():
    unknown = {(one.method, _nameless(one.of(LEGACY))) for one in NOT_COPIED} - of_the_client()
    assert unknown == {("GET", "/integrations/v1/me")}  # older than the client
    assert ours() >= NOT_COPIED


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    """Each version of which a description is at hand."""
    named: str = request.param
    if not description(named).is_file():
        pytest.skip(f"HUBSPOT_OPENAPI names no copy of HubSpot's OpenAPI description of {named}")
    return named


@pytest.fixture
def refereed(version: str) -> Iterator[Refereed]:
    with sandbox_and_destination(version=version, index_lag=0.0) as (sandbox, hubspot):
        yield sandbox, hubspot, Referee(sandbox, replies=True)


class TestHubSpotsOwnDescription:
    def test_it_has_every_path_of_ours(self, version):
        paths = json.loads(description(version).read_text())["paths"]
        described = {(method.upper(), _nameless(path)) for path, methods in paths.items() for method in methods}
        assert {(one.method, _nameless(one.of(version))) for one in ours() - NOT_COPIED} <= described

    def test_writing_fits_it_in_both_directions(self, refereed):
        sandbox, hubspot, referee = refereed
        by_hand = sandbox.put("contacts", email="ada@example.org")
        hubspot.write(
            [
                a_contact("c-1", id=by_hand, do_not_call=True, annual_household_income=41000, city=None),
                a_contact("c-2", hs_language="la", consent=frozenset({"firstname"})),
                a_contact("c-3", mode=Mode.UPDATE),
                a_contact("c-4", email="ADA@example.org"),
                a_call("k-1", links=(Link("contacts", by_hand), Link("contacts", "4711")), hs_call_body="a<b"),
            ]
        )
        assert referee.verdicts == []
        assert len(referee.judged) == 6

    def test_a_refused_batch_fits_it(self, refereed):
        sandbox, hubspot, referee = refereed
        made = sandbox.put("contacts", email="ada@example.org")
        hubspot.write([a_contact("c-1", id=made), a_contact("c-2", id=made)])
        assert referee.verdicts == []
        assert len(referee.judged) == 3

    def test_reading_fits_it(self, refereed):
        sandbox, hubspot, referee = refereed
        sandbox.put("contacts", email="ada@example.org", city="Phoenix")
        hubspot.find("contacts", "email", ["ada@example.org", "nobody@example.org"], ["firstname", "city"])
        hubspot.find("contacts", "city", ["Phoenix"], [])
        hubspot.describe(["contacts", "calls"])
        hubspot.find("owners", "email", ["priya@youragency.com"], ["id"])
        hubspot.account()
        assert referee.verdicts == []
        assert len(referee.judged) == 9

    def test_creating_and_looking_for_a_holder_fit_it(self, refereed):
        sandbox, hubspot, referee = refereed
        sandbox.put("contacts", email="ada@example.org")
        hubspot.write([a_call("k-1", unique=False), a_call("k-2", unique=False, hs_call_status="lost")])
        sandbox.state.names_holders = False
        hubspot.write([a_contact(email="ada@example.org")])
        assert referee.verdicts == []
        assert len(referee.judged) == 3

    def test_what_a_trial_asks_for_besides_fits_it(self, refereed):
        sandbox, hubspot, referee = refereed
        contact = sandbox.put("contacts", email="ada@example.org")
        (call,) = hubspot.write([a_call("k-1", links=(Link("contacts", contact),))])
        assert hubspot.bench().linked("calls", call.id, "contacts") == {contact}
        assert hubspot.bench().unique_fields.add("contacts", "carecycle_trial_1").unique
        assert referee.verdicts == []

    def test_the_referee_sees_a_foul(self, refereed):
        sandbox, hubspot, referee = refereed
        sandbox.app.after_request(lambda _: Response('{"results": [{}]}', 200, content_type="application/json"))
        assert isinstance(hubspot.find("contacts", "email", [ADA], [])[ADA], Outcome)
        assert len(referee.verdicts) == 1

    def test_preparing_a_portal_fits_it(self, version):
        with sandbox_and_destination(version=version, custom=False) as (sandbox, hubspot):
            referee, provisioner = Referee(sandbox, replies=True), hubspot.provisioner()
            loaded = load(shipped_folder() / "hubspot.yaml", shipped=shipped_folder(), crms=VENDORS)
            assert loaded.written is not None
            done = provisioner.apply(provisioner.plan(demands(*loaded.written)).steps)
        assert [one.problem for one in done] == [""] * 6
        assert referee.verdicts == []

    def test_looking_at_the_set_up_fits_it(self, refereed):
        _, hubspot, referee = refereed
        loaded = load(shipped_folder() / "hubspot.yaml", shipped=shipped_folder(), crms=VENDORS)
        assert loaded.written is not None
        looks = list(hubspot.provisioner().access(Needs(loaded.mapping, demands(*loaded.written))))
        assert [look.standing for look in looks] == ["done", "done"]
        assert referee.verdicts == []

    def test_opting_out_fits_it(self, refereed):
        _, hubspot, referee = refereed
        hubspot.write([a_contact(unsubscribe="ada@example.org")])
        assert referee.verdicts == []
        assert len(referee.judged) == 2
