"""The sandboxes' own pages over HTTP: what people see there, what they break, and who may not."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from connector.cli.sandbox import open_pages
from connector.sandbox.hubspot import HubSpotSandbox
from connector.sandbox.salesforce import SalesforceSandbox

SCRIPT = "<script>alert(1)</script>"
KEY = "careCycle_Id__c"


class Page:
    """A sandbox, its API, and its page as a browser without scripts has it."""

    def __init__(self, wire: SalesforceSandbox | HubSpotSandbox) -> None:
        self.wire, self.session = wire, requests.Session()
        self.session.trust_env = False
        self.api = {"Authorization": f"Bearer {wire.token}"}

    def get(self, path: str = "/", **options: Any) -> str:
        reply = self.session.get(self.wire.url + path, timeout=60, **options)
        assert reply.status_code == 200, reply.text
        return reply.text

    def press(self, path: str, **form: str) -> str:
        """Send a form of the page; return the page it leads to."""
        (token,) = set(re.findall(r'name="token" value="([^"]+)"', self.get()))
        reply = self.session.post(self.wire.url + path, data={"token": token, **form}, timeout=60)
        assert reply.status_code == 200, reply.text
        return reply.text

    def call(self, method: str, path: str, body: Any = None) -> requests.Response:
        return self.session.request(method, self.wire.url + path, json=body, headers=self.api, timeout=60)


@pytest.fixture
def crms() -> Iterator[tuple[Page, Page]]:
    salesforce, hubspot = SalesforceSandbox(), HubSpotSandbox()
    open_pages(salesforce, hubspot)
    with salesforce, hubspot:
        yield Page(salesforce), Page(hubspot)


@pytest.fixture
def org(crms: tuple[Page, Page]) -> Page:
    return crms[0]


@pytest.fixture
def portal(crms: tuple[Page, Page]) -> Page:
    return crms[1]


def upsert(org: Page, key: str, **fields: Any) -> str:
    path = f"/services/data/v67.0/sobjects/Contact/{KEY}/{key}"
    return str(org.call("PATCH", path, {"LastName": "Delacroix", **fields}).json()["id"])


def create(portal: Page, kind: str = "contacts", **properties: str) -> str:
    return str(portal.call("POST", f"/crm/objects/2026-03/{kind}", {"properties": properties}).json()["id"])


class TestLooking:
    def test_it_says_that_it_is_a_sandbox_and_leads_to_the_other(self, org: Page, portal: Page) -> None:
        assert "This is a sandbox on this machine, not Salesforce" in org.get()
        assert f'href="{portal.wire.url}/"' in org.get()
        assert "This is a sandbox on this machine, not HubSpot" in portal.get()

    def test_records_are_listed_searched_and_paged(self, org: Page) -> None:
        for number in range(51):
            org.wire.put("Contact", LastName="Delacroix", FirstName=f"N{number}", careCycle_Id__c=f"c-{number}")
        assert ("c-50" in org.get("/records/Contact"), "c-0<" in org.get("/records/Contact")) == (True, False)
        assert "c-0<" in org.get("/records/Contact?page=1")
        found = org.get("/records/Contact?q=n17")
        assert ("c-17" in found, "c-18" in found) == (True, False)

    def test_a_record_shows_its_fields_links_and_history(self, org: Page) -> None:
        person = upsert(org, "a", FirstName="Marcus")
        call = org.call(
            "POST", "/services/data/v67.0/sobjects/Task", {"Subject": "Call", "WhoId": person, "Status": "Completed"}
        )
        upsert(org, "a", FirstName="Mark")
        page = org.get(f"/records/Contact/{person}")
        assert f"/records/Task/{call.json()['id']}" in page
        assert "<del>Marcus</del> → Mark" in page
        assert f"PATCH /services/data/v67.0/sobjects/Contact/{KEY}/a" in page

    def test_a_portals_links_and_opted_out_addresses_are_shown(self, portal: Page) -> None:
        person = create(portal, email="marcus@example.com")
        call = create(portal, "calls", hs_timestamp="2026-06-18T12:00:00Z", hs_call_title="Renewal")
        body = {"inputs": [{"from": {"id": call}, "to": {"id": person}}]}
        portal.call("POST", "/crm/associations/2026-03/calls/contacts/batch/associate/default", body)
        portal.call("POST", "/communication-preferences/v4/statuses/marcus@example.com/unsubscribe-all?channel=EMAIL")
        assert "Renewal" in portal.get(f"/records/contacts/{person}")
        assert f'href="/records/contacts/{person}"' in portal.get("/opted-out")
        history = portal.get("/history")
        assert ("opted out of email" in history, "linked" in history) == (True, True)

    def test_an_orgs_opted_out_people_are_shown(self, org: Page) -> None:
        person = upsert(org, "a", Email="marcus@example.com", HasOptedOutOfEmail=True)
        assert f'href="/records/Contact/{person}"' in org.get("/opted-out")

    def test_a_write_that_was_rolled_back_is_not_in_the_history(self, org: Page) -> None:
        rows = [{"attributes": {"type": "Contact"}, "LastName": name} for name in ("Delacroix", None)]
        org.call("POST", "/services/data/v67.0/composite/sobjects", {"allOrNone": True, "records": rows})
        assert "Nothing was written yet" in org.get("/history")

    def test_looking_is_no_call_of_the_api(self, org: Page) -> None:
        org.get()
        assert org.wire.calls() == []


class TestBreaking:
    def test_a_rate_limit_lasts_until_it_is_put_right(self, portal: Page) -> None:
        assert "until you put it right" in portal.press("/break", trouble="limit", times="all")
        codes = [portal.call("GET", "/crm/v3/owners").status_code for _ in range(3)]
        portal.press("/repair")
        assert [*codes, portal.call("GET", "/crm/v3/owners").status_code] == [429, 429, 429, 200]

    def test_an_outage_of_one_request(self, org: Page) -> None:
        assert "for 1 more request<" in org.press("/break", trouble="outage", times="1")
        assert [org.call("GET", "/services/data/v67.0/limits").status_code for _ in range(2)] == [503, 200]

    def test_a_lost_reply_leaves_the_record(self, org: Page) -> None:
        org.press("/break", trouble="lost")
        with pytest.raises(requests.ConnectionError):
            upsert(org, "a")
        assert len(org.wire.records("Contact")) == 1  # type: ignore[arg-type]

    @pytest.mark.parametrize(("crm", "path"), [(0, "/services/data/v67.0/limits"), (1, "/crm/v3/owners")])
    def test_an_expired_session(self, crms: tuple[Page, Page], crm: int, path: str) -> None:
        crms[crm].press("/break", trouble="session")
        assert crms[crm].call("GET", path).status_code == 401

    def test_an_org_without_calls_left(self, org: Page) -> None:
        org.press("/break", trouble="limit")
        assert org.call("GET", "/services/data/v67.0/limits").status_code == 403


class TestByHand:
    def test_a_field_is_edited_as_strictly_as_in_the_crm(self, org: Page) -> None:
        person = upsert(org, "a")
        page = org.press(f"/records/Contact/{person}/edit", field="FirstName", value="Mark")
        assert ("Changed by hand" in page, "by hand</p>" in page, "Mark" in page) == (True, True, True)
        assert "Not done" in org.press(f"/records/Contact/{person}/edit", field="Language__c", value="Klingon")
        assert "Not done" in org.press(f"/records/Contact/{person}/edit", field="Nope", value="x")
        assert "Changed" in org.press(f"/records/Contact/{person}/edit", field="DoNotCall", value="true")
        assert org.wire.records("Contact")[0]["DoNotCall"] is True  # type: ignore[index,call-overload]

    def test_two_are_merged_one_is_deleted_and_restored(self, org: Page) -> None:
        first, second = upsert(org, "a"), upsert(org, "b")
        assert "Merged by hand" in org.press(f"/records/Contact/{first}/merge", loser=second)
        assert "is deleted" in org.get(f"/records/Contact/{second}")
        assert "it was merged" in org.press(f"/records/Contact/{second}/restore")
        assert "is deleted" in org.press(f"/records/Contact/{first}/delete")
        assert first in org.get("/records/Contact?deleted=1")
        assert "Restored by hand" in org.press(f"/records/Contact/{first}/restore")

    def test_the_same_in_a_portal(self, portal: Page) -> None:
        first, second = (create(portal, email=f"{name}@example.com") for name in "ab")
        merged = portal.press(f"/records/contacts/{first}/merge", loser=second)
        assert ("Merged by hand" in merged, "a@example.com" in merged) == (True, True)
        third = create(portal, email="c@example.com")
        assert "Not done" in portal.press(f"/records/contacts/{third}/edit", field="email", value="nobody")
        assert "is deleted" in portal.press(f"/records/contacts/{third}/delete")
        assert "Restored by hand" in portal.press(f"/records/contacts/{third}/restore")

    def test_what_is_typed_must_fit_the_fields_type(self, org: Page) -> None:
        person = f"/records/Contact/{upsert(org, 'a', DoNotCall=True)}/edit"
        assert "Not done: Do Not Call takes true or false" in org.press(person, field="DoNotCall", value="sure")
        assert "Not done: Household Income takes a number" in org.press(
            person, field="Household_Income__c", value="nan"
        )
        assert "Changed" in org.press(person, field="Household_Income__c", value="52000.50")
        call = org.press("/records/Task", fields="Subject: Call\nStatus: Completed\nCallDurationInSeconds: 247")
        assert "247" in call

    def test_the_refusal_of_a_long_text_is_short_enough_for_the_browsers_cookie(self, org: Page) -> None:
        path = f"/records/Contact/{upsert(org, 'a')}/edit"
        token = re.findall(r'name="token" value="([^"]+)"', org.get())[0]
        form = {"token": token, "field": "LastName", "value": random.Random(1).randbytes(20_000).hex()}
        reply = org.session.post(org.wire.url + path, data=form, timeout=60, allow_redirects=False)
        assert len(reply.headers["Set-Cookie"]) < 4_000
        assert "Not done: Last Name: data value too large" in org.get(reply.headers["Location"])

    def test_a_property_that_was_archived_spoils_no_page(self, portal: Page) -> None:
        person = create(portal, email="a@example.com", do_not_text="true")
        portal.call("DELETE", "/crm/v3/properties/contacts/do_not_text")
        assert person in portal.get("/records/contacts")
        assert "a@example.com" in portal.get(f"/records/contacts/{person}")

    def test_a_queue_is_added(self, org: Page) -> None:
        assert "Renewals" in org.press("/records/Group", fields="Name: Renewals\nType: Queue\n")
        assert "Not added: Required fields are missing: [Type]" in org.press("/records/Group", fields="Name: x")

    def test_a_record_may_be_added_with_the_id_that_a_mapping_names(self, org: Page) -> None:
        fields = "Id: 0125g000001AbCd\nName: Medicare\nSobjectType: Contact"
        assert "0125g000001AbCdAAK" in org.press("/records/RecordType", fields=fields)
        org.wire.record_type("Contact", "Other")  # type: ignore[union-attr]  # which gives contacts the field
        person = upsert(org, "a", RecordTypeId="0125g000001AbCdAAK")
        assert person in org.get("/records/RecordType/0125g000001AbCdAAK")
        assert "Not added" in org.press("/records/RecordType", fields="Id: mine\nName: x")
        assert "Not added: there is a record" in org.press("/records/RecordType", fields=fields)

    def test_an_owner_of_a_portal_is_added_and_leaves(self, portal: Page) -> None:
        assert "tom@example.com" in portal.press("/records/owners", fields="email: tom@example.com")
        assert "needs an email" in portal.press("/records/owners", fields="firstName: Tom")
        (tom,) = portal.call("GET", "/crm/v3/owners?email=tom@example.com").json()["results"]
        portal.press(f"/records/owners/{tom['id']}/delete")
        assert portal.call("GET", "/crm/v3/owners?email=tom@example.com").json()["results"] == []
        assert tom["id"] in portal.get("/records/owners?deleted=1&q=tom")
        restored = portal.press(f"/records/owners/{tom['id']}/restore")
        assert ("Restored by hand" in restored, "Change the field" in restored) == (True, False)


class TestStrangers:
    @pytest.mark.parametrize("form", [{}, {"token": "guessed"}])
    def test_a_form_of_another_site_changes_nothing(self, org: Page, form: dict[str, str]) -> None:
        reply = requests.post(f"{org.wire.url}/break", data={"trouble": "outage", **form}, timeout=60)
        assert (reply.status_code, org.wire.faults) == (403, [])

    def test_nor_does_one_that_knows_the_token(self, org: Page) -> None:
        (token,) = set(re.findall(r'name="token" value="([^"]+)"', org.get()))
        form, headers = {"trouble": "outage", "token": token}, {"Origin": "https://evil.example.com"}
        assert requests.post(f"{org.wire.url}/break", data=form, headers=headers, timeout=60).status_code == 403

    def test_a_name_that_is_not_this_machines_gets_no_page(self, org: Page) -> None:
        assert requests.get(f"{org.wire.url}/", headers={"Host": "evil.example.com"}, timeout=60).status_code == 404

    def test_html_in_values_stays_text(self, org: Page, portal: Page) -> None:
        person = upsert(org, "a", LastName=SCRIPT, Description=SCRIPT, Title='" onclick="alert(1)')
        other = create(portal, lastname=SCRIPT, email="a@example.com")
        seen = [
            org.get(path) for path in ("/", "/history", f"/records/Contact?q={SCRIPT}", f"/records/Contact/{person}")
        ]
        seen += [portal.get(path) for path in ("/", "/records/contacts", f"/records/contacts/{other}")]
        assert [page for page in seen if SCRIPT in page or '" onclick' in page] == []
        assert all("&lt;script&gt;" in page for page in seen)

    def test_pages_may_run_no_script_and_load_nothing_from_elsewhere(self, org: Page) -> None:
        reply = requests.get(f"{org.wire.url}/", timeout=60)
        assert "default-src 'none'" in reply.headers["Content-Security-Policy"]
        assert re.findall(r'(?:src|href)="(https?:(?!//127\.0\.0\.1)[^"]*)"', reply.text) == []

    @pytest.mark.parametrize("path", ["/records/Nope", "/records/Contact/003", "/records/Nope/1", "/history/1"])
    def test_what_is_not_there_is_404(self, org: Page, path: str) -> None:
        assert requests.get(org.wire.url + path, timeout=60).status_code == 404
