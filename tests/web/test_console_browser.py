"""The console in a real browser: every page, wide and narrow, light and dark, and the actions with links and buttons.

AXE_CORE names axe-core's axe.min.js: without it the pages' accessibility is not checked. See CONTRIBUTING.md.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from threading import Thread

import pytest
from flask import Flask
from selenium.common.exceptions import TimeoutException, WebDriverException
from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.expected_conditions import staleness_of
from selenium.webdriver.support.wait import WebDriverWait
from werkzeug.serving import make_server

from connector.insight.mapping_files import state_of
from connector.insight.problems import find_causes
from connector.store import Store
from connector.store.drafts import FileEdit
from tests.builders import DESTINATION, LANE, a_customer, an_arrival
from tests.conftest import Clock
from tests.web.conftest import EMPTY, MINUTE, PASSWORD, an_app, every_page, fill, taken_away
from tests.web.test_mapping_edits import BROKEN, EDITED, OWN, console, with_home

BROWSER, DRIVER = Path("/usr/bin/chromium"), Path("/usr/bin/chromedriver")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
WIDE, TABLET, NARROW = 1280, 768, 390
pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.xdist_group("browser")]


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    """One for all: it takes longer to start than a test takes."""
    if not (BROWSER.exists() and DRIVER.exists()):
        absent = f"no {BROWSER} with {DRIVER} here: on Debian, apt-get install chromium chromium-driver"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(absent)
    options = ChromeOptions()
    options.binary_location = str(BROWSER)
    for flag in [*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"]:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = Chrome(options, ChromeService(str(DRIVER)))
    yield driver
    driver.quit()


@pytest.fixture
def browser(chromium: Chrome) -> Chrome:
    """A browser that was nowhere yet."""
    chromium.get("about:blank")
    chromium.execute_cdp_cmd("Network.clearBrowserCookies", {})
    chromium.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    chromium.get_log("browser")  # what was told so far is not told again
    return chromium


@pytest.fixture
def ready_address(sqlite_ready: str) -> str:
    """A browser sees no difference between the databases: test_console.py asks both."""
    return sqlite_ready


@pytest.fixture
def address(store: Store, clock: Clock) -> Iterator[str]:
    """A console over a store that holds something of everything."""
    fill(store)
    clock.forward(6 * MINUTE)
    with served(an_app(store, clock)) as address:
        yield address


@contextmanager
def served(app: Flask) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/console"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def stranger(browser: Chrome, store: Store, clock: Clock) -> Iterator[Chrome]:
    """A browser whose user has just logged in to a console over an empty store."""
    with served(an_app(store, clock)) as address:
        browser.get(address)
        browser.find_element(By.ID, "password").send_keys(PASSWORD)
        press(browser, "Log in")
        yield browser


@pytest.fixture
def pages(store: Store) -> list[str]:
    return [*every_page(store), "/nowhere"]


@pytest.fixture
def axe() -> str:
    """axe-core's source."""
    path = os.environ.get("AXE_CORE", "")
    if not path:
        absent = "AXE_CORE is not set, so no page's accessibility is checked: see CONTRIBUTING.md"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(absent)
    return Path(path).read_text("utf-8")


@pytest.fixture
def operator(browser: Chrome, address: str) -> Chrome:
    """A browser whose user has typed the password."""
    browser.get(address)
    browser.find_element(By.ID, "password").send_keys(PASSWORD)
    press(browser, "Log in")
    assert heading(browser) == "Now"
    return browser


def wait(browser: Chrome) -> WebDriverWait[Chrome]:
    # Half-way to the next page, the driver may say neither that an element is there nor that it is stale.
    return WebDriverWait(browser, 90, ignored_exceptions=[WebDriverException])


def leave(browser: Chrome, by: str, place: str) -> None:
    """Click what leads to another page, and wait for that page."""
    page = browser.find_element(By.TAG_NAME, "html")
    browser.find_element(by, place).click()
    wait(browser).until(staleness_of(page))


def press(browser: Chrome, word: str) -> None:
    leave(browser, By.XPATH, f"//button[starts-with(normalize-space(), '{word}')]")


def follow(browser: Chrome, label: str) -> None:
    leave(browser, By.XPATH, f"//a[starts-with(@aria-label, '{label}') or starts-with(., '{label}')]")


def heading(browser: Chrome) -> str:
    return browser.find_element(By.TAG_NAME, "h1").text


def notice(browser: Chrome) -> str:
    return browser.find_element(By.CSS_SELECTOR, "[role=status]").text


def live(browser: Chrome) -> str:
    """What of the page refreshes itself."""
    return browser.find_element(By.ID, "live").text


