"""Keys of records: cleaned of what no CRM keeps, compared without regard to letter case."""

from __future__ import annotations

import pytest

from connector import mapping
from connector.destinations import VENDORS
from connector.destinations.salesforce.schema import DescribedObject, target
from connector.mapping.diagnostics import Severity
from connector.mapping.target import TargetSchema
from connector.model import RecordKey
from tests.mappings.build import SHARED, an_event, mapping_text, planned

BY_HAND = mapping_text().replace("customer.id", "customer.externalId")


def org(**key: object) -> TargetSchema:
    """An org whose key field Salesforce describes with these attributes."""
    own = {"name": "careCycle_Id__c", "type": "string", "externalId": True, "unique": True, "updateable": True, **key}
    fields = [own, {"name": "LastName", "type": "string", "length": 80, "updateable": True}]
    contact = target(DescribedObject.model_validate({"fields": fields}))
    return TargetSchema(label="your Salesforce org", crm="salesforce", objects={"Contact": contact})


def codes(text: str, schema: TargetSchema) -> list[tuple[str, Severity]]:
    loaded = mapping.load_text(text, "it.yaml", schema=schema, shipped=SHARED, crms=VENDORS)
    return [(found.code, found.severity) for found in loaded.diagnostics]


class TestAKey:
    def test_equals_one_that_differs_in_case_or_outer_blanks(self) -> None:
        assert RecordKey("Contact", "Key", " CRM-1a ") == RecordKey("Contact", "Key", "crm-1A")
        assert len({RecordKey("Contact", "Key", "CRM-1a"), RecordKey("Contact", "Key", "crm-1A")}) == 1
        assert RecordKey("Contact", "Key", "CRM-1a") != RecordKey("Contact", "Key", "CRM-1b")

    @pytest.mark.parametrize("written", [" CRM-48213", "CRM-48213\t\n", "CRM\x00-48\x07213"])
    def test_is_sent_without_what_no_crm_keeps(self, written: str) -> None:
        (write,) = planned(BY_HAND, an_event(externalId=written)).writes
        assert write.key.value == "CRM-48213"

    @pytest.mark.parametrize("blank", [" ", "\t", "\x00"])
    def test_of_blanks_makes_no_record(self, blank: str) -> None:
        assert planned(BY_HAND, an_event(externalId=blank)).writes == ()


class TestAFieldThatTellsUpperCaseFromLower:
    def test_is_warned_of_where_people_write_the_keys(self) -> None:
        assert codes(BY_HAND, org(caseSensitive=True)) == [("M230", Severity.WARNING)]

    @pytest.mark.parametrize("described", [{"caseSensitive": False}, {"caseSensitive": None}, {}])
    def test_is_not_supposed_where_salesforce_does_not_say_so(self, described: dict[str, object]) -> None:
        assert codes(BY_HAND, org(**described)) == []

    def test_does_no_harm_to_keys_of_one_case(self) -> None:
        lower = BY_HAND.replace("customer.externalId", "{ from: customer.externalId, format: lower }")
        assert codes(lower, org(caseSensitive=True)) == codes(mapping_text(), org(caseSensitive=True)) == []
