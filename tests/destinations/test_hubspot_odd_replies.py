"""HubSpot's replies are read entry by entry: one odd part never decides about the good ones."""

from __future__ import annotations

import json

import pytest

from connector.destinations.base import Verdict
from connector.destinations.hubspot.replies import ErrorBody, Reply, parse
from tests.destinations.hubspot_fixtures import a_contact
from tests.replies.parts import parts_of, with_part

UPSERTS = "contacts/batch/upsert"
PARTLY = {
    "status": "COMPLETE",
    "results": [
        {
            "id": "701",
            "properties": {"carecycle_id": "c-0", "hs_object_id": "701"},
            "createdAt": "2026-10-01T10:00:00.000Z",
            "archived": False,
            "objectWriteTraceId": "0",
            "new": True,
        }
    ],
    "numErrors": 1,
    "errors": [
        {
            "status": "error",
            "category": "VALIDATION_ERROR",
            "message": 'Property values were not valid: [{"error":"INVALID_OPTION","name":"hs_language"}]',
            "context": {"objectWriteTraceId": ["1"]},
            "errors": [{"message": "m", "code": "INVALID_OPTION", "context": {"propertyName": ["hs_language"]}}],
            "links": {},
        }
    ],
}
"""A 207: the first row was written, the second was not."""


@pytest.mark.parametrize("odd", [None, 7, 1.5, True, "text", "{propertyName=[hs_language]}", [], [None], {}, {"x": {}}])
class TestAnOddPart:
    def test_of_a_207_never_hides_the_row_that_was_written(self, portal, hubspot, odd):
        for way in parts_of(PARTLY):
            if way[:1] in ((), ("results",)):
                continue
            portal.fault(UPSERTS, portal.empty_2xx(207, json.dumps(with_part(PARTLY, way, odd))))
            written, other = hubspot.write([a_contact("c-0"), a_contact("c-1")])
            assert (written.verdict, written.id) == (Verdict.DELIVERED, "701"), way
            assert other.verdict in (Verdict.DEFERRED, Verdict.REJECTED), way

    def test_of_what_was_written_never_stops_the_lane(self, portal, hubspot, odd):
        for way in parts_of(PARTLY["results"], ("results",)):
            if way == ("results",):
                continue
            portal.fault(UPSERTS, portal.empty_2xx(207, json.dumps(with_part(PARTLY, way, odd))))
            written, other = hubspot.write([a_contact("c-0"), a_contact("c-1")])
            assert written.verdict in (Verdict.DELIVERED, Verdict.DEFERRED), way
            assert other.verdict in (Verdict.DEFERRED, Verdict.REJECTED), way


class TestAContextAsText:
    """HubSpot's reference prints it so: https://developers.hubspot.com/docs/api-reference/error-handling"""

    def test_names_the_property(self):
        error = {"errors": [{"code": "INVALID_OPTION", "context": "{propertyName=[hs_language], x=7}"}]}
        body = parse(ErrorBody, Reply(400, body=json.dumps(error).encode()))
        assert body is not None
        assert body.errors[0].context == {"propertyName": ["hs_language"], "x": ["7"]}
