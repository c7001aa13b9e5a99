"""The Salesforce sandbox refuses what a real org refuses because of how its administrator set it up."""

from __future__ import annotations

import pytest

from tests.core.test_salesforce_sandbox import KEY, Org, org, with_knobs

__all__ = ["org"]

STATES = with_knobs(state_lists=True)


def refusal(org: Org, **fields: str) -> tuple[str, list[str]]:
    """Return the code and the fields of a contact's refusal."""
    (result,) = org.upsert({KEY: "a", "LastName": "Delacroix"} | fields)
    (error,) = result["errors"]
    return error["statusCode"], error["fields"]


class TestOwners:
    def test_an_inactive_user_cannot_own_a_record(self, org: Org) -> None:
        gone = org.sandbox.put("User", LastName="Ortega", Email="gone@youragency.com", IsActive=False)
        assert refusal(org, OwnerId=gone["Id"]) == ("INACTIVE_OWNER_OR_USER", [])

    def test_a_user_is_active_unless_it_was_deactivated(self, org: Org) -> None:
        new = org.sandbox.put("User", LastName="Ortega", Email="new@youragency.com")
        assert org.code(OwnerId=new["Id"]) == "[]"


class TestStatesAndCountries:
    @STATES
    @pytest.mark.parametrize(
        ("address", "field"),
        [
            ({"MailingState": "Arizona"}, "MailingState"),
            ({"MailingState": "AZ", "MailingCountry": "United States"}, "MailingState"),
            ({"MailingState": "Ontario", "MailingCountry": "United States"}, "MailingState"),
            ({"MailingCountry": "USA"}, "MailingCountry"),
            ({"MailingStateCode": "FD", "MailingCountryCode": "US"}, "MailingStateCode"),
            ({"MailingCountryCode": "XX"}, "MailingCountryCode"),
        ],
    )
    def test_what_is_not_on_the_list_is_rejected(self, org: Org, address: dict[str, str], field: str) -> None:
        assert refusal(org, **address) == ("FIELD_INTEGRITY_EXCEPTION", [field])

    @STATES
    def test_a_name_and_a_code_are_two_spellings_of_one_state(self, org: Org) -> None:
        org.upsert({KEY: "a", "LastName": "Delacroix", "MailingStateCode": "AZ", "MailingCountryCode": "US"})
        (contact,) = org.select(f"SELECT MailingState, MailingCountry FROM Contact WHERE {KEY} = 'a'")
        assert (contact["MailingState"], contact["MailingCountry"]) == ("Arizona", "United States")

    @STATES
    def test_the_country_of_the_record_serves_a_later_state(self, org: Org) -> None:
        org.upsert({KEY: "a", "LastName": "Delacroix", "MailingCountry": "United States"})
        (result,) = org.upsert({KEY: "a", "MailingState": "Arizona"})
        assert result["success"]

    def test_without_the_lists_an_address_is_free_text_and_has_no_codes(self, org: Org) -> None:
        assert org.code(MailingState="AZ") == "[]"
        assert "INVALID_FIELD" in org.code(MailingStateCode="AZ")


class TestRecordTypes:
    def test_a_record_type_the_user_may_not_use_is_rejected(self, org: Org) -> None:
        theirs = org.sandbox.record_type("Contact", "Partner", available=False)
        assert refusal(org, RecordTypeId=theirs) == ("INVALID_CROSS_REFERENCE_KEY", ["RecordTypeId"])

    def test_a_record_type_of_another_object_is_rejected(self, org: Org) -> None:
        org.sandbox.record_type("Contact", "Client")
        other = org.sandbox.record_type("Lead", "Web")
        assert refusal(org, RecordTypeId=other) == ("INVALID_CROSS_REFERENCE_KEY", ["RecordTypeId"])

    def test_an_available_record_type_is_taken_and_described(self, org: Org) -> None:
        ours, theirs = (
            org.sandbox.record_type("Contact", name, available=name == "Client") for name in ("Client", "X")
        )
        assert org.code(RecordTypeId=ours) == "[]"
        described = org.ask("GET", "/sobjects/Contact/describe").json()["recordTypeInfos"]
        assert {info["recordTypeId"]: info["available"] for info in described} == {ours: True, theirs: False}


