"""provision against a HubSpot sandbox over HTTP: properties a portal lacks, with their uniqueness and sensitivity."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from connector.sandbox.hubspot import SCOPES, HubSpotSandbox
from connector.sandbox.hubspot.portal import Property
from tests.cli.provisioning import Agency, Opened, opening

OWN = "extends: hubspot\nrecords: {contact: {%s}}\n"


def own(fields: str) -> str:
    return OWN % f"fields: {{{fields}}}"


@pytest.fixture
def portal(tmp_path: Path) -> Iterator[Opened]:
    yield from opening(tmp_path, HubSpotSandbox, "hubspot", custom=False)


def add(agency: Agency, kind: str, *properties: Property) -> None:
    for one in properties:
        agency.sandbox.definitions.schema[kind][one.name] = one


class TestAnEmptyPortal:
    def test_is_made_ready_for_the_shipped_mapping(self, portal: Opened) -> None:
        agency = portal()
        assert agency.live() != []
        applied = agency.run("provision", "--apply")
        assert (applied.exit_code, agency.live()) == (0, []), applied.output
        states = agency.delivered()
        assert "delivered" in states
        assert states.isdisjoint({"dead", "ready"})

    def test_what_it_lacks_is_told_and_nothing_is_made(self, portal: Opened) -> None:
        agency = portal()
        about = {one["field"]: one["about"] for one in agency.told()["to_make"]}
        flags = ("do_not_call", "do_not_text", "do_not_mail", "do_not_email")
        keys = ("carecycle_id", "carecycle_call_id")
        assert about == dict.fromkeys(flags, "yes or no") | dict.fromkeys(keys, "text, unique values")
        assert agency.run("provision").exit_code == 1
        assert agency.network_writes() == []

    def test_flags_have_their_two_options_and_all_of_it_a_group_of_its_own(self, portal: Opened) -> None:
        agency = portal()
        agency.run("provision", "--apply")
        made = {one["name"]: one for one in agency.sandbox.definitions.list("contacts", "non_sensitive")["results"]}
        assert [one["value"] for one in made["do_not_call"]["options"]] == ["true", "false"]
        assert {made[name]["groupName"] for name in ("do_not_call", "carecycle_id")} == {"carecycle"}

    def test_dates_numbers_and_choices_follow_from_what_the_mapping_sends(self, portal: Opened) -> None:
        fields = "born: customer.dateOfBirth, seen: customer.updatedAt, standing: {from: customer.status, table: plain}"
        agency = portal(f"{own(fields)}tables: {{plain: {{Lead: new, Active: current, Inactive: past}}}}\n")
        about = {one["field"]: one["about"] for one in agency.told()["to_make"]}
        assert (about["born"], about["seen"]) == ("date", "datetime")
        assert about["standing"] == "one of 3 options: new, current, past"
        assert (agency.run("provision", "--apply").exit_code, agency.live()) == (0, [])

    def test_a_second_time_there_is_nothing_to_do(self, portal: Opened) -> None:
        agency = portal()
        agency.run("provision", "--apply")
        before = agency.network_writes()
        assert agency.run("provision", "--apply").output == "sunrise/crm: nothing is missing\n"
        assert agency.network_writes() == before

    def test_a_half_made_one_is_completed(self, portal: Opened) -> None:
        agency = portal()
        agency.sandbox.fault("/properties/", agency.sandbox.refused(400, "OTHER"), method="POST", skip=3, times=2)
        assert len(agency.told("--apply")["refused"]) == 2
        assert len(agency.told("--apply")["made"]) == 2
        assert agency.live() == []

    @pytest.mark.slow
    def test_a_reply_that_was_lost_makes_nothing_twice(self, portal: Opened) -> None:
        agency = portal()
        agency.sandbox.fault("/properties/", agency.sandbox.lose_reply, method="POST", times=1, skip=1)
        assert agency.run("provision", "--apply").exit_code == 0


class TestSensitiveData:
    NUMBER = "mbi: customer.mbiNumber"

    def test_health_information_gets_a_sensitive_property(self, portal: Opened) -> None:
        agency = portal(own(self.NUMBER))
        assert ("mbi", "text, sensitive") in [(one["field"], one["about"]) for one in agency.told()["to_make"]]
        assert (agency.run("provision", "--apply").exit_code, agency.live()) == (0, [])

    def test_unless_the_mapping_accepts_it_aloud(self, portal: Opened) -> None:
        agency = portal(own("mbi: {from: customer.mbiNumber, sensitive: accepted}"))
        assert ("mbi", "text") in [(one["field"], one["about"]) for one in agency.told()["to_make"]]

    def test_a_portal_without_sensitive_data_is_told_so(self, portal: Opened) -> None:
        agency = portal(own(self.NUMBER), sensitive_data=False)
        assert "a super admin to turn sensitive data on" in agency.run("provision", "--apply").output

    def test_a_property_that_exists_and_is_not_sensitive_is_never_taken(self, portal: Opened) -> None:
        agency = portal(own(self.NUMBER), custom=True)
        add(agency, "contacts", Property("mbi"))
        told = agency.run("provision", "--apply")
        assert (told.exit_code, "M210" in told.output) == (1, True)
        assert agency.network_writes() == []


class TestByHand:
    def test_a_flag_of_the_wrong_type_is_told_and_never_taken(self, portal: Opened) -> None:
        agency = portal(custom=True)
        add(agency, "contacts", Property("do_not_call"))
        told = agency.run("provision", "--apply")
        assert told.exit_code == 1
        assert "contacts.do_not_call is string" in told.output
        assert "create another under a new name" in told.output
        assert agency.network_writes() == []

    def test_a_key_whose_values_are_not_unique_is_told(self, portal: Opened) -> None:
        agency = portal(custom=True)
        add(agency, "contacts", Property("carecycle_id"))
        (told,) = agency.told()["by_hand"]
        assert (told["field"], told["problem"]) == ("carecycle_id", "is the key, but its values are not unique")

    def test_the_eleventh_unique_property_is_one_too_many(self, portal: Opened) -> None:
        agency = portal()
        add(agency, "contacts", *(Property(f"other_{n}", unique=True) for n in range(10)))
        (told,) = agency.told()["by_hand"]
        assert told["field"] == "carecycle_id"
        assert "one more than the 10" in told["problem"]

    def test_a_misspelt_property_of_hubspots_is_no_new_one(self, portal: Opened) -> None:
        agency = portal(own("fristname: customer.firstName"))
        (told,) = agency.told()["by_hand"]
        assert told["problem"] == "looks like HubSpot's own firstname, misspelled"

    def test_a_name_hubspot_keeps_for_itself_is_a_slip_in_the_mapping(self, portal: Opened) -> None:
        (told,) = portal(own("hs_favourite: customer.city")).told()["by_hand"]
        assert "HubSpot reserves for its own" in told["problem"]

    def test_a_portal_that_allows_no_unique_property_on_calls_is_told(self, portal: Opened) -> None:
        (refused,) = portal(unique_calls=False).told("--apply")["refused"]
        assert (refused["field"], "unique values on calls" in refused["problem"]) == ("carecycle_call_id", True)


class TestPermissionsOfTheToken:
    def test_a_token_that_may_not_create_properties_is_told_which_scope_it_needs(self, portal: Opened) -> None:
        agency = portal(scopes=SCOPES - {"crm.schemas.contacts.write"})
        told = agency.run("provision", "--apply")
        assert told.exit_code == 1
        assert "crm.schemas.contacts.write" in told.output

    def test_a_property_hidden_from_the_token_is_not_made_twice(self, portal: Opened) -> None:
        agency = portal(own("mbi: {from: customer.mbiNumber, sensitive: accepted}"))
        agency.sandbox.tokens[agency.sandbox.token] -= {"crm.objects.contacts.sensitive.read"}
        add(agency, "contacts", Property("mbi", "number", "number", sensitivity="sensitive"))
        assert "is hidden from the access token, or archived" in agency.run("provision", "--apply").output

    def test_a_token_that_is_refused_is_a_configuration_error(self, portal: Opened) -> None:
        agency = portal()
        agency.sandbox.tokens.clear()
        assert agency.run("provision").exit_code == 2


class TestTheCommand:
    def test_metadata_is_salesforces_alone(self, portal: Opened, tmp_path: Path) -> None:
        assert portal().run("provision", "--metadata", tmp_path / "deploy").exit_code == 2

    def test_applying_and_writing_files_exclude_each_other(self, portal: Opened, tmp_path: Path) -> None:
        assert portal().run("provision", "--apply", "--metadata", tmp_path / "deploy").exit_code == 2

    def test_a_destination_no_file_has_is_told(self, portal: Opened) -> None:
        assert portal().run("provision", "--destination", "other").exit_code == 2

    def test_no_value_and_no_call_is_printed(self, portal: Opened) -> None:
        told = portal().run("provision", "--json")
        assert (told.stderr, len(json.loads(told.stdout))) == ("", 1)
