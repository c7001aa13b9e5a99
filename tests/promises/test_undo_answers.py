"""What the CRM answers while an undo reads and writes is reported as it is."""

from __future__ import annotations

import pytest
from flask import Response

from connector.delivery.undoing import What
from tests.builders import a_customer
from tests.contracts.test_pipeline import EARLIER, HUBSPOT, House, house
from tests.promises.test_undo import NARROW, about, kept, made_by_hand, right, undone

__all__ = ["house", "kept"]


class TestARefusedRead:
    def test_is_not_a_record_that_is_gone(self, kept: House) -> None:
        made_by_hand(kept, city="Yuma")
        version = right(kept)
        kept.pass_on(a_customer(city="Mesa"))
        refused = Response("[]" if kept.names is not HUBSPOT else "{}", 400, content_type="application/json")
        kept.sandbox.fault("batch/read" if kept.names is HUBSPOT else "quer", refused, times=9)
        assert about(undone(kept, version), kept) == [What.WAITS]
        kept.sandbox.faults.clear()
        assert about(undone(kept, version), kept) == [What.RESTORED]


@pytest.fixture
def portal(kept: House) -> House:
    if kept.names is not HUBSPOT:
        pytest.skip("Salesforce ignores no value that it accepts")
    return kept


class TestALifecycleStage:
    """HubSpot moves it forward only, and says nothing."""

    def test_comes_back(self, portal: House) -> None:
        made_by_hand(portal)
        portal.by_hand("change", lifecyclestage="lead")
        fields = 'lifecyclestage: { value: "customer" }, city: customer.city'
        portal.remap(NARROW.format(shipped=portal.shipped, fields=fields))
        version = portal.route.mapping.version
        portal.pass_on(a_customer(city="Mesa", updatedAt=EARLIER))
        (record,) = portal.sandbox.records("contacts")
        assert record["lifecyclestage"] == "customer"
        ends = undone(portal, version)
        assert [end.what for end in ends if end.field == "lifecyclestage"] == [What.RESTORED]
        (record,) = portal.sandbox.records("contacts")
        assert record["lifecyclestage"] == "lead"


class TestAValueThatMayHaveBeenIgnored:
    def test_is_not_called_restored(self, portal: House) -> None:
        made_by_hand(portal, city="Yuma")
        version = right(portal)
        portal.pass_on(a_customer(city="Mesa"))
        portal.sandbox.fault("batch/update", portal.sandbox.warning("city"))
        assert about(undone(portal, version), portal) == [What.REFUSED]


class TestARecordThatPeopleGaveToAnother:
    def test_is_left_alone(self, kept: House) -> None:
        made_by_hand(kept, city="Yuma")
        version = right(kept)
        kept.pass_on(a_customer(city="Mesa"))
        key = "carecycle_id" if kept.names is HUBSPOT else "careCycle_Id__c"
        kept.by_hand("change", **{key: "somebody-else"})
        assert about(undone(kept, version), kept) == [What.KEPT]
        assert kept.person()["city"] == "Mesa"