def refresh(browser: Chrome) -> None:
    """Have the page fetched as its timer does, and wait until that has ended, if it is allowed at all."""
    browser.execute_async_script(
        "const done = arguments[0];"
        "htmx.ajax('GET', location.href, {source: '#live', select: '#live', target: '#live', swap: 'outerHTML'})"
        ".then(done, done)"
    )


def resize(browser: Chrome, width: int) -> None:
    size = {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def beyond_the_edge(browser: Chrome) -> int:
    """Pixels one would have to scroll sideways for, once the page is laid out: it may be wide for a moment."""
    with suppress(TimeoutException):
        WebDriverWait(browser, 15, ignored_exceptions=[WebDriverException]).until(lambda _: _beyond(browser) == 0)
    return _beyond(browser)


def _beyond(browser: Chrome) -> int:
    page = "document.documentElement"
    return int(browser.execute_script(f"return {page}.scrollWidth - {page}.clientWidth"))


class TestInABrowser:
    def test_no_page_scrolls_sideways_or_reports_an_error(
        self, operator: Chrome, address: str, pages: list[str]
    ) -> None:
        for page in pages:
            operator.get(address + page)
            for width in (WIDE, TABLET, NARROW):
                resize(operator, width)
                assert beyond_the_edge(operator) == 0, (page, width)
        assert [one["message"] for one in operator.get_log("browser") if "status of 404" not in one["message"]] == []

    @pytest.mark.parametrize("width", [WIDE, NARROW])
    def test_the_page_of_an_outage_fits_and_goes_by_itself(
        self, operator: Chrome, address: str, store: Store, width: int
    ) -> None:
        resize(operator, width)
        with taken_away(store):
            operator.get(address)
            # It loads itself anew every few seconds, also between two commands to the browser.
            wait(operator).until(lambda _: heading(operator).startswith("The database has not answered since"))
            assert wait(operator).until(lambda _: [beyond_the_edge(operator)]) == [0]
        wait(operator).until(lambda _: heading(operator) == "Now")

    def test_the_login_is_as_narrow_as_a_phone(self, browser: Chrome, address: str) -> None:
        resize(browser, NARROW)
        browser.get(address)
        assert beyond_the_edge(browser) == 0
        assert browser.switch_to.active_element.get_attribute("id") == "password"

    def test_a_lane_is_resumed_and_paused(self, operator: Chrome, store: Store) -> None:
        store.desk.pause(LANE, "somebody")
        operator.refresh()
        follow(operator, "Resume")
        press(operator, "Resume the lane")
        assert notice(operator).startswith(f"{LANE} is resumed.")
        follow(operator, "Pause")
        press(operator, "Pause the lane")
        assert notice(operator).startswith(f"{LANE} is paused until")
        assert store.desk.lanes()[0].pause_reason == "paused by console"

    def test_dead_letters_are_replayed_and_discarded(self, operator: Chrome, store: Store) -> None:
        for action, told in (("Replay", "replayed"), ("Discard", "discarded")):
            follow(operator, "Problems")
            follow(operator, "Details")
            count = find_causes(store)[0].count
            follow(operator, f"{action} all {count}")
            press(operator, f"{action} {count}")
            assert told in notice(operator)
        assert store.desk.dead() == []

    def test_two_clicks_decide_who_is_who(self, operator: Chrome, store: Store) -> None:
        follow(operator, "Identity: who is who?")
        follow(operator, "Same person: 003E")
        press(operator, "Same person")
        assert notice(operator).startswith("The next delivery makes 003E the customer's")
        assert store.questions.count() == 0

    def test_a_customer_leads_to_why(self, operator: Chrome) -> None:
        follow(operator, "Events")
        follow(operator, "Explain the CRM records")
        assert heading(operator) == "Why does a record look like this?"
        assert "in sunrise/salesforce" in operator.find_element(By.TAG_NAME, "main").text

    def test_an_edit_is_followed_while_it_is_typed(self, operator: Chrome, address: str) -> None:
        operator.get(f"{address}/mapping/try")
        page = operator.find_element(By.TAG_NAME, "html")
        text = operator.find_element(By.ID, "mapping")
        text.clear()
        text.send_keys("extends: salesforce-contact\nrecords: {contact: {fields: {Department: {value: Typed}}}}")
        result = operator.find_element(By.ID, "result")
        wait(operator).until(lambda _: "Typed" in result.text)
        assert operator.find_element(By.TAG_NAME, "html") == page
        assert operator.get_log("browser") == []

    def test_an_edit_is_compared_over_stored_events(self, operator: Chrome, address: str) -> None:
        operator.get(f"{address}/mapping/try")
        press(operator, "Compare using stored events")
        assert heading(operator).startswith("Your edit compared with")

    def test_a_search_leads_to_a_story(self, operator: Chrome) -> None:
        follow(operator, "Events")
        operator.find_element(By.ID, "message_id").send_keys("msg_delivered")
        press(operator, "Search")
        follow(operator, "msg_delivered")
        assert "MobilePhone (doNotCall)" in operator.find_element(By.CLASS_NAME, "story").text

    def test_the_keyboard_alone_reaches_the_content(self, operator: Chrome) -> None:
        ActionChains(operator).send_keys(Keys.TAB).perform()
        assert operator.switch_to.active_element.text == "Skip to the content"
        ActionChains(operator).send_keys(Keys.ENTER).perform()
        assert operator.switch_to.active_element.tag_name == "main"

    def test_a_page_refreshes_itself_but_not_under_the_hands_of_a_person(self, operator: Chrome, store: Store) -> None:
        store.desk.pause(LANE, "somebody")
        refresh(operator)
        wait(operator).until(lambda _: "by somebody" in live(operator))
        while not operator.execute_script("return document.activeElement.matches('#live :focus-visible')"):
            ActionChains(operator).send_keys(Keys.TAB).perform()
        store.desk.resume(LANE, "somebody")
        refresh(operator)
        operator.execute_script("document.activeElement.blur()")
        assert "by somebody" in live(operator)
        refresh(operator)
        wait(operator).until(lambda _: "by somebody" not in live(operator))
        assert operator.get_log("browser") == []

    def test_logging_out_leaves_nothing_behind(self, operator: Chrome, address: str) -> None:
        press(operator, "Log out")
        operator.get(f"{address}/problems")
        assert heading(operator) == "Log in"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "our-contacts.yaml").write_text(OWN)
    return tmp_path / "config"


