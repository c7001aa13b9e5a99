"""Which records a trial takes for those of earlier trials, and which not, whatever their keys."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Response

from connector.insight.trial.person import prefix
from connector.sandbox.hubspot import HubSpotSandbox
from connector.sandbox.salesforce import SalesforceSandbox
from tests.cli.provisioning import Agency, Opened, opening

BY_ADDRESS = "extends: hubspot\nrecords: {contact: {key: {email: customer.email}, remove: [email]}}\n"


@pytest.fixture
def portal(tmp_path: Path) -> Iterator[Opened]:
    yield from opening(tmp_path, HubSpotSandbox, "hubspot")


@pytest.fixture
def org(tmp_path: Path) -> Iterator[Opened]:
    yield from opening(tmp_path, SalesforceSandbox, "salesforce-contact")


def tried(agency: Agency, *arguments: str) -> dict[str, Any]:
    (said,) = json.loads(agency.run("trial", "--yes", "--json", *arguments).stdout)
    return {**said, "by": {line["what"]: line for line in said["tried"]}}


class TestSomebodyWithAKeyOfTrials:
    """As after a merge with a record that a trial left, or where people went on with such a record."""

    def test_is_not_deleted_from_a_portal(self, portal: Opened) -> None:
        agency = portal()
        somebody = agency.sandbox.put("contacts", carecycle_id=f"{prefix(7)}00", firstname="Rosa", lastname="Begay")
        said = tried(agency)
        assert [(left["object"], left["id"]) for left in said["left"]] == [("contacts", somebody)]
        assert [record["lastname"] for record in agency.sandbox.records("contacts")] == ["Begay"]
        assert "1 records are left" in said["by"]["delete what earlier trials left"]["seen"]

    @pytest.mark.slow
    def test_is_not_deleted_from_an_org(self, org: Opened) -> None:
        agency = org()
        somebody = agency.sandbox.put("Contact", careCycle_Id__c=f"{prefix(7)}01", LastName="Begay")
        assert [left["id"] for left in tried(agency)["left"]] == [somebody["Id"]]
        assert [record["LastName"] for record in agency.sandbox.records("Contact")] == ["Begay"]


@pytest.mark.slow
class TestAnAddressAsKey:
    def test_people_who_share_it_are_one_record(self, portal: Opened) -> None:
        said = tried(portal(BY_ADDRESS))
        assert said["works"]
        assert "one record" in said["by"]["write a second person with the same address"]["seen"]

    def test_what_an_earlier_trial_left_is_deleted(self, portal: Opened) -> None:
        agency = portal(BY_ADDRESS)
        kept = tried(agency, "--keep")["left"]
        said = tried(agency)
        assert f"{len(kept)} records deleted" in said["by"]["delete what earlier trials left"]["seen"]
        assert agency.sandbox.records("contacts") == []


class TestATerminalThatIsClosed:
    @pytest.mark.slow
    def test_ends_the_trial_and_leaves_nothing(self, portal: Opened) -> None:
        agency = portal()

        def closed(handle: Callable[[], Response]) -> Response:
            response = handle()
            os.kill(os.getpid(), signal.SIGHUP)
            return response

        agency.sandbox.fault("/calls/batch/upsert", closed)
        before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
        try:
            said = tried(agency)
        finally:
            signal.signal(signal.SIGHUP, before)
        assert (said["interrupted"], said["left"], agency.sandbox.records("contacts")) == (True, [], [])


class TestARecordWrittenByAFieldOfATrial:
    @pytest.mark.slow
    def test_is_found_by_the_mapping_s_own_key(self, portal: Opened) -> None:
        own = "extends: hubspot\nrecords: {call: {unique_key: false, key: {hs_call_external_id: call.id}}}\n"
        agency = portal(own, index_lag=0.0)

        def killed(handle: Callable[[], Response]) -> Response:
            agency.sandbox.tokens.clear()
            return Response(status=401)

        agency.sandbox.fault("/properties/2026-03/calls/carecycle_trial", killed, method="DELETE")
        tokens = dict(agency.sandbox.tokens)
        assert len(tried(agency)["left"]) == len(agency.sandbox.records("calls") + agency.sandbox.records("contacts"))
        agency.sandbox.tokens.update(tokens)
        assert tried(agency)["works"]
        assert agency.sandbox.records("calls") == agency.sandbox.records("contacts") == []
