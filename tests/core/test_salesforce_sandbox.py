"""The Salesforce sandbox is as strict as Salesforce, asked over plain HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from connector.sandbox.salesforce import CLIENT, LOGIN, SalesforceSandbox

KEY = "careCycle_Id__c"
CONTACTS = f"/composite/sobjects/Contact/{KEY}"


class Org:
    """A running sandbox, and a client that sends only what a test asks for."""

    def __init__(self, **knobs: Any) -> None:
        self.sandbox = SalesforceSandbox(**knobs)
        self.url = self.sandbox.start()
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.headers["Authorization"] = f"Bearer {self.sandbox.token}"

    def ask(self, method: str, path: str, body: Any = None, **options: Any) -> requests.Response:
        return self.session.request(method, f"{self.url}/services/data/v67.0{path}", json=body, timeout=60, **options)

    def error(self, method: str, path: str, body: Any = None, **options: Any) -> tuple[int, str]:
        response = self.ask(method, path, body, **options)
        return response.status_code, response.json()[0]["errorCode"]

    def upsert(self, *records: dict[str, Any], path: str = CONTACTS, **options: Any) -> list[Any]:
        kind = path.split("/")[3]
        body = {"records": [{"attributes": {"type": kind}, **record} for record in records]} | options
        results: list[Any] = self.ask("PATCH", path, body).json()
        return results

    def code(self, **fields: Any) -> str:
        """Return the error code for a contact with these fields, whether of its row or of the whole request."""
        (result,) = self.upsert({KEY: "a", "LastName": "Delacroix"} | fields)
        return str(result["errorCode"] if "errorCode" in result else [e["statusCode"] for e in result["errors"]])

    def select(self, soql: str) -> list[dict[str, Any]]:
        records: list[dict[str, Any]] = self.ask("GET", "/query/", params={"q": soql}).json()["records"]
        return records

    def close(self) -> None:
        self.session.close()
        self.sandbox.stop()


@pytest.fixture
def org(request: pytest.FixtureRequest) -> Iterator[Org]:
    org = Org(**getattr(request, "param", {}))
    yield org
    org.close()


def with_knobs(**knobs: Any) -> Any:
    return pytest.mark.parametrize("org", [knobs], indirect=True, ids=["-".join(knobs)])


class TestCallingIn:
    def test_an_unknown_token_is_rejected(self, org: Org) -> None:
        org.session.headers["Authorization"] = "Bearer nonsense"
        assert org.error("GET", "/limits") == (401, "INVALID_SESSION_ID")

    def test_every_reply_shows_the_usage(self, org: Org) -> None:
        org.ask("GET", "/limits")
        assert org.ask("GET", "/nowhere").headers["Sforce-Limit-Info"] == "api-usage=2/100000"

    @with_knobs(daily_limit=1)
    def test_over_the_limit_every_call_is_rejected(self, org: Org) -> None:
        assert org.ask("GET", "/limits").json()["DailyApiRequests"] == {"Max": 1, "Remaining": 0}
        assert org.error("GET", "/limits") == (403, "REQUEST_LIMIT_EXCEEDED")

    def test_an_address_that_is_too_long_is_refused(self, org: Org) -> None:
        response = org.ask("GET", "/query", params={"q": "x" * 16_400})
        assert (response.status_code, response.headers["Content-Type"]) == (414, "text/html")

    def test_an_api_version_of_the_far_future_is_not_found(self, org: Org) -> None:
        response = org.session.get(f"{org.url}/services/data/v99.0/limits", timeout=60)
        assert response.status_code == 404

    def test_a_missing_resource_is_an_error_list(self, org: Org) -> None:
        assert org.error("GET", "/jobs") == (404, "NOT_FOUND")


class TestTokens:
    def token(self, org: Org, host: str = "acme.my.salesforce.com", **form: str) -> requests.Response:
        return requests.post(f"{org.url}/services/oauth2/token", form, headers={"Host": host}, timeout=60)

    def test_client_credentials_open_a_session(self, org: Org) -> None:
        form = {"grant_type": "client_credentials", "client_id": CLIENT[0], "client_secret": CLIENT[1]}
        org.session.headers["Authorization"] = f"Bearer {self.token(org, **form).json()['access_token']}"
        assert org.ask("GET", "/limits").status_code == 200

    @pytest.mark.parametrize("host", ["login.salesforce.com", "test.salesforce.com"])
    def test_client_credentials_are_refused_on_shared_hosts(self, org: Org, host: str) -> None:
        form = {"grant_type": "client_credentials", "client_id": CLIENT[0], "client_secret": CLIENT[1]}
        assert self.token(org, host, **form).json()["error"] == "invalid_grant"

    @pytest.mark.parametrize(
        ("form", "error"),
        [
            ({"grant_type": "client_credentials", "client_id": "x"}, "invalid_client_id"),
            ({"grant_type": "client_credentials", "client_id": CLIENT[0], "client_secret": "x"}, "invalid_client"),
            ({"grant_type": "password", "client_id": CLIENT[0], "client_secret": CLIENT[1]}, "invalid_grant"),
            ({"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": "a.b.c"}, "invalid_grant"),
            ({"grant_type": "magic"}, "unsupported_grant_type"),
        ],
    )
    def test_errors_are_an_object(self, org: Org, form: dict[str, str], error: str) -> None:
        assert self.token(org, **form).json()["error"] == error

    def test_a_password_opens_a_session(self, org: Org) -> None:
        form = {"grant_type": "password", "client_id": CLIENT[0], "client_secret": CLIENT[1]}
        assert self.token(org, **form, username=LOGIN[0], password=LOGIN[1]).json()["token_type"] == "Bearer"


class TestValues:
    @pytest.mark.parametrize(
        ("fields", "code"),
        [
            ({"DoNotCall": "true"}, "JSON_PARSER_ERROR"),
            ({"DoNotCall": 1}, "JSON_PARSER_ERROR"),
            ({"FirstName": 7}, "JSON_PARSER_ERROR"),
            ({"FirstName": ["a"]}, "JSON_PARSER_ERROR"),
            ({"Household_Income__c": "42000"}, "JSON_PARSER_ERROR"),
            ({"Household_Income__c": True}, "JSON_PARSER_ERROR"),
            ({"Birthdate": "1958-13-01"}, "JSON_PARSER_ERROR"),
            ({"Birthdate": "1958-04-12T00:00:00Z"}, "JSON_PARSER_ERROR"),
            ({"Last_Call_Date__c": "1958-04-12"}, "JSON_PARSER_ERROR"),
            ({"Nickname__c": "x"}, "['INVALID_FIELD']"),
            ({"DoNotCall": None}, "['INVALID_TYPE_ON_FIELD_IN_RECORD']"),
            ({"LastName": None}, "['REQUIRED_FIELD_MISSING']"),
            ({"LastName": "   "}, "['REQUIRED_FIELD_MISSING']"),
            ({"LastName": "x" * 81}, "['STRING_TOO_LONG']"),
            ({"Email": "a@b"}, "['INVALID_EMAIL_ADDRESS']"),
            ({"Language__c": "French"}, "['INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST']"),
            ({"FirstName": "a\x07b"}, "['TEXT_DATA_OUTSIDE_SUPPORTED_CHARSET']"),
            ({"Birthdate": "1066-10-14"}, "['DATE_OUT_OF_RANGE']"),
            ({"OwnerId": "003Hs0000000001IAA"}, "['FIELD_INTEGRITY_EXCEPTION']"),
            ({"OwnerId": "005Hs0000009999AAA"}, "['INVALID_CROSS_REFERENCE_KEY']"),
            ({"OwnerId": "x"}, "['MALFORMED_ID']"),
            ({"CreatedDate": "2026-06-17T19:03:16Z"}, "['INVALID_FIELD_FOR_INSERT_UPDATE']"),
        ],
    )
    def test_an_invalid_value_is_rejected(self, org: Org, fields: dict[str, Any], code: str) -> None:
        assert org.code(**fields) == code

    @pytest.mark.parametrize(
        ("field", "sent", "stored"),
        [
            ("Last_Call_Date__c", "2026-06-17T14:03:16.709-05:00", "2026-06-17T19:03:16.000+0000"),
            ("FirstName", "  Marcus ", "Marcus"),
            ("FirstName", "", None),
            ("LeadSource", "Billboard", "Billboard"),
            ("Household_Income__c", 42000, 42000.0),
        ],
    )
    def test_a_value_is_stored_as_salesforce_stores_it(self, org: Org, field: str, sent: Any, stored: Any) -> None:
        org.upsert({KEY: "a", "LastName": "Delacroix", field: sent})
        assert org.sandbox.records("Contact")[0][field] == stored

    def test_null_clears_and_a_field_left_out_stays(self, org: Org) -> None:
        org.upsert({KEY: "a", "LastName": "Delacroix", "Suffix": "Jr.", "MailingCity": "Mesa"})
        org.upsert({KEY: "a", "Suffix": None})
        assert [(c["Suffix"], c["MailingCity"]) for c in org.sandbox.records("Contact")] == [(None, "Mesa")]


class TestCollections:
    def test_results_come_in_order_with_their_ids(self, org: Org) -> None:
        first, second = org.upsert({KEY: "a", "LastName": "A"}, {KEY: "b"})
        assert (first["success"], first["created"], first["id"][:3], len(first["id"])) == (True, True, "003", 18)
        assert second["errors"][0]["fields"] == ["LastName"]

    def test_a_second_upsert_is_an_update_in_any_letter_case(self, org: Org) -> None:
        (first,) = org.upsert({KEY: "a", "LastName": "A"})
        (second,) = org.upsert({KEY: "A", "LastName": "B"})
        assert (second["id"], second["created"]) == (first["id"], False)

    def test_two_records_with_the_same_key_both_fail(self, org: Org) -> None:
        results = org.upsert({KEY: "a", "LastName": "A"}, {KEY: "A", "LastName": "B"}, {KEY: "c", "LastName": "C"})
        assert [result["success"] for result in results] == [False, False, True]
        assert results[0]["errors"][0]["statusCode"] == "DUPLICATE_VALUE"

    def test_201_records_are_too_many(self, org: Org) -> None:
        records = [{"attributes": {"type": "Contact"}, KEY: str(n), "LastName": "A"} for n in range(201)]
        assert org.error("PATCH", CONTACTS, {"records": records}) == (400, "EXCEEDED_ID_LIMIT")

    @pytest.mark.parametrize(
        "record",
        [
            {KEY: "a", "LastName": "A"},
            {"attributes": {"type": "Lead"}, KEY: "a", "LastName": "A"},
            {"attributes": {"type": "Contact"}, "Id": "003Hs0000000001IAA", KEY: "a"},
        ],
    )
    def test_an_invalid_record_rejects_the_request(self, org: Org, record: dict[str, Any]) -> None:
        good = {"attributes": {"type": "Contact"}, KEY: "good", "LastName": "Good"}
        assert org.error("PATCH", CONTACTS, {"records": [good, record]}) == (400, "INVALID_FIELD")
        assert org.sandbox.records("Contact") == []

    @with_knobs(unknown_column="request")
    def test_an_org_may_reject_the_request_for_an_unknown_column(self, org: Org) -> None:
        record = {"attributes": {"type": "Contact"}, KEY: "a", "LastName": "A"}
        body = {"records": [record, record | {KEY: "b", "Nickname__c": "x"}]}
        assert org.error("PATCH", CONTACTS, body) == (400, "INVALID_FIELD")
        assert org.sandbox.records("Contact") == []

    def test_an_unknown_column_is_rejected_in_its_row(self, org: Org) -> None:
        good, bad = org.upsert({KEY: "a", "LastName": "A"}, {KEY: "b", "LastName": "B", "Nickname__c": "x"})
        assert (good["success"], bad["errors"][0]["statusCode"]) == (True, "INVALID_FIELD")

    def test_a_record_without_its_key_is_refused(self, org: Org) -> None:
        assert org.upsert({"LastName": "A"})[0]["errors"][0]["statusCode"] == "MISSING_ARGUMENT"

    def test_a_field_that_is_no_external_id_is_not_found(self, org: Org) -> None:
        body = {"records": [{"attributes": {"type": "Contact"}, "Suffix": "Jr."}]}
        assert org.error("PATCH", "/composite/sobjects/Contact/Suffix", body) == (404, "NOT_FOUND")

    def test_all_or_none_undoes_the_rows_that_succeeded(self, org: Org) -> None:
        first, second = org.upsert({KEY: "a", "LastName": "A"}, {KEY: "b"}, allOrNone=True)
        assert first["errors"][0]["statusCode"] == "ALL_OR_NONE_OPERATION_ROLLED_BACK"
        assert "id" not in first
        assert (second["success"], org.sandbox.records("Contact")) == (False, [])

    def test_records_are_updated_by_id(self, org: Org) -> None:
        contact = org.sandbox.put("Contact", LastName="A")
        body = {"records": [{"attributes": {"type": "Contact"}, "id": contact["Id"][:15], "LastName": "B"}]}
        assert org.ask("PATCH", "/composite/sobjects", body).json()[0]["success"]
        assert org.sandbox.records("Contact")[0]["LastName"] == "B"

    def test_records_are_created_without_a_key(self, org: Org) -> None:
        body = {"records": [{"attributes": {"type": "Contact"}, "LastName": "B"}]}
        (result,) = org.ask("POST", "/composite/sobjects", body).json()
        assert (result["success"], result["errors"], "created" in result) == (True, [], False)

    def test_a_failed_upsert_row_says_created_false_and_an_update_row_says_nothing(self, org: Org) -> None:
        (failed,) = org.upsert({KEY: "a"})
        body = {"records": [{"attributes": {"type": "Contact"}, "LastName": "B"}]}
        (updated,) = org.ask("PATCH", "/composite/sobjects", body).json()
        assert (failed["created"], "created" in updated) == (False, False)
        message = "Id not specified in an update call"
        assert updated["errors"] == [{"statusCode": "MISSING_ARGUMENT", "message": message, "fields": []}]

    @pytest.mark.parametrize(("method", "path"), [("POST", "/composite/sobjects"), ("PATCH", CONTACTS)])
    def test_a_request_without_records_is_rejected(self, org: Org, method: str, path: str) -> None:
        assert org.error(method, path, {"records": []}) == (400, "REQUIRED_FIELD_MISSING")

    def test_twins_are_named_in_the_row(self, org: Org) -> None:
        ids = [org.sandbox.put("Contact", LastName="A", careCycle_Id__c="a")["Id"][:15] for _ in range(2)]
        (error,) = org.upsert({KEY: "a", "LastName": "B"})[0]["errors"]
        assert (error["statusCode"], error["fields"]) == ("DUPLICATE_EXTERNAL_ID", [KEY])
        assert error["message"].endswith(f"field: [{', '.join(ids)}]")

    def test_every_read_only_field_is_named(self, org: Org) -> None:
        org.sandbox.keep_from_editing("Contact", "DoNotCall", "HasOptedOutOfEmail")
        fields = {"DoNotCall": True, "HasOptedOutOfEmail": True}
        (error,) = org.upsert({KEY: "a", "LastName": "B"} | fields)[0]["errors"]
        assert error["fields"] == list(fields)
        assert error["message"].startswith("Unable to create/update fields: DoNotCall, HasOptedOutOfEmail. Please")

    def test_the_write_log_holds_names_and_no_values(self, org: Org) -> None:
        org.upsert({KEY: "a", "LastName": "A"})
        (written,) = org.sandbox.writes()
        assert (written.object, written.created, written.fields) == ("Contact", True, ("LastName", KEY))


class TestSingleRecords:
    def test_an_upsert_creates_then_updates(self, org: Org) -> None:
        path = f"/sobjects/Contact/{KEY}/a%2Fb"
        statuses = [org.ask("PATCH", path, {"LastName": name}).status_code for name in ("A", "B")]
        assert (statuses, org.sandbox.records("Contact")[0][KEY]) == ([201, 200], "a/b")

    def test_a_new_record_has_its_location(self, org: Org) -> None:
        upserted = org.ask("PATCH", f"/sobjects/Contact/{KEY}/a", {"LastName": "A"})
        created = org.ask("POST", "/sobjects/Contact/", {"LastName": "A"})
        for response in (upserted, created):
            assert response.headers["Location"] == f"/services/data/v67.0/sobjects/Contact/{response.json()['id']}"

    @pytest.mark.parametrize("extra", [{"Id": "003Hs0000000001IAA"}, {KEY: "a"}])
    def test_neither_the_id_nor_the_key_may_be_in_the_body(self, org: Org, extra: dict[str, str]) -> None:
        body = {"LastName": "A"} | extra
        assert org.error("PATCH", f"/sobjects/Contact/{KEY}/a", body) == (400, "INVALID_FIELD")

    def test_an_update_only_never_creates(self, org: Org) -> None:
        path = f"/sobjects/Contact/{KEY}/a?updateOnly=true"
        assert org.error("PATCH", path, {"LastName": "A"}) == (404, "NOT_FOUND")

    def test_twins_are_listed_and_nothing_is_written(self, org: Org) -> None:
        for _ in range(2):
            org.sandbox.put("Contact", LastName="A", careCycle_Id__c="a")
        response = org.ask("PATCH", f"/sobjects/Contact/{KEY}/a", {"LastName": "B"})
        assert (response.status_code, len(response.json())) == (300, 2)

    def test_a_record_is_read_by_key_and_by_id(self, org: Org) -> None:
        contact = org.sandbox.put("Contact", LastName="A", careCycle_Id__c="a")
        by_key = org.ask("GET", f"/sobjects/Contact/{KEY}/A?fields=Id").json()
        by_id = org.ask("GET", f"/sobjects/Contact/{contact['Id']}").json()
        assert (by_key["Id"], by_id["LastName"]) == (contact["Id"], "A")

    def test_a_deleted_record_is_gone_and_its_key_is_free(self, org: Org) -> None:
        (first,) = org.upsert({KEY: "a", "LastName": "A"})
        assert org.ask("DELETE", f"/sobjects/Contact/{first['id']}").status_code == 204
        assert org.error("DELETE", f"/sobjects/Contact/{first['id']}") == (404, "ENTITY_IS_DELETED")
        assert org.upsert({KEY: "a", "LastName": "A"})[0]["id"] != first["id"]

    def test_a_record_is_created_and_updated_by_id(self, org: Org) -> None:
        made = org.ask("POST", "/sobjects/Contact", {"LastName": "A"}).json()
        assert org.ask("PATCH", f"/sobjects/Contact/{made['id']}", {"LastName": "B"}).status_code == 204
        assert org.sandbox.records("Contact")[0]["LastName"] == "B"


class TestRules:
    def test_a_unique_value_is_rejected_the_second_time(self, org: Org) -> None:
        org.sandbox.put("User", LastName="A", Username="a@b.co", FederationIdentifier="f")
        body = {"LastName": "B", "Username": "b@b.co", "FederationIdentifier": "F"}
        assert org.error("POST", "/sobjects/User", body) == (400, "DUPLICATE_VALUE")

    def test_a_parent_is_found_by_its_external_id(self, org: Org) -> None:
        contact = org.sandbox.put("Contact", LastName="A", careCycle_Id__c="a")
        who = {"attributes": {"type": "Contact"}, KEY: "a"}
        org.upsert({"careCycle_Call_Id__c": "t", "Status": "Completed", "Who": who}, path=TASKS)
        assert org.sandbox.records("Task")[0]["WhoId"] == contact["Id"]

    def test_a_missing_parent_is_known_by_the_message(self, org: Org) -> None:
        who = {"attributes": {"type": "Contact"}, KEY: "a"}
        (result,) = org.upsert({"careCycle_Call_Id__c": "t", "Status": "Completed", "Who": who}, path=TASKS)
        error = result["errors"][0]
        assert (error["statusCode"], error["fields"]) == ("INVALID_FIELD", [])
        assert error["message"].startswith("Foreign key external ID: a not found")

    def test_a_task_cannot_have_an_account_as_who(self, org: Org) -> None:
        account = org.sandbox.put("Account", Name="Household")
        task = {"careCycle_Call_Id__c": "t", "Status": "Completed", "WhoId": account["Id"]}
        assert org.upsert(task, path=TASKS)[0]["errors"][0]["statusCode"] == "FIELD_INTEGRITY_EXCEPTION"

    def test_a_converted_lead_cannot_be_written(self, org: Org) -> None:
        lead = org.sandbox.put("Lead", LastName="A", Company="B", IsConverted=True, careCycle_Id__c="a")
        assert org.error("PATCH", f"/sobjects/Lead/{lead['Id']}", {"City": "Mesa"})[1] == "CANNOT_UPDATE_CONVERTED_LEAD"

    @with_knobs(duplicate_rule="alert")
    def test_the_header_overrides_a_duplicate_rule_that_warns(self, org: Org) -> None:
        org.sandbox.put("Contact", LastName="A", Email="a@b.co")
        body = {"LastName": "B", "Email": "A@b.co"}
        assert org.error("POST", "/sobjects/Contact", body) == (400, "DUPLICATES_DETECTED")
        headers = {"Sforce-Duplicate-Rule-Header": "allowSave=true"}
        assert org.ask("POST", "/sobjects/Contact", body, headers=headers).status_code == 201

    @with_knobs(assign_leads=True)
    def test_an_assignment_rule_takes_every_lead_unless_the_header_forbids_it(self, org: Org) -> None:
        mine, priya = org.sandbox.people[1]["Id"], org.sandbox.people[0]["Id"]
        body = {"LastName": "A", "Company": "B", "Status": "Open - Not Contacted", "OwnerId": mine}
        org.ask("POST", "/sobjects/Lead", body)
        org.ask("POST", "/sobjects/Lead", body, headers={"Sforce-Auto-Assign": "FALSE"})
        assert [lead["OwnerId"] for lead in org.sandbox.records("Lead")] == [priya, mine]

    def test_a_field_hidden_from_the_user_is_not_there(self, org: Org) -> None:
        org.sandbox.hide("Contact", "MBI__c")
        fields = org.ask("GET", "/sobjects/Contact/describe").json()["fields"]
        assert org.code(MBI__c="x") == "['INVALID_FIELD']"
        assert "MBI__c" not in {field["name"] for field in fields}


class TestQueries:
    def test_conditions_are_joined(self, org: Org) -> None:
        for name, phone in (("A", "1"), ("B", "1"), ("A", "2")):
            org.sandbox.put("Contact", LastName=name, Phone=phone)
        records = org.select("SELECT LastName FROM Contact WHERE LastName IN ('a', 'c') AND Phone = '1'")
        assert [record["LastName"] for record in records] == ["A"]

    def test_a_limit_and_the_type_of_every_record(self, org: Org) -> None:
        (user,) = org.select("SELECT Id, Email FROM User LIMIT 1")
        assert (user["attributes"]["type"], user["Email"]) == ("User", "priya@youragency.com")

    def test_quotes_inside_a_text(self, org: Org) -> None:
        org.sandbox.put("Contact", LastName="O'Neil\\")
        assert len(org.select("SELECT Id FROM Contact WHERE LastName = 'O\\'Neil\\\\'")) == 1

    @with_knobs(page=2)
    def test_long_results_come_in_pages(self, org: Org) -> None:
        first = org.ask("GET", "/query", params={"q": "SELECT Id FROM User"}).json()
        second = org.session.get(org.url + first["nextRecordsUrl"], timeout=60).json()
        assert (first["done"], len(first["records"]), second["done"], len(second["records"])) == (False, 2, True, 2)
        assert (first["totalSize"], second["totalSize"]) == (4, 4)

    @pytest.mark.parametrize(
        ("soql", "code"),
        [
            ("SELECT Id FROM Contact WHERE", "MALFORMED_QUERY"),
            ("SELECT Id FROM Contact WHERE LastName LIKE 'a%'", "MALFORMED_QUERY"),
            ("SELECT Id FROM Contact WHERE LastName = 'a' OR Id = 'b'", "MALFORMED_QUERY"),
            ("SELECT Id FROM Contact LIMIT x", "MALFORMED_QUERY"),
            ("DELETE FROM Contact", "MALFORMED_QUERY"),
            ("SELECT Id FROM Policy__c", "INVALID_TYPE"),
            ("SELECT Nickname__c FROM Contact", "INVALID_FIELD"),
            ("SELECT Id FROM Contact WHERE Birthdate = '1958-04-12'", "INVALID_FIELD"),
            ("SELECT Id FROM Contact WHERE LastName = 7", "INVALID_FIELD"),
            ("SELECT Id FROM Contact WHERE Description = 'x'", "INVALID_FIELD"),
        ],
    )
    def test_an_invalid_query_is_rejected(self, org: Org, soql: str, code: str) -> None:
        assert org.error("GET", "/query", params={"q": soql}) == (400, code)


class TestComposite:
    def ask(self, org: Org, *paths: str) -> Any:
        subrequests = [
            {"method": "GET", "url": f"/services/data/v67.0{path}", "referenceId": f"r{number}"}
            for number, path in enumerate(paths)
        ]
        return org.ask("POST", "/composite", {"allOrNone": False, "compositeRequest": subrequests})

    def test_parts_are_answered_in_order_and_count_as_one_call(self, org: Org) -> None:
        parts = self.ask(org, "/sobjects/User/describe", "/sobjects/Policy__c/describe").json()["compositeResponse"]
        assert [(part["referenceId"], part["httpStatusCode"]) for part in parts] == [("r0", 200), ("r1", 404)]
        assert (parts[0]["body"]["name"], parts[1]["body"][0]["errorCode"]) == ("User", "NOT_FOUND")
        assert org.sandbox.used == 1

    @pytest.mark.parametrize("paths", [["/sobjects"] * 26, ["/query?q=SELECT Id FROM User"] * 6])
    def test_too_many_parts_are_rejected(self, org: Org, paths: list[str]) -> None:
        assert self.ask(org, *paths).status_code == 400

    def test_a_composite_without_a_list_is_rejected(self, org: Org) -> None:
        assert org.error("POST", "/composite", {"compositeRequest": 17}) == (400, "JSON_PARSER_ERROR")


class TestConvertedLeads:
    def test_a_task_cannot_point_at_a_converted_lead(self, org: Org) -> None:
        lead = org.sandbox.put("Lead", LastName="Delacroix", IsConverted=True)["Id"]
        task = {"careCycle_Call_Id__c": "c", "Status": "Completed", "WhoId": lead}
        (result,) = org.upsert(task, path="/composite/sobjects/Task/careCycle_Call_Id__c")
        assert result["errors"][0]["statusCode"] == "CANNOT_UPDATE_CONVERTED_LEAD"


class TestDescribing:
    def test_an_object_is_described_as_salesforce_does(self, org: Org) -> None:
        described = org.ask("GET", "/sobjects/Task/describe").json()
        fields = {field["name"]: field for field in described["fields"]}
        assert (described["keyPrefix"], fields["WhoId"]["referenceTo"]) == ("00T", ["Contact", "Lead"])
        assert (fields["Status"]["restrictedPicklist"], fields["Status"]["nillable"]) == (True, False)
        key = fields["careCycle_Call_Id__c"]
        assert (key["externalId"], key["unique"], key["length"]) == (True, True, 60)

    def test_the_objects_are_listed(self, org: Org) -> None:
        names = [each["name"] for each in org.ask("GET", "/sobjects").json()["sobjects"]]
        assert names[:5] == ["Contact", "Lead", "Account", "Task", "User"]

    def test_an_unknown_object_is_not_found(self, org: Org) -> None:
        assert org.error("GET", "/sobjects/Policy__c/describe") == (404, "NOT_FOUND")


TASKS = "/composite/sobjects/Task/careCycle_Call_Id__c"