@pytest.fixture
def editing(browser: Chrome, store: Store, clock: Clock, folder: Path) -> Iterator[str]:
    """A console whose mapping may be edited, with somebody logged in: its address."""
    with served(console(store, clock, with_home(folder))) as address:
        browser.get(address)
        browser.find_element(By.ID, "password").send_keys(PASSWORD)
        press(browser, "Log in")
        yield address


class TestEditingAMapping:
    def test_it_is_checked_and_kept_while_it_is_typed(self, browser: Chrome, editing: str, store: Store) -> None:
        browser.get(f"{editing}/mapping/edit")
        text, checked = browser.find_element(By.ID, "text"), browser.find_element(By.ID, "checked")
        text.send_keys("      Title: customer.citty\n")
        wait(browser).until(lambda _: "M101" in checked.text)
        wait(browser).until(lambda _: "draft=" in browser.current_url)
        checked.find_element(By.PARTIAL_LINK_TEXT, "line 7").click()
        assert browser.switch_to.active_element == text
        text.send_keys("      Title: customer.city")
        wait(browser).until(lambda _: "It loads" in checked.text)
        browser.refresh()
        assert "Title: customer.city\n" in str(browser.find_element(By.ID, "text").get_attribute("value"))
        assert len(store.drafts.of(DESTINATION)) == 1
        assert browser.get_log("browser") == []

    def test_it_is_reviewed_published_and_put_back(self, browser: Chrome, editing: str, folder: Path) -> None:
        browser.get(f"{editing}/mapping/edit")
        browser.find_element(By.ID, "text").send_keys("      Title: { value: Member }\n")
        wait(browser).until(lambda _: "draft=" in browser.current_url)
        press(browser, "Review and publish")
        assert heading(browser).startswith("Publish this edit")
        browser.back()
        assert "Member" in str(browser.find_element(By.ID, "text").get_attribute("value"))
        press(browser, "Review and publish")
        browser.find_element(By.ID, "reason").send_keys("members have a title")
        press(browser, "Publish")
        assert notice(browser).startswith("Published as version")
        assert (folder / "our-contacts.yaml").read_text() == OWN + "      Title: { value: Member }\n"

    def test_it_works_without_javascript(self, browser: Chrome, editing: str, folder: Path) -> None:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
        try:
            browser.get(f"{editing}/mapping/edit")
            browser.find_element(By.ID, "text").send_keys("      Title: customer.citty\n")
            press(browser, "Save and check")
            assert "M101" in browser.find_element(By.ID, "checked").text
            assert "customer.citty" in str(browser.find_element(By.ID, "text").get_attribute("value"))
            press(browser, "Compare over stored events")
            assert "customer.citty" in str(browser.find_element(By.ID, "text").get_attribute("value"))
        finally:
            browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})

    @pytest.mark.parametrize("width", [WIDE, 768, NARROW, 320])
    def test_none_of_its_pages_scrolls_sideways(
        self, browser: Chrome, editing: str, store: Store, folder: Path, width: int
    ) -> None:
        resize(browser, width)
        for page in editing_pages(store, folder):
            browser.get(editing + page)
            assert beyond_the_edge(browser) == 0, page

    def test_axe_finds_nothing_on_its_pages(
        self, browser: Chrome, editing: str, store: Store, folder: Path, axe: str
    ) -> None:
        found = {page: violations(browser, editing + page, axe) for page in editing_pages(store, folder)}
        assert {page: told for page, told in found.items() if told} == {}


