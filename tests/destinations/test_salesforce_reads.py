"""What Salesforce tells: records found, values as they come back, its own schema; and what is told of the calls."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Response

from connector.destinations.salesforce.settings import VERSION
from connector.errors import DestinationUnusable
from connector.sandbox.wire import Wire
from tests.destinations.salesforce_fixtures import ONE, TWO, Calls, Pair, a_contact, sandbox_and_destination


@pytest.fixture
def pair() -> Any:
    with sandbox_and_destination() as both:
        yield both


class TestFinding:
    def test_a_user_is_found_by_e_mail_whatever_its_letter_case(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        found = salesforce.find("User", "Email", ["PRIYA@youragency.com"], ["FirstName", "FederationIdentifier"])
        ((one,),) = found.values()
        assert (one.id, one.values) == (
            sandbox.people[0]["Id"],
            {"FirstName": "Priya", "FederationIdentifier": None},
        )

    def test_records_are_read_back_by_their_ids(self, pair: Pair) -> None:
        _, salesforce = pair
        ids = [str(outcome.id) for outcome in salesforce.write([a_contact(), a_contact(TWO)])]
        found = salesforce.find("Contact", "Id", ids, ["careCycle_Id__c"])
        assert [found[one][0].values["careCycle_Id__c"] for one in ids] == [ONE, TWO]

    def test_names_may_be_spelt_in_any_letter_case(self, pair: Pair) -> None:
        _, salesforce = pair
        ((one,),) = salesforce.find("user", "email", ["priya@youragency.com"], ["firstname"]).values()
        assert one.values == {"firstname": "Priya"}

    def test_an_object_is_described_once_however_often_it_is_searched(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        for name in ("priya@youragency.com", "sam@youragency.com"):
            salesforce.find("User", "Email", [name], [])
        assert len(sandbox.calls("/describe")) == 1

    def test_a_field_made_meanwhile_is_seen(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        sandbox.hide("Contact", "County__c")
        salesforce.find("Contact", "LastName", ["Delacroix"], [])
        sandbox.org.table("Contact").hidden.clear()
        assert salesforce.find("Contact", "County__c", ["Maricopa"], []) == {"Maricopa": []}

    def test_every_value_asked_has_an_answer(self, pair: Pair) -> None:
        _, salesforce = pair
        assert salesforce.find("User", "Email", ["nobody@example.com", ""], []) == {"nobody@example.com": [], "": []}

    def test_all_who_share_a_value_are_told(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        for name in ("Marcus", "Anna"):
            sandbox.put("Contact", FirstName=name, LastName="Delacroix", Phone="+13128471928")
        found = salesforce.find("Contact", "Phone", ["+13128471928"], ["FirstName"])
        assert {one.values["FirstName"] for one in found["+13128471928"]} == {"Marcus", "Anna"}

    @pytest.mark.parametrize("name", ["O'Neil", 'quo"te', "back\\slash", "x') OR (Name = 'y", "Žofie ☎"])
    def test_a_value_cannot_change_the_query(self, pair: Pair, name: str) -> None:
        sandbox, salesforce = pair
        sandbox.put("Contact", LastName=name)
        assert len(salesforce.find("Contact", "LastName", [name], [])[name]) == 1

    @pytest.mark.parametrize(
        ("field", "stored", "asked"),
        [
            ("Birthdate", "1958-04-12", "1958-04-12"),
            ("Household_Income__c", 42000.0, "42000"),
            ("DoNotCall", True, "true"),
        ],
    )
    def test_values_that_are_no_text_are_asked_for_as_what_they_are(
        self, pair: Pair, field: str, stored: Any, asked: str
    ) -> None:
        sandbox, salesforce = pair
        sandbox.put("Contact", **{"LastName": "Delacroix", field: stored})
        assert len(salesforce.find("Contact", field, [asked], [])[asked]) == 1

    def test_a_value_no_such_field_can_hold_is_not_asked_for(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        assert salesforce.find("Contact", "Birthdate", ["soon"], []) == {"soon": []}
        assert sandbox.calls("/query") == []

    def test_many_values_are_asked_for_in_addresses_salesforce_accepts(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        names = [f"Žluťoučký-{number:03}" for number in range(450)]
        sandbox.put("Contact", LastName=names[-1])
        sandbox.fail(404, "NOT_FOUND", path="/composite")
        found = salesforce.find("Contact", "LastName", names, ["Email"])
        assert [name for name in names if found[name]] == [names[-1]]
        assert max(len(call.path) for call in sandbox.calls("/query")) < 16_000

    def test_long_answers_are_read_to_the_last_page(self) -> None:
        with sandbox_and_destination(page=2) as (sandbox, salesforce):
            for _ in range(5):
                sandbox.put("Contact", LastName="Delacroix")
            assert len(salesforce.find("Contact", "LastName", ["delacroix"], [])["delacroix"]) == 5

    def test_a_page_of_html_is_an_outage(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        sandbox.html_200(path="/query")
        with pytest.raises(DestinationUnusable, match="cannot read"):
            salesforce.find("User", "Email", ["priya@youragency.com"], [])


class TestNormalText:
    @pytest.mark.parametrize(
        "fields",
        [
            {"Last_Call_Date__c": "2026-06-17T14:03:16.709-05:00"},
            {"Household_Income__c": 42000},
            {"DoNotCall": True},
            {"Description": "  one\r\ntwo\x00 "},
            {"Birthdate": "1958-04-12"},
            {"Suffix": None},
            {"Suffix": "   "},
        ],
    )
    def test_what_was_written_and_what_is_read_back_are_equal(self, pair: Pair, fields: dict[str, Any]) -> None:
        _, salesforce = pair
        salesforce.write([a_contact(**fields)])
        ((name, written),) = fields.items()
        ((one,),) = salesforce.find("Contact", "careCycle_Id__c", [ONE], [name]).values()
        assert salesforce.normal(one.values[name]) == salesforce.normal(written)

    def test_different_values_stay_different(self, pair: Pair) -> None:
        _, salesforce = pair
        values = ["Ann", "ann", "", True, False, 1, 1.5, "1958-04-12", "2026-06-17T19:03:16Z"]
        assert len({salesforce.normal(value) for value in values}) == len(values)

    def test_a_date_that_does_not_exist_is_only_text(self, pair: Pair) -> None:
        assert pair[1].normal("2026-13-45T19:03:16Z") == "2026-13-45T19:03:16Z"


class TestDescribing:
    def test_fields_come_in_the_words_mappings_are_checked_in(self, pair: Pair) -> None:
        _, salesforce = pair
        schema = salesforce.describe(["Contact"])
        last_name, mbi = (schema.objects["Contact"].fields[name] for name in ("LastName", "MBI__c"))
        assert (schema.crm, last_name.type, last_name.length, last_name.required) == ("salesforce", "string", 80, True)
        assert (mbi.sensitive, mbi.required) == (True, False)

    def test_only_a_unique_external_id_can_be_a_key(self, pair: Pair) -> None:
        _, salesforce = pair
        fields = salesforce.describe(["Contact"]).objects["Contact"].fields
        assert {name for name, field in fields.items() if field.unique} == {"careCycle_Id__c"}

    def test_picklists_tell_what_they_offer(self, pair: Pair) -> None:
        _, salesforce = pair
        status = salesforce.describe(["Lead"]).objects["Lead"].fields["Status"]
        assert (status.type, status.restricted, status.required) == ("picklist", True, True)
        assert status.options[0].value == "Open - Not Contacted"

    def test_what_salesforce_fills_in_is_neither_required_nor_writable(self, pair: Pair) -> None:
        _, salesforce = pair
        fields = salesforce.describe(["Task"]).objects["Task"].fields
        assert (fields["CreatedDate"].writable, fields["OwnerId"].required) == (False, False)

    def test_what_is_missing_or_hidden_is_left_out(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        sandbox.hide("Contact", "MBI__c")
        schema = salesforce.describe(["Contact", "Policy__c"])
        assert list(schema.objects) == ["Contact"]
        assert "MBI__c" not in schema.objects["Contact"].fields


class TestWhatIsTold:
    def test_every_call_is_told_with_a_path_that_holds_no_value(self) -> None:
        calls = Calls()
        with sandbox_and_destination(page=1, options={"on_call": calls}) as (sandbox, salesforce):
            for _ in range(2):
                sandbox.put("Contact", LastName="Delacroix")
            salesforce.find("Contact", "LastName", ["Delacroix"], [])
        base = f"/services/data/v{VERSION}"
        assert calls == [
            ("GET", f"{base}/sobjects/Contact/describe", 200),
            ("GET", f"{base}/query/", 200),
            ("GET", f"{base}/query/{{cursor}}", 200),
        ]

    def test_a_call_without_an_answer_is_told_with_status_0(self) -> None:
        calls = Calls()
        with sandbox_and_destination(options={"on_call": calls, "tries": 2}) as (sandbox, salesforce):
            sandbox.fault("/composite/sobjects", Wire.refuse)
            salesforce.write([a_contact()])
        assert [status for _, _, status in calls] == [0, 200]

    def test_the_api_usage_is_known_after_any_call(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        assert salesforce.usage is None
        salesforce.write([a_contact()])
        assert salesforce.usage == (1, sandbox.daily_limit)

    def test_a_request_id_is_kept(self, pair: Pair) -> None:
        sandbox, salesforce = pair

        def with_id(proceed: Any) -> Response:
            response: Response = proceed()
            response.headers["X-SFDC-Request-Id"] = "TID:117"
            return response

        sandbox.fault("/composite/sobjects", with_id)
        assert salesforce.write([a_contact()])[0].request_id == "TID:117"

    def test_no_refusal_repeats_a_value(self, pair: Pair) -> None:
        _, salesforce = pair
        secret = "Delacroix-" * 9
        outcomes = salesforce.write([a_contact(LastName=secret), a_contact(TWO, Email="Delacroix@")])
        assert "Delacroix" not in repr(outcomes)

    def test_no_exception_carries_salesforces_own_text(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        sandbox.fail(403, "API_DISABLED_FOR_ORG", "Delacroix")
        with pytest.raises(DestinationUnusable) as caught:
            salesforce.write([a_contact()])
        error: BaseException | None = caught.value
        while error:
            assert "Delacroix" not in str(error)
            error = error.__cause__ or error.__context__
