"""Our requests and the sandbox's replies against HubSpot's own OpenAPI description, where a copy is at hand."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Response, request

from connector.destinations import VENDORS
from connector.destinations.base import Link
from connector.errors import DestinationUnusable
from connector.mapping import load, shipped_folder
from connector.mapping.demands import demands
from connector.model import Mode
from connector.sandbox.hubspot import HubSpotSandbox
from tests.destinations.hubspot_fixtures import a_call, a_contact, sandbox_and_destination

SPECIFICATION = os.environ.get("HUBSPOT_OPENAPI", "")
pytestmark = pytest.mark.skipif(
    not Path(SPECIFICATION or "none").is_file(),
    reason="HUBSPOT_OPENAPI names no file: set it to a copy of HubSpot's OpenAPI description",
)
NOT_DESCRIBED = ("/crm/v3/owners",)


class Referee:
    """Judges each exchange of a sandbox; `verdicts` holds what was wrong, `judged` how many were looked at."""

    def __init__(self, sandbox: HubSpotSandbox) -> None:
        self.core = pytest.importorskip("openapi_core")
        self.wrappers = pytest.importorskip("openapi_core.contrib.werkzeug")
        description = json.loads(Path(SPECIFICATION).read_text())
        self.openapi = self.core.OpenAPI.from_dict({**description, "servers": [{"url": sandbox.url}]})
        self.verdicts: list[str] = []
        self.judged: list[str] = []
        sandbox.app.after_request(self.judge)

    def judge(self, response: Response) -> Response:
        if not request.path.startswith(NOT_DESCRIBED):
            self.judged.append(request.path)
            self._check(completed(response))
        return response

    def _check(self, response: Response) -> None:
        asked, told = self.wrappers.WerkzeugOpenAPIRequest(request), self.wrappers.WerkzeugOpenAPIResponse(response)
        checks = [lambda: self.openapi.validate_request(asked)]
        if response.data:  # opting out is answered by nothing unless one asks for more, says HubSpot's guide
            checks.append(lambda: self.openapi.validate_response(asked, told))
        for check in checks:
            try:
                check()
            except self.core.exceptions.OpenAPIError as error:
                self.verdicts.append(f"{request.method} {request.path} {response.status_code}: {reasons(error)}")


def reasons(error: BaseException) -> str:
    return "; ".join(str(one.message) for one in getattr(error.__cause__, "schema_errors", ())) or repr(error)


def completed(response: Response) -> Response:
    """HubSpot's own batch errors lack parts its description requires: fill those in."""
    body: Any = response.get_json(silent=True)
    if isinstance(body, dict) and response.status_code in (200, 207):
        for error in body.get("errors", []):
            error.update(errors=[], links={})
    text = response.get_data(as_text=True) if body is None else json.dumps(body)
    return Response(text, response.status_code, content_type="application/json")


@pytest.fixture
def refereed() -> Iterator[tuple[HubSpotSandbox, Any, Referee]]:
    with sandbox_and_destination(index_lag=0.0) as (sandbox, hubspot):
        yield sandbox, hubspot, Referee(sandbox)


class TestHubSpotsOwnDescription:
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
        assert referee.verdicts == []
        assert len(referee.judged) == 7

    def test_creating_and_looking_for_a_holder_fit_it(self, refereed):
        sandbox, hubspot, referee = refereed
        sandbox.put("contacts", email="ada@example.org")
        hubspot.write([a_call("k-1", unique=False), a_call("k-2", unique=False, hs_call_status="lost")])
        sandbox.state.names_holders = False
        hubspot.write([a_contact(email="ada@example.org")])
        assert referee.verdicts == []
        assert len(referee.judged) == 3

    def test_the_referee_sees_a_foul(self, refereed):
        sandbox, hubspot, referee = refereed
        sandbox.app.after_request(lambda _: Response('{"results": [{}]}', 200, content_type="application/json"))
        with pytest.raises(DestinationUnusable):
            hubspot.find("contacts", "email", ["ada@example.org"], [])
        assert len(referee.verdicts) == 1

    def test_preparing_a_portal_fits_it(self):
        with sandbox_and_destination(custom=False) as (sandbox, hubspot):
            referee, provisioner = Referee(sandbox), hubspot.provisioner()
            loaded = load(shipped_folder() / "hubspot.yaml", shipped=shipped_folder(), crms=VENDORS)
            assert loaded.written is not None
            done = provisioner.apply(provisioner.plan(demands(*loaded.written)).steps)
        assert [one.problem for one in done] == [""] * 6
        assert referee.verdicts == []

    def test_opting_out_fits_it(self, refereed):
        _, hubspot, referee = refereed
        hubspot.write([a_contact(unsubscribe="ada@example.org")])
        assert referee.verdicts == []
        assert len(referee.judged) == 2
