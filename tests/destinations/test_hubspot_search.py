"""A value that HubSpot cannot be asked for spoils the search for no other."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask import Response, request

from connector.destinations.base import Outcome, Verdict
from connector.model import Mode
from connector.sandbox.hubspot.limits import Tier
from tests.destinations.hubspot_fixtures import a_contact, sandbox_and_destination


@pytest.fixture
def hubspot_pair() -> Any:
    with sandbox_and_destination(index_lag=0.0, tier=Tier(searches=1_000)) as both:
        yield both


CODES = ["VALIDATION_ERROR", "SOMETHING_NEW"]


BY_KEY_AND_BY_SEARCH = pytest.mark.parametrize("field", ["carecycle_id", "city"])


def refused_for(portal: Any, text: str, category: str) -> None:
    """Refuse every read that asks for this text, except the first attempt to read by a property not unique."""

    def answer(proceed: Any) -> Response:
        asked = json.dumps(request.get_json(silent=True))
        unique = request.path.endswith("/search") or '"city"' not in asked
        if text in asked and unique:
            body = {"status": "error", "message": f"made-up {text}", "category": category}
            return Response(json.dumps(body), 400, content_type="application/json")
        response: Response = proceed()
        return response

    portal.fault("/contacts", answer, times=10_000)


def refusal(answer: Any) -> Outcome:
    assert isinstance(answer, Outcome)
    return answer


class TestValuesThatNoRecordCanHave:
    @pytest.mark.parametrize("value", ["CRM-48213", "1.5", "9" * 30, "²", ""])
    def test_an_id_that_is_no_number_is_never_asked_for(self, portal, hubspot, value):
        assert hubspot.find("contacts", "id", [value], []) == {value: []}
        assert portal.seen == []

    @pytest.mark.parametrize("code", ["INVALID_LONG", "INVALID_OPTION", "PROPERTY_VALUE_TOO_LONG"])
    def test_a_value_the_property_cannot_hold_is_one_nobody_has(self, portal, hubspot, code):
        refused_for(portal, "c-1", code)
        assert hubspot.find("contacts", "carecycle_id", ["c-1"], []) == {"c-1": []}


class TestReadsHubSpotRefuses:
    @BY_KEY_AND_BY_SEARCH
    @pytest.mark.parametrize("code", CODES)
    def test_the_culprit_is_found_by_halves_and_the_others_are_answered(self, portal, hubspot, field, code):
        values = [f"value-{number:02}" for number in range(64)]
        for value in values:
            portal.put("contacts", **{field: value})
        refused_for(portal, "value-37", code)
        answers = hubspot.find("contacts", field, values, [])
        culprit = refusal(answers.pop("value-37"))
        assert (culprit.verdict, culprit.code, culprit.fields) == (Verdict.REJECTED, "UNQUERYABLE", (field,))
        assert all(len(matches) == 1 for matches in answers.values())
        assert "value-37" not in repr(culprit)

    @BY_KEY_AND_BY_SEARCH
    def test_the_calls_for_culprits_have_a_limit_and_the_rest_is_deferred(self, portal, hubspot, field):
        refused_for(portal, "value", "VALIDATION_ERROR")
        answers = hubspot.find("contacts", field, [f"value-{number:02}" for number in range(100)], [])
        verdicts = [refusal(answer).verdict for answer in answers.values()]
        assert verdicts.count(Verdict.REJECTED) >= 10
        assert verdicts.count(Verdict.DEFERRED) > 50
        assert len(portal.seen) < 40

    def test_a_property_and_an_object_that_are_missing_are_named_by_one_call(self, portal, hubspot):
        portal.fault("/contacts", portal.refused(400, "PROPERTY_DOESNT_EXIST"), times=9)
        answers = hubspot.find("contacts", "nickname", ["Marc", "Ann"], [])
        assert {refusal(answer).code for answer in answers.values()} == {"PROPERTY_DOESNT_EXIST"}
        assert len(portal.seen) == 1
        assert refusal(hubspot.find("pets", "name", ["Rex"], [])["Rex"]).code == "OBJECT_TYPE_UNKNOWN"

    @pytest.mark.parametrize("mode", [Mode.UPDATE, Mode.CREATE])
    def test_a_row_whose_key_cannot_be_searched_for_is_refused_and_not_taken_for_new(self, portal, hubspot, mode):
        portal.put("contacts", carecycle_id="c-2")
        refused_for(portal, '"id": "c-1"', "VALIDATION_ERROR")
        outcomes = hubspot.write([a_contact(key, mode=mode) for key in ("c-1", "c-2")])
        assert (outcomes[0].verdict, outcomes[0].code) == (Verdict.REJECTED, "UNQUERYABLE")
        assert outcomes[1].code != "UNQUERYABLE"
