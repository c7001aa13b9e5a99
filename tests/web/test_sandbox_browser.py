"""The sandboxes' pages in a real browser, wide and narrow: read, broken and put right with clicks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By

from connector.cli.sandbox import open_pages
from connector.sandbox.hubspot import HubSpotSandbox
from connector.sandbox.salesforce import SalesforceSandbox
from tests.web.test_console_browser import (
    NARROW,
    WIDE,
    axe,
    beyond_the_edge,
    browser,
    chromium,
    follow,
    heading,
    leave,
    notice,
    press,
    resize,
    violations,
)

__all__ = ["axe", "browser", "chromium"]
pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.xdist_group("browser")]
LONG = "Wolfeschlegelsteinhausenbergerdorff" * 2


@pytest.fixture
def crms() -> Iterator[tuple[SalesforceSandbox, HubSpotSandbox]]:
    """Both sandboxes, with people, calls, an opt-out and a deleted record."""
    salesforce, hubspot = SalesforceSandbox(), HubSpotSandbox()
    open_pages(salesforce, hubspot)
    for number in range(60):
        person = salesforce.put("Contact", LastName=LONG, FirstName=f"N{number}", Email=f"n{number}@example.com")
        salesforce.put("Task", Subject="A call", Status="Completed", WhoId=person["Id"])
        hubspot.put("contacts", email=f"n{number}@example.com", lastname=LONG, carecycle_id=f"b1f7c0e2-{number}")
    salesforce.change(person["Id"], HasOptedOutOfEmail=True, Description="<b>bold</b>\n" * 20)
    hubspot.state.opted_out.add("n1@example.com")
    hubspot.delete("contacts", "1003")
    with salesforce, hubspot:
        yield salesforce, hubspot


def pages(crms: tuple[SalesforceSandbox, HubSpotSandbox]) -> list[str]:
    salesforce, hubspot = crms
    person = salesforce.records("Contact")[-1]["Id"]
    common = ["/", "/history", "/opted-out"]
    org = ["/records/Contact", f"/records/Contact/{person}", "/records/Contact?q=nobody"]
    portal = ["/records/contacts?page=1", "/records/contacts/1002", "/records/contacts?deleted=1", "/records/deals"]
    return [salesforce.url + path for path in common + org] + [hubspot.url + path for path in common + portal]


class TestInABrowser:
    @pytest.mark.parametrize("width", [WIDE, NARROW])
    def test_no_page_scrolls_sideways_or_reports_an_error(
        self, browser: Chrome, crms: tuple[SalesforceSandbox, HubSpotSandbox], width: int
    ) -> None:
        resize(browser, width)
        for page in pages(crms):
            browser.get(page)
            assert beyond_the_edge(browser) == 0, page
            assert "sandbox" in browser.title
        assert browser.get_log("browser") == []

    @pytest.mark.parametrize("width", [WIDE, NARROW])
    def test_a_click_breaks_something_and_another_puts_it_right(
        self, browser: Chrome, crms: tuple[SalesforceSandbox, HubSpotSandbox], width: int
    ) -> None:
        resize(browser, width)
        browser.get(crms[1].url)
        press(browser, "Break it")
        assert (notice(browser), len(crms[1].faults)) == ("Broken: Rate limit.", 1)
        press(browser, "Put right")
        assert crms[1].faults == []

    @pytest.mark.parametrize("width", [WIDE, NARROW])
    def test_a_person_edits_and_deletes_a_record(
        self, browser: Chrome, crms: tuple[SalesforceSandbox, HubSpotSandbox], width: int
    ) -> None:
        resize(browser, width)
        browser.get(crms[0].url)
        follow(browser, "Contact")
        follow(browser, "N59")
        browser.find_element(By.ID, "value").send_keys("Smith")
        press(browser, "Change the field")
        assert heading(browser).startswith("N59 Smith")
        press(browser, "Delete this record")
        assert notice(browser) == "Deleted by hand."
        leave(browser, By.XPATH, "//button[.='Restore']")
        assert len(crms[0].records("Contact")) == 60

    def test_each_is_accessible(
        self, browser: Chrome, crms: tuple[SalesforceSandbox, HubSpotSandbox], axe: str
    ) -> None:
        assert {page: found for page in pages(crms) if (found := violations(browser, page, axe))} == {}