class TestStorage:
    def test_a_full_org_takes_updates_and_no_new_records(self, org: Org) -> None:
        org.upsert({KEY: "a", "LastName": "Delacroix"})
        org.sandbox.full(True)
        old, new = org.upsert({KEY: "a", "DoNotCall": True}, {KEY: "b", "LastName": "Whitfield"})
        assert old["success"]
        assert new["errors"][0]["statusCode"] == "STORAGE_LIMIT_EXCEEDED"


class TestSearching:
    @pytest.mark.parametrize("value", ["CRM-48213", "003Hs000000000!", "0", "003Hs0000000001AA"])
    def test_one_value_that_is_no_id_spoils_the_query(self, org: Org, value: str) -> None:
        good = org.sandbox.put("Contact", LastName="Delacroix")["Id"]
        response = org.ask("GET", "/query", params={"q": f"SELECT Id FROM Contact WHERE Id IN ('{good}', '{value}')"})
        (error,) = response.json()
        assert (response.status_code, error["errorCode"]) == (400, "INVALID_QUERY_FILTER_OPERATOR")
        assert error["message"].endswith(f"invalid ID field: {value}")

    def test_a_record_is_found_by_its_id_in_both_lengths(self, org: Org) -> None:
        contact = org.sandbox.put("Contact", LastName="Delacroix")["Id"]
        for spelled in (contact, contact[:15]):
            assert org.select(f"SELECT Id FROM Contact WHERE Id = '{spelled}'")[0]["Id"] == contact

    def test_an_encrypted_field_can_be_read_and_not_searched(self, org: Org) -> None:
        org.sandbox.keep_from_searching("Contact", "Email")
        assert org.error("GET", "/query", params={"q": "SELECT Id FROM Contact WHERE Email = 'a@b.co'"}) == (
            400,
            "INVALID_FIELD",
        )
        assert org.select("SELECT Email FROM Contact") == []

    def test_the_description_says_what_can_be_searched(self, org: Org) -> None:
        org.sandbox.keep_from_searching("Contact", "Email")
        fields = org.ask("GET", "/sobjects/Contact/describe").json()["fields"]
        searchable = {field["name"]: field["filterable"] for field in fields}
        assert (searchable["Email"], searchable["Phone"], searchable["Description"]) == (False, True, False)


class TestMoving:
    def test_the_old_address_redirects_and_a_new_login_names_the_new_one(self, org: Org) -> None:
        org.sandbox.move_to("renamed.my.salesforce.com")
        response = org.ask("GET", "/limits", headers={"Host": "youragency.my.salesforce.com"}, allow_redirects=False)
        assert (response.status_code, response.headers["Location"]) == (
            302,
            "https://renamed.my.salesforce.com/services/data/v67.0/limits",
        )
        assert org.sandbox.gate.instance_url == "https://renamed.my.salesforce.com"

    def test_an_old_address_may_be_gone(self, org: Org) -> None:
        org.sandbox.move_to("renamed.my.salesforce.com", redirect=False)
        response = org.ask("GET", "/limits", headers={"Host": "youragency.my.salesforce.com"})
        assert (response.status_code, response.headers["Content-Type"]) == (404, "text/html")
        assert org.ask("GET", "/limits", headers={"Host": "renamed.my.salesforce.com"}).status_code == 200

    @pytest.mark.parametrize(("version", "status"), [("30.0", 410), ("20.0", 404), ("99.0", 404)])
    def test_a_retired_version_is_gone(self, org: Org, version: str, status: int) -> None:
        assert org.session.get(f"{org.url}/services/data/v{version}/limits", timeout=60).status_code == status
