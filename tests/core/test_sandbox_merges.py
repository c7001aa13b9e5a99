"""Both sandboxes merge, delete and restore records as people do by hand, in each way the CRMs may handle it."""

from __future__ import annotations

import pytest

from connector.sandbox.hubspot import HubSpotSandbox
from connector.sandbox.salesforce import SalesforceSandbox


@pytest.fixture
def portal() -> HubSpotSandbox:
    return HubSpotSandbox()


@pytest.fixture
def org() -> SalesforceSandbox:
    return SalesforceSandbox()


class TestAPortal:
    def test_gives_a_merged_record_a_new_id_to_which_all_former_ones_lead(self, portal: HubSpotSandbox) -> None:
        first, second, third = (portal.put("contacts", firstname=name) for name in ("Ada", "Bea", "Cleo"))
        once = portal.merge("contacts", first, second)
        twice = portal.merge("contacts", once, third)
        assert {portal.state.find("contacts", "", own) for own in (first, second, once, third)} == {twice}
        (record,) = portal.records("contacts")
        assert set(record["hs_merged_object_ids"].split(";")) == {first, second, once, third}

    def test_keeps_the_winners_id_in_accounts_of_the_beta(self, portal: HubSpotSandbox) -> None:
        portal.merging.keeps_id = True
        loser, winner = portal.put("contacts", firstname="Ada"), portal.put("contacts", firstname="Bea")
        assert portal.merge("contacts", loser, winner) == winner
        assert portal.state.find("contacts", "", loser) == winner

    @pytest.mark.parametrize(("key", "shown", "leads"), [("gone", 0, 0), ("fills", 1, 1), ("leads", 0, 1)])
    def test_keeps_the_losers_key_or_not(self, portal: HubSpotSandbox, key: str, shown: int, leads: int) -> None:
        portal.merging.loser_key = key  # type: ignore[assignment]  # mypy widens the parameter to str
        loser, winner = portal.put("contacts", carecycle_id="c-1"), portal.put("contacts", firstname="Bea")
        merged = portal.merge("contacts", loser, winner)
        assert ("carecycle_id" in portal.records("contacts")[0]) == bool(shown)
        assert portal.state.find("contacts", "carecycle_id", "c-1") == (merged if leads else None)

    def test_moves_the_links_of_both(self, portal: HubSpotSandbox) -> None:
        loser, winner = portal.put("contacts", firstname="Ada"), portal.put("contacts", firstname="Bea")
        call = portal.put("calls", hs_timestamp="2026-06-18T11:00:00Z")
        portal.state.links.add(("calls", call, "contacts", loser))
        assert portal.merge("contacts", loser, winner) in {end for *_, end in portal.associations}

    def test_restores_a_deleted_record_without_the_key_that_another_has_by_now(self, portal: HubSpotSandbox) -> None:
        deleted = portal.put("contacts", carecycle_id="c-1", firstname="Ada")
        portal.delete("contacts", deleted)
        portal.put("contacts", carecycle_id="c-1")
        portal.restore("contacts", deleted)
        assert {record["id"]: record.get("carecycle_id") for record in portal.records("contacts")}[deleted] is None


class TestAnOrg:
    def test_points_the_tasks_of_the_loser_at_the_winner(self, org: SalesforceSandbox) -> None:
        loser, winner = (org.put("Contact", LastName=name)["Id"] for name in ("Ada", "Bea"))
        org.put("Task", WhoId=loser)
        org.merge(loser, winner)
        assert [task["WhoId"] for task in org.records("Task")] == [winner]

    def test_restores_a_deleted_record_without_the_key_that_another_has_by_now(self, org: SalesforceSandbox) -> None:
        deleted = org.put("Contact", LastName="Ada", careCycle_Id__c="c-1")["Id"]
        org.delete(deleted)
        org.put("Contact", LastName="Ada", careCycle_Id__c="c-1")
        org.restore(deleted)
        keys = {contact["Id"]: contact["careCycle_Id__c"] for contact in org.records("Contact")}
        assert (len(keys), keys[deleted]) == (2, None)

    def test_knows_nothing_of_a_purged_record(self, org: SalesforceSandbox) -> None:
        purged = org.put("Contact", LastName="Ada")["Id"]
        org.purge(purged)
        assert org.org.by_id(purged) is None
