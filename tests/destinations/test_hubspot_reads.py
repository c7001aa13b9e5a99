"""Finding records and owners in HubSpot, reading its schema, and telling values apart as it does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.destinations.base import Found
from connector.destinations.hubspot.values import LONGEST, plain, wire
from connector.errors import DestinationUnusable
from connector.sandbox.hubspot import SCOPES
from connector.sandbox.hubspot.owners import Owner
from tests.destinations.hubspot_fixtures import a_call, a_contact, sandbox_and_destination


class TestFindingByAUniqueProperty:
    def test_a_record_is_found_with_the_fields_asked_for_and_blanks_are_none(self, portal, hubspot):
        made = portal.put("contacts", carecycle_id="c-1", firstname="Ada")
        found = hubspot.find("contacts", "carecycle_id", ["c-1", "c-2"], ["firstname", "lastname"])
        assert found == {"c-1": [Found(made, {"firstname": "Ada", "lastname": None})], "c-2": []}

    def test_a_hundred_values_are_one_call(self, portal, hubspot):
        hubspot.find("contacts", "carecycle_id", [f"c-{n}" for n in range(150)], [])
        assert [len(seen.body["inputs"]) for seen in portal.seen] == [100, 50]

    def test_letter_case_is_hubspots_affair_and_the_answer_stands_under_the_value_asked(self, portal, hubspot):
        made = portal.put("contacts", email="ada@example.org")
        assert hubspot.find("contacts", "email", ["Ada@Example.org"], [])["Ada@Example.org"][0].id == made

    def test_a_secondary_address_finds_its_contact(self, portal, hubspot):
        portal.put("contacts", email="someone@example.org")
        made = portal.put("contacts", email="ada@example.org", hs_additional_emails="lady@example.org")
        asked = ["someone@example.org", "lady@example.org", "nobody@example.org"]
        found = hubspot.find("contacts", "email", asked, [])
        assert [one.id for one in found["lady@example.org"]] == [made]
        assert found["nobody@example.org"] == []

    def test_both_addresses_of_one_contact_are_answered(self, portal, hubspot):
        made = portal.put("contacts", email="ada@example.org", hs_additional_emails="lady@example.org")
        found = hubspot.find("contacts", "email", ["ada@example.org", "lady@example.org"], [])
        assert [one.id for some in found.values() for one in some] == [made, made]

    def test_a_record_is_found_by_its_own_id(self, portal, hubspot):
        made = portal.put("contacts", firstname="Ada")
        assert hubspot.find("contacts", "id", [made, "4711"], ["firstname"]) == {
            made: [Found(made, {"firstname": "Ada"})],
            "4711": [],
        }

    def test_a_call_body_reads_as_it_was_written(self, hubspot):
        text = "5 < 6 & so on\nnext line"
        hubspot.write([a_call("k-1", hs_call_body=text)])
        found = hubspot.find("calls", "carecycle_call_id", ["k-1"], ["hs_call_body"])
        assert found["k-1"][0].values == {"hs_call_body": text}

    def test_a_value_hubspot_refuses_to_read_is_one_nobody_holds(self, portal, hubspot):
        made = portal.put("contacts", carecycle_id="c-1")
        portal.fault("/batch/read", portal.refused(400, "VALIDATION_ERROR"))
        found = hubspot.find("contacts", "carecycle_id", ["c-1", "c-2"], [])
        assert [one.id for one in found["c-1"]] == [made]

    def test_an_object_the_portal_does_not_have_is_told(self, hubspot):
        assert hubspot.find("pets", "name", ["Rex"], [])["Rex"].code == "OBJECT_TYPE_UNKNOWN"

    def test_no_values_ask_nothing(self, portal, hubspot):
        assert hubspot.find("contacts", "email", [], []) == {}
        assert hubspot.find("contacts", "email", [""], []) == {"": []}
        assert portal.seen == []


class TestFindingByAPropertyThatIsNotUnique:
    def test_every_holder_of_the_value_is_found(self, portal, hubspot):
        both = {portal.put("contacts", mobilephone="+13125550100", firstname=name) for name in ("Ada", "Ben")}
        found = hubspot.find("contacts", "mobilephone", ["+13125550100"], ["firstname"])
        assert {one.id for one in found["+13125550100"]} == both

    def test_letter_case_does_not_matter(self, portal, hubspot):
        made = portal.put("contacts", city="phoenix")
        assert [one.id for one in hubspot.find("contacts", "city", ["PHOENIX"], [])["PHOENIX"]] == [made]

    def test_more_than_a_page_is_read_to_its_end(self, portal, hubspot):
        for _ in range(205):
            portal.put("contacts", city="Phoenix")
        assert len(hubspot.find("contacts", "city", ["Phoenix"], [])["Phoenix"]) == 205

    def test_the_second_time_the_search_is_asked_at_once(self, portal, hubspot):
        for _ in range(2):
            hubspot.find("contacts", "city", ["Phoenix"], [])
        assert [seen.path.rsplit("/", 1)[1] for seen in portal.seen] == ["read", "search", "search"]


class TestOwners:
    def test_an_owner_is_found_by_address_whatever_its_case(self, hubspot):
        found = hubspot.find("owners", "email", ["Priya@YourAgency.com", "nobody@youragency.com"], ["id", "firstName"])
        assert found["Priya@YourAgency.com"] == [Found("71001", {"id": "71001", "firstName": "Priya"})]
        assert found["nobody@youragency.com"] == []

    def test_a_colleague_who_left_is_not_found(self, hubspot):
        assert hubspot.find("owners", "email", ["former@youragency.com"], ["id"]) == {"former@youragency.com": []}

    def test_many_addresses_are_one_call(self, portal, hubspot):
        hubspot.find("owners", "email", [f"agent{n}@youragency.com" for n in range(50)], ["id"])
        assert len(portal.calls("/owners")) == 1

    def test_a_long_list_is_read_to_its_end(self):
        owners = [Owner(str(n), f"agent{n}@youragency.com", "A", "B") for n in range(501)]
        with sandbox_and_destination(owners=owners) as (_, hubspot):
            assert hubspot.find("owners", "email", ["agent500@youragency.com"], ["id"])["agent500@youragency.com"]


class TestNormal:
    @pytest.mark.parametrize(
        ("value", "text"),
        [
            (None, ""),
            ("", ""),
            (True, "true"),
            (False, "false"),
            (12, "12"),
            (12.0, "12"),
            ("12.00", "12"),
            (12.5, "12.5"),
            ("  Ada ", "Ada"),
            ("Ada@Example.ORG", "ada@example.org"),
            ("07030", "07030"),
            ("2026-11-02", "2026-11-02"),
            ("2026-11-02T15:04:05Z", "2026-11-02T15:04:05.000Z"),
            ("2026-11-02T17:04:05.123456+02:00", "2026-11-02T15:04:05.123Z"),
            (1793632645000, "2026-11-02T15:17:25.000Z"),
            ("1793632645000", "2026-11-02T15:17:25.000Z"),
            ("2026-13-40T99:99:99Z", "2026-13-40T99:99:99Z"),
            ("0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00+14:00"),
        ],
    )
    def test_a_value_has_one_text(self, hubspot, value, text):
        assert hubspot.normal(value) == text

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("do_not_call", True),
            ("annual_household_income", 41000),
            ("annual_household_income", 41000.5),
            ("email", "Ada@Example.ORG"),
            ("zip", "07030"),
            ("firstname", "Zoë"),
            ("city", None),
        ],
    )
    def test_what_was_written_and_what_is_read_back_compare_equal(self, hubspot, field, value):
        hubspot.write([a_contact("c-1", **{field: value})])
        [found] = hubspot.find("contacts", "carecycle_id", ["c-1"], [field])["c-1"]
        assert hubspot.normal(found.values[field]) == hubspot.normal(value)

    def test_a_time_compares_equal_however_it_was_written(self, hubspot):
        hubspot.write([a_call("k-1", hs_timestamp="2026-11-02T17:04:05+02:00")])
        [found] = hubspot.find("calls", "carecycle_call_id", ["k-1"], ["hs_timestamp"])["k-1"]
        assert hubspot.normal(found.values["hs_timestamp"]) == hubspot.normal("2026-11-02T15:04:05Z")


class TestRichText:
    def test_only_the_call_body_is_escaped(self):
        assert wire("hs_call_body", "a<b\r\nc") == "a&lt;b<br>c"
        assert wire("hs_call_title", "a<b") == "a<b"

    @given(st.text().filter(lambda text: "\r\n" not in text))
    def test_whatever_is_written_reads_back_the_same(self, text):
        assert plain("hs_call_body", wire("hs_call_body", text)) == (text or None)

    @pytest.mark.parametrize("padding", range(8))
    def test_a_long_body_is_cut_between_characters(self, padding):
        text = wire("hs_call_body", "x" * padding + "<\n" * 20_000)
        assert LONGEST - 8 <= len(text) <= LONGEST
        assert text.endswith(("&lt;", "<br>"))
        assert set(plain("hs_call_body", text) or "") <= set("x<\n")


class TestDescribe:
    def test_the_shipped_schema_is_what_the_portal_offers(self, hubspot, shipped):
        schema = hubspot.describe(["contacts", "calls", "owners"])
        for name, fields in shipped.items():
            assert set(fields) <= set(schema.objects[name].fields)

    def test_types_are_the_mapping_languages(self, hubspot):
        fields = hubspot.describe(["contacts", "calls"]).objects
        contacts, calls = fields["contacts"].fields, fields["calls"].fields
        names = ("firstname", "phone", "hs_language", "do_not_call", "annual_household_income", "hubspot_owner_id")
        assert [contacts[name].type for name in names] == [
            "string",
            "phone",
            "picklist",
            "boolean",
            "double",
            "reference",
        ]
        assert (calls["hs_timestamp"].type, calls["hs_timestamp"].required) == ("datetime", True)

    def test_what_a_field_allows_is_told(self, hubspot):
        contacts = hubspot.describe(["contacts"]).objects["contacts"].fields
        assert contacts["firstname"].length == LONGEST
        assert contacts["carecycle_id"].unique
        assert contacts["email"].unique
        assert not contacts["hs_email_optout"].writable
        assert contacts["hs_language"].restricted
        assert [option.value for option in contacts["hs_language"].options] == ["en", "es", "fr"]

    def test_a_sensitive_property_is_seen_and_marked(self, hubspot):
        assert hubspot.describe(["contacts"]).objects["contacts"].fields["carecycle_mbi"].sensitive

    def test_without_the_scope_sensitive_properties_do_not_exist(self):
        scopes = {scope for scope in SCOPES if "sensitive" not in scope}
        with sandbox_and_destination(scopes=scopes) as (_, hubspot):
            fields = hubspot.describe(["contacts"]).objects["contacts"].fields
        assert "firstname" in fields
        assert "carecycle_mbi" not in fields

    def test_nothing_on_a_call_is_sensitive(self, portal, hubspot):
        fields = hubspot.describe(["calls"]).objects["calls"].fields
        assert not any(field.sensitive for field in fields.values())
        assert len(portal.seen) == 1

    def test_an_outage_while_reading_is_an_outage(self, portal, hubspot):
        portal.fault("dataSensitivity=sensitive", portal.html(503), times=9)
        portal.fault("/properties", portal.html(503), skip=1, times=9)
        with pytest.raises(DestinationUnusable, match="not available"):
            hubspot.describe(["contacts"])


@pytest.fixture
def shipped() -> dict[str, list[str]]:
    """The fields of the schema file the shipped mappings are tested against."""
    path = Path(__file__).parents[1] / "mappings" / "hubspot.describe.json"
    objects = json.loads(path.read_text())["objects"]
    return {name: list(described["fields"]) for name, described in objects.items()}