def editing_pages(store: Store, folder: Path) -> list[str]:
    """The pages of an edit with a mistake, one with a warning, and two versions."""
    mapping = with_home(folder).mapping
    assert mapping is not None
    store.mappings.running(DESTINATION, mapping.version, mapping.files)
    older = store.versions.publish(DESTINATION, "0123456789ab", {"our-contacts.yaml": "x: 1\n"}, "ana", "why not")
    base = FileEdit(OWN, OWN, state_of(OWN.encode()))
    texts = {"bad": BROKEN, "good": OWN.replace("    fields:", "    remove: [Nowhere__c]\n    fields:"), "old": EDITED}
    for name, text in texts.items():
        state = base.state if name != "old" else "another"
        store.drafts.begin(name, DESTINATION, "ana", "", {"our-contacts.yaml": replace(base, text=text, state=state)})
    drafts = [page for name in texts for page in (f"/edit?draft={name}", f"/publish?draft={name}")]
    listed = ["", "/show", "/edit", *drafts, "/edit?draft=good&compared=1", "/versions", f"/version?old={older}"]
    return [f"/mapping{page}" for page in listed]


class TestChoosingEvents:
    def test_one_is_ticked_and_replayed(self, operator: Chrome, address: str, store: Store) -> None:
        operator.get(f"{address}/events?message_id=msg_refused")
        operator.find_element(By.NAME, "event").click()
        press(operator, "Replay…")
        press(operator, "Replay 1 dead letter")
        assert notice(operator) == "1 delivery replayed: waiting to be written."


class TestAccessibility:
    def test_axe_finds_nothing_on_any_page(self, operator: Chrome, address: str, pages: list[str], axe: str) -> None:
        assert everything_found(operator, address, pages, axe) == {}

    def test_axe_finds_nothing_while_there_is_nothing_yet(self, stranger: Chrome, axe: str) -> None:
        address = stranger.current_url
        assert everything_found(stranger, address, EMPTY, axe) == {}

    def test_axe_finds_nothing_on_what_a_search_for_people_answers(
        self, operator: Chrome, address: str, store: Store, axe: str
    ) -> None:
        store.inbox.accept([an_arrival(payload=a_customer(id="d" * 64), customer_id="d" * 64)])
        for text, reason, says in (
            ("+13128471928", "", "enter a reason"),
            ("+13128471928", "they call", "phone number"),
            ("nobody", "", "Nobody"),
        ):
            operator.get(f"{address}/people")
            operator.find_element(By.ID, "text").send_keys(text)
            operator.find_element(By.ID, "reason").send_keys(reason)
            press(operator, "Find")
            assert says in operator.find_element(By.TAG_NAME, "main").text
            assert found_here(operator, axe) == [], says

    def test_axe_finds_nothing_on_the_page_of_an_outage(
        self, operator: Chrome, address: str, store: Store, axe: str
    ) -> None:
        with taken_away(store):
            assert violations(operator, address, axe) == []

    def test_axe_finds_nothing_on_the_login_page(self, browser: Chrome, address: str, axe: str) -> None:
        assert violations(browser, f"{address}/login", axe) == []


RUN = "const done = arguments[1]; axe.run(arguments[0]).then(done)"
VIEWS = (
    (WIDE, "light", {}),
    (NARROW, "dark", {}),
    (WIDE, "dark", {"runOnly": ["color-contrast"]}),
    (NARROW, "light", {"runOnly": ["color-contrast"]}),
)
"""Width, colours, and which of axe-core's rules: in the other colours, only those about colours."""


def everything_found(browser: Chrome, address: str, pages: Iterable[str], axe: str) -> dict[str, list[str]]:
    """What axe-core objects to on these pages, in every view: a page is fetched once."""
    found = {page: violations(browser, address + page, axe) for page in pages}
    return {page: told for page, told in found.items() if told}


def violations(browser: Chrome, address: str, axe: str) -> list[str]:
    """What axe-core objects to on a page: its rule and where."""
    browser.get(address)
    return found_here(browser, axe)


def found_here(browser: Chrome, axe: str) -> list[str]:
    """The same on the page that is shown."""
    browser.execute_script(axe)
    told = []
    for width, scheme, options in VIEWS:
        media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
        resize(browser, width)
        wanted = {"resultTypes": ["violations"], "preload": False, **options}
        told += [
            f"{width} {scheme} {one['id']}: {node['html'][:120]}"
            for one in browser.execute_async_script(RUN, wanted)["violations"]
            for node in one["nodes"]
        ]
    return told
