"""Every answer of HubSpot that concerns the whole account, as the table says it: asked again in place, or parked."""

from __future__ import annotations

import pytest

from connector.destinations.base import Verdict
from connector.destinations.hubspot.errors import FOR_ROWS, PATIENCE, POLICIES, PROBLEMS, TROUBLES
from connector.errors import DestinationUnusable
from tests.destinations.hubspot_fixtures import a_contact

UPSERTS = "/batch/upsert"
STATUSES = [status for status in TROUBLES if status not in (0, 429)]
LISTED = {423, 477, 500, 502, 503, 504, 521, 522, 523, 524, 525, 526, 401, 530, 403, 429, 400, 404, 409, 414}
"""The statuses of HubSpot's page on errors: https://developers.hubspot.com/docs/api-reference/error-handling"""


class TestTheTable:
    @pytest.mark.parametrize("status", STATUSES)
    def test_a_status_that_stays_pauses_the_lane_under_its_name(self, portal, hubspot, naps, status):
        trouble = TROUBLES[status]
        portal.fault(UPSERTS, portal.refused(status, ""), times=9)
        with pytest.raises(DestinationUnusable) as caught:
            hubspot.write([a_contact()])
        assert (caught.value.reason, caught.value.problem) == (trouble.reason, trouble.problem)
        assert len(portal.seen) == (1 if trouble.wait is None else 3)
        assert naps[:1] == ([] if trouble.wait is None else [trouble.wait])

    @pytest.mark.parametrize("status", [one for one in STATUSES if TROUBLES[one].wait is not None])
    def test_one_that_passes_costs_no_row_anything(self, portal, hubspot, status):
        portal.fault(UPSERTS, portal.refused(status, ""), times=2)
        assert hubspot.write([a_contact()])[0].verdict is Verdict.DELIVERED

    @pytest.mark.parametrize("policy", POLICIES)
    @pytest.mark.parametrize("after", [None, 4, 7200])
    def test_a_limit_is_waited_out_in_place_or_by_the_lane(self, portal, hubspot, naps, policy, after):
        trouble = POLICIES[policy]
        portal.fault(UPSERTS, portal.rate_limited(policy, retry_after=after), times=9)
        with pytest.raises(DestinationUnusable) as caught:
            hubspot.write([a_contact()])
        assert caught.value.reason == trouble.reason
        assert caught.value.retry_after == (after or trouble.park or trouble.wait)
        in_place = trouble.wait is not None and (after or 0) <= PATIENCE
        assert len(naps) == (2 if in_place else 0)

    @pytest.mark.parametrize("status", sorted(LISTED - FOR_ROWS))
    def test_every_status_hubspot_lists_is_told_apart_from_a_strange_one(self, portal, hubspot, status):
        portal.fault(UPSERTS, portal.refused(status, "SOME_CATEGORY"), times=9)
        with pytest.raises(DestinationUnusable) as caught:
            hubspot.write([a_contact()])
        assert caught.value.reason != "reply"

    @pytest.mark.parametrize("status", sorted(LISTED & FOR_ROWS))
    def test_those_about_what_was_sent_are_never_asked_again(self, portal, hubspot, status):
        portal.fault(UPSERTS, portal.refused(status, "VALIDATION_ERROR"), times=9)
        assert hubspot.write([a_contact()])[0].verdict is Verdict.REJECTED
        assert len(portal.seen) == 1

    @pytest.mark.parametrize("code", PROBLEMS)
    def test_every_code_of_a_row_keeps_its_words_and_its_verdict(self, portal, hubspot, code):
        status = int(code.removeprefix("HTTP_")) if code.startswith("HTTP_") else 400
        portal.fault(UPSERTS, portal.refused(status, "" if status != 400 else code), times=9)
        [outcome] = hubspot.write([a_contact()])
        assert (outcome.code, outcome.verdict, outcome.refusal.action) == (
            code,
            PROBLEMS[code].verdict,
            PROBLEMS[code].action,
        )
        assert outcome.of_fields is PROBLEMS[code].of_fields
