"""What a CRM has now under the ids we know: deleted, merged, converted and hidden records, in few calls."""

from __future__ import annotations

from connector.destinations.base import Current
from tests.destinations import hubspot_fixtures, salesforce_fixtures


class TestSalesforce:
    def test_says_what_is_there_what_is_deleted_and_nothing_of_what_is_in_no_bin(self) -> None:
        with salesforce_fixtures.sandbox_and_destination() as (sandbox, destination):
            ids = [sandbox.put("Contact", LastName=name, Phone=None)["Id"] for name in ("Here", "Deleted", "Purged")]
            for crm_id in ids[1:]:
                sandbox.delete(crm_id)
            sandbox.purge(ids[2])
            now = destination.current("Contact", ids, ["LastName", "Phone"])
        assert now == {ids[0]: Current(ids[0], {"LastName": "Here", "Phone": None}), ids[1]: Current(None)}

    def test_follows_a_merge_to_what_the_record_became(self) -> None:
        with salesforce_fixtures.sandbox_and_destination() as (sandbox, destination):
            loser, winner = (sandbox.put("Contact", LastName=name)["Id"] for name in ("Loser", "Winner"))
            sandbox.merge(loser, winner)
            now = destination.current("Contact", [loser], ["LastName"])
        assert now == {loser: Current(winner, {"LastName": "Winner"})}

    def test_follows_a_converted_lead_to_its_contact_and_shows_its_check_boxes(self) -> None:
        with salesforce_fixtures.sandbox_and_destination() as (sandbox, destination):
            contact = sandbox.put("Contact", LastName="Delacroix", DoNotCall=True)["Id"]
            lead = sandbox.put("Lead", LastName="D", IsConverted=True, ConvertedContactId=contact)["Id"]
            before = destination.current("Lead", [lead], ["LastName", "DoNotCall"])
            after = destination.current("Lead", [contact], ["LastName", "DoNotCall"])
        assert before == {lead: Current(contact, {"DoNotCall": True})}
        assert after == {contact: Current(contact, {"DoNotCall": True})}

    def test_leaves_out_a_field_that_is_hidden_even_if_it_was_not_a_moment_ago(self) -> None:
        with salesforce_fixtures.sandbox_and_destination() as (sandbox, destination):
            crm_id = sandbox.put("Contact", LastName="Delacroix", Phone="+13128471928")["Id"]
            assert destination.current("Contact", [crm_id], ["Phone"])[crm_id].values == {"Phone": "+13128471928"}
            sandbox.hide("Contact", "Phone")
            assert destination.current("Contact", [crm_id], ["LastName", "Phone"])[crm_id].values == {
                "LastName": "Delacroix"
            }

    def test_reads_two_thousand_records_in_a_call(self) -> None:
        with salesforce_fixtures.sandbox_and_destination() as (sandbox, destination):
            ids = [sandbox.put("Contact", LastName=f"D {n}")["Id"] for n in range(2000)]
            destination.describe(["Contact"])
            before = len(sandbox.calls())
            assert len(destination.current("Contact", ids, ["LastName", "Phone", "DoNotCall"])) == 2000
            assert len(sandbox.calls()) - before == 1


class TestHubSpot:
    def test_says_what_is_there_and_what_is_deleted(self) -> None:
        with hubspot_fixtures.sandbox_and_destination() as (sandbox, destination):
            ids = [sandbox.put("contacts", lastname=name) for name in ("Here", "Deleted")]
            sandbox.delete("contacts", ids[1])
            now = destination.current("contacts", [*ids, "no id"], ["lastname", "phone", "no_such_property"])
        assert now == {ids[0]: Current(ids[0], {"lastname": "Here", "phone": None}), ids[1]: Current(None)}

    def test_follows_a_merge_to_what_the_record_became(self) -> None:
        with hubspot_fixtures.sandbox_and_destination() as (sandbox, destination):
            loser, winner = (sandbox.put("contacts", lastname=name) for name in ("Loser", "Winner"))
            became = sandbox.merge("contacts", loser, winner)
            now = destination.current("contacts", [loser, winner], ["lastname"])
        assert now == dict.fromkeys([loser, winner], Current(became, {"lastname": "Winner"}))

    def test_reads_a_hundred_records_in_a_call(self) -> None:
        with hubspot_fixtures.sandbox_and_destination() as (sandbox, destination):
            ids = [sandbox.put("contacts", lastname=f"D {n}") for n in range(250)]
            before = len(sandbox.calls())
            assert len(destination.current("contacts", ids, ["lastname"])) == 250
            assert len(sandbox.calls()) - before == 3
