"""Where people find a record in either CRM."""

from __future__ import annotations

import pytest

from connector.crm import CrmAccount
from connector.destinations.hubspot import link as hubspot
from connector.destinations.salesforce import link as salesforce
from tests.destinations.salesforce_fixtures import client_credentials, credentials, jwt


class TestSalesforce:
    def test_a_record_is_found_at_the_org_s_own_address(self) -> None:
        address = salesforce.record_address(client_credentials(domain="acme.my"), "Contact", "003000000000001AAA")
        assert address == "https://acme.my.salesforce.com/003000000000001AAA"

    def test_a_government_org_has_an_address_of_its_own(self) -> None:
        auth = client_credentials(domain="acme.my.salesforce.mil")
        assert salesforce.record_address(auth, "Contact", "0031") == "https://acme.my.salesforce.mil/0031"

    def test_a_session_names_the_org_itself(self) -> None:
        session = credentials(flow="session", session_id="x", instance_url="https://acme.my.salesforce.com")
        assert salesforce.record_address(session, "Task", "00T1") == "https://acme.my.salesforce.com/00T1"

    def test_the_domain_every_org_shares_leads_nowhere(self) -> None:
        assert salesforce.record_address(jwt(), "Contact", "0031") == ""

    def test_what_is_no_id_makes_no_address(self) -> None:
        assert salesforce.record_address(client_credentials(), "Contact", "../x") == ""


class TestHubSpot:
    @pytest.mark.parametrize(("kind", "type_id"), [("contacts", "0-1"), ("calls", "0-48"), ("2-123", "2-123")])
    def test_a_record_is_found_in_its_portal(self, kind: str, type_id: str) -> None:
        address = hubspot.record_address(12345678, None, kind, "1001")
        assert address == f"https://app.hubspot.com/contacts/12345678/record/{type_id}/1001"

    @pytest.mark.parametrize(
        ("portal", "kind", "id"), [(None, "contacts", "1"), (1, "pets", "1"), (1, "contacts", "x")]
    )
    def test_without_portal_type_or_id_there_is_none(self, portal: int | None, kind: str, id: str) -> None:
        assert hubspot.record_address(portal, None, kind, id) == ""

    @pytest.mark.parametrize("host", ["app-eu1.hubspot.com", "app.hubspot.com", ""])
    def test_what_hubspot_says_of_the_account_counts_more(self, host: str) -> None:
        address = hubspot.record_address(1, CrmAccount("77", pages=host), "contacts", "1001")
        assert address == f"https://{host or 'app.hubspot.com'}/contacts/77/record/0-1/1001"
