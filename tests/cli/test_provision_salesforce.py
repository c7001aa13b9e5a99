"""provision against a Salesforce sandbox over HTTP: what an org lacks, made by the Tooling API or as files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from connector.sandbox.salesforce import SalesforceSandbox
from connector.sandbox.salesforce.setup import RIGHTS
from tests.cli.provisioning import Opened, opening
from tests.mappings.build import mapping_text

SHIPPED = ["salesforce-contact", "salesforce-lead", "salesforce-person-account"]


@pytest.fixture
def org(tmp_path: Path) -> Iterator[Opened]:
    yield from opening(tmp_path, SalesforceSandbox, "salesforce-contact", custom_fields=False)


class TestAnEmptyOrg:
    @pytest.mark.parametrize("mapping", SHIPPED)
    def test_is_made_ready_for_each_shipped_mapping(self, org: Opened, mapping: str) -> None:
        agency = org(mapping)
        assert agency.live() != []
        applied = agency.run("provision", "--apply")
        assert (applied.exit_code, agency.live()) == (0, []), applied.output
        states = agency.delivered()
        assert "delivered" in states
        assert states.isdisjoint({"dead", "ready"})

    def test_what_it_lacks_is_told_and_nothing_is_made(self, org: Opened) -> None:
        agency = org()
        told = agency.run("provision")
        assert told.exit_code == 1
        assert "text of 36 characters, unique, external id" in told.output
        assert "--apply creates it; --metadata DIR writes it to deploy" in told.output
        assert agency.network_writes() == []

    def test_every_type_follows_from_what_the_mapping_sends(self, org: Opened) -> None:
        about = {one["field"]: one["about"] for one in org().told()["to_make"]}
        assert about == {
            "careCycle_Id__c": "text of 36 characters, unique, external id",
            "careCycle_Call_Id__c": "text of 45 characters, unique, external id",
            "Do_Not_Text__c": "checkbox",
            "Do_Not_Mail__c": "checkbox",
            "Language__c": "picklist of 3 values: English, Spanish, Other",
            "Status__c": "picklist of 3 values: Open - Not Contacted, Working, Closed",
        }

    def test_dates_numbers_and_long_texts_become_such_fields(self, org: Opened) -> None:
        fields = ("Born__c: customer.dateOfBirth", "Seen__c: customer.updatedAt", "Income__c: customer.householdIncome")
        agency = org(mapping_text(*fields))
        about = {one["field"]: one["about"] for one in agency.told()["to_make"]}
        assert (about["Born__c"], about["Seen__c"]) == ("date", "date and time")
        assert agency.run("provision", "--apply").exit_code == 0
        assert agency.live() == []

    def test_a_second_time_there_is_nothing_to_do(self, org: Opened) -> None:
        agency = org()
        agency.run("provision", "--apply")
        before = agency.network_writes()
        again = agency.run("provision", "--apply")
        assert (again.exit_code, again.output) == (0, "sunrise/crm: nothing is missing\n")
        assert agency.network_writes() == before

    @pytest.mark.slow
    def test_a_reply_that_was_lost_makes_nothing_twice(self, org: Opened) -> None:
        agency = org()
        agency.sandbox.fault("/tooling/sobjects/CustomField", agency.sandbox.lose_reply, times=2)
        agency.sandbox.fault("/sobjects/PermissionSet", agency.sandbox.lose_reply, method="POST", times=1)
        assert agency.run("provision", "--apply").exit_code == 0
        assert len(agency.sandbox.records("PermissionSet")) == 1


class TestAHalfMadeOrg:
    def test_fields_nobody_may_edit_are_given_to_the_connectors_user(self, org: Opened) -> None:
        agency = org(rights=RIGHTS - {"manage permission sets", "edit all fields"})
        assert agency.run("provision", "--apply").exit_code == 1
        agency.sandbox.setup.rights = RIGHTS - {"edit all fields"}
        assert agency.lacks() >= {("field permission", "Contact.careCycle_Id__c")}
        assert agency.run("provision", "--apply").exit_code == 0
        assert agency.live() == []

    def test_a_permission_set_that_was_never_assigned_is(self, org: Opened) -> None:
        agency = org(rights=RIGHTS - {"assign permission sets", "edit all fields"})
        agency.run("provision", "--apply")
        agency.sandbox.setup.rights = RIGHTS - {"edit all fields"}
        assert agency.run("provision", "--apply").exit_code == 0
        assert (len(agency.sandbox.records("PermissionSet")), agency.live()) == (1, [])

    def test_a_standard_field_kept_from_the_user_is_shown_to_it(self, org: Opened) -> None:
        agency = org(custom_fields=True)
        agency.sandbox.hide("Contact", "DoNotCall", "Do_Not_Text__c")
        lacks = {("field permission", "Contact.DoNotCall"), ("field permission", "Contact.Do_Not_Text__c")}
        assert agency.lacks() == lacks
        assert agency.run("provision", "--apply").exit_code == 0
        assert agency.live() == []

    def test_a_field_it_sees_and_may_not_edit_becomes_editable(self, org: Opened) -> None:
        agency = org(custom_fields=True)
        agency.sandbox.keep_from_editing("Contact", "Do_Not_Mail__c")
        assert agency.lacks() == {("field permission", "Contact.Do_Not_Mail__c")}
        agency.run("provision", "--apply")
        assert agency.live() == []


class TestByHand:
    def test_a_key_that_is_not_unique_is_told_and_left_alone(self, org: Opened) -> None:
        agency = org(mapping_text().replace("careCycle_Id__c", "External_Id__c"), custom_fields=True)
        (told,) = agency.told()["by_hand"]
        assert told["field"] == "External_Id__c"
        assert told["advice"].startswith("select Unique and External ID in Setup")
        assert agency.run("provision", "--apply").exit_code == 1
        assert agency.network_writes() == []

    def test_a_standard_field_that_salesforce_has_not_is_a_slip_in_the_mapping(self, org: Opened) -> None:
        agency = org(mapping_text("FrstName: customer.firstName"), custom_fields=True)
        (told,) = agency.told()["by_hand"]
        assert (told["field"], agency.lacks()) == ("FrstName", set())
        assert "did you mean FirstName?" in told["advice"]

    def test_an_object_that_is_not_there_is_told(self, org: Opened) -> None:
        agency = org(mapping_text().replace("object: Contact", "object: Policy__c"), custom_fields=True)
        (told,) = agency.told()["by_hand"]
        assert (told["object"], told["field"]) == ("Policy__c", "")

    def test_a_field_of_the_wrong_type_is_found_out_and_never_altered(self, org: Opened) -> None:
        agency = org(mapping_text("Household_Income__c: customer.city"), custom_fields=True)
        told = agency.run("provision", "--apply")
        assert told.exit_code == 1
        assert "Household_Income__c is currency but the source is text" in told.output
        assert "The connector never changes an existing field" in told.output

    def test_a_field_that_points_at_a_record_is_not_guessed(self, org: Opened) -> None:
        fields = "Agent__c: { lookup: { object: User, match: { Email: customer.assignedUser.email } } }"
        (told,) = org(mapping_text(fields)).told()["by_hand"]
        assert (told["field"], told["problem"]) == ("Agent__c", "would have to refer to a record")

    def test_an_activity_field_that_may_not_be_unique_is_told_with_a_way_out(self, org: Opened) -> None:
        agency = org(unique_activities=False)
        (refused,) = agency.told("--apply")["refused"]
        assert (refused["object"], refused["field"]) == ("Task", "careCycle_Call_Id__c")
        assert "custom object" in refused["problem"]


class TestPermissionsOfTheConnectorsUser:
    def test_a_user_who_may_not_create_fields_is_told_which_permission_it_needs(self, org: Opened) -> None:
        agency = org(rights=frozenset({"view setup"}))
        told = agency.run("provision", "--apply")
        assert told.exit_code == 1
        assert "Customize Application" in told.output
        assert "careCycle_Id__c: the connector's user may not create fields" in told.output

    def test_a_user_who_may_not_assign_permission_sets_is_told(self, org: Opened) -> None:
        agency = org(rights=RIGHTS - {"assign permission sets", "edit all fields"})
        assert "Assign Permission Sets" in agency.run("provision", "--apply").output

    def test_a_user_who_may_not_look_into_setup_is_told_what_cannot_be_seen(self, org: Opened) -> None:
        agency = org(rights=frozenset())
        assert "View Setup and Configuration" in agency.run("provision").output

    def test_a_login_that_fails_is_a_configuration_error(self, org: Opened) -> None:
        agency = org()
        agency.sandbox.expire_sessions()
        assert agency.run("provision").exit_code == 2


class TestMetadata:
    def test_the_folder_holds_every_field_and_the_permission_and_nothing_is_sent(
        self, org: Opened, tmp_path: Path
    ) -> None:
        agency, folder = org(), tmp_path / "deploy"
        assert agency.run("provision", "--metadata", folder).exit_code == 0
        assert agency.network_writes() == []
        files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
        source = "force-app/main/default"
        assert files == {
            f"{source}/objects/Activity/fields/careCycle_Call_Id__c.field-meta.xml",
            *(
                f"{source}/objects/Contact/fields/{name}__c.field-meta.xml"
                for name in ("Do_Not_Mail", "Do_Not_Text", "Language", "Status", "careCycle_Id")
            ),
            f"{source}/permissionsets/careCycle_Connector.permissionset-meta.xml",
            "package.xml",
            "sfdx-project.json",
        }

    def test_every_file_is_well_formed_and_says_what_the_org_needs(self, org: Opened, tmp_path: Path) -> None:
        org().run("provision", "--metadata", tmp_path / "deploy")
        roots = {path.name: ElementTree.parse(path).getroot() for path in (tmp_path / "deploy").rglob("*.xml")}
        key = {part.tag.partition("}")[2]: part.text for part in roots["careCycle_Id__c.field-meta.xml"]}
        assert (key["fullName"], key["type"], key["length"], key["unique"], key["externalId"]) == (
            "careCycle_Id__c", "Text", "36", "true", "true",
        )  # fmt: skip
        allowed = [part.text for part in roots["careCycle_Connector.permissionset-meta.xml"].iter() if part.text]
        assert "Task.careCycle_Call_Id__c" in allowed

    def test_a_person_accounts_fields_are_the_contacts(self, org: Opened, tmp_path: Path) -> None:
        org("salesforce-person-account").run("provision", "--metadata", tmp_path / "deploy")
        made = {path.parent.parent.name for path in (tmp_path / "deploy").rglob("Do_Not_Text__c.field-meta.xml")}
        assert made == {"Contact"}
