"""The console in a real browser: every page, wide and narrow, and the actions with nothing but links and buttons."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest
from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.expected_conditions import staleness_of
from selenium.webdriver.support.wait import WebDriverWait
from werkzeug.serving import make_server

from connector.store import Store
from connector.store.lanes import Pause
from connector.web.console import create_console
from connector.web.health import create_admin
from tests.builders import DESTINATION, LANE, a_customer, an_arrival
from tests.conftest import Clock
from tests.web.test_console import HASH, KEY, MINUTE, PASSWORD, RECORD, refuse, settle

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
WIDE, NARROW = 1280, 390
PAGES = (
    "",
    "/events",
    "/events?code=nothing",
    "/events/msg_delivered",
    "/events/msg_refused",
    "/problems",
    f"/problems/replay?destination={DESTINATION}&code=INVALID_OPTION",
    f"/problems/discard?destination={DESTINATION}&code=INVALID_OPTION",
    f"/lanes/pause?lane={LANE}",
    f"/lanes/resume?lane={LANE}",
)

pytestmark = pytest.mark.browser


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Chrome]:
    if not (BROWSER.exists() and DRIVER.exists()):
        absent = f"no {BROWSER} with {DRIVER} here: on Debian, apt-get install chromium chromium-driver"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(absent)
    options = ChromeOptions()
    options.binary_location = str(BROWSER)
    for flag in [*FLAGS, f"--user-data-dir={tmp_path}/profile"]:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = Chrome(options, ChromeService(str(DRIVER)))
    yield driver
    driver.quit()


@pytest.fixture
def address(store: Store, clock: Clock) -> Iterator[str]:
    """A console over a store that holds something of everything."""
    refuse(store, 2, "INVALID_OPTION", "the value is none of the property's options: add the option [state]")
    store.inbox.accept([an_arrival("msg_refused")])
    settle(store, "dead", code="INVALID_EMAIL", reason="not an e-mail address [email]")
    store.inbox.accept([an_arrival("msg_delivered", a_customer(timezone="America/" + "North_Dakota" * 20))])
    settle(store, "delivered", records=[RECORD])
    store.inbox.accept([an_arrival("msg_" + "waiting" * 20, customer_id="c" * 64, priority=1)])
    settle(store, "ready", Pause(15 * MINUTE, "quota", "the day's limit of calls is used up"), outcome="deferred")
    clock.forward(6 * MINUTE)
    app = create_admin(store, [create_console(store, HASH, KEY, lambda: clock() / 1000)])
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/console"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def operator(browser: Chrome, address: str) -> Chrome:
    """A browser whose user has typed the password."""
    browser.get(address)
    browser.find_element(By.ID, "password").send_keys(PASSWORD)
    press(browser, "Log in")
    assert heading(browser) == "Overview"
    return browser


def leave(browser: Chrome, by: str, place: str) -> None:
    """Click what leads to another page, and wait for that page."""
    page = browser.find_element(By.TAG_NAME, "html")
    browser.find_element(by, place).click()
    WebDriverWait(browser, 30).until(staleness_of(page))


def press(browser: Chrome, word: str) -> None:
    leave(browser, By.XPATH, f"//button[starts-with(normalize-space(), '{word}')]")


def follow(browser: Chrome, label: str) -> None:
    leave(browser, By.XPATH, f"//a[starts-with(@aria-label, '{label}') or starts-with(., '{label}')]")


def heading(browser: Chrome) -> str:
    return browser.find_element(By.TAG_NAME, "h1").text


def notice(browser: Chrome) -> str:
    return browser.find_element(By.CSS_SELECTOR, "[role=status]").text


def resize(browser: Chrome, width: int) -> None:
    size = {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def beyond_the_edge(browser: Chrome) -> int:
    """Pixels one would have to scroll sideways for."""
    page = "document.documentElement"
    return int(browser.execute_script(f"return {page}.scrollWidth - {page}.clientWidth"))


class TestInABrowser:
    @pytest.mark.parametrize("width", [WIDE, NARROW])
    def test_no_page_scrolls_sideways_or_reports_an_error(self, operator: Chrome, address: str, width: int) -> None:
        resize(operator, width)
        for page in PAGES:
            operator.get(address + page)
            assert beyond_the_edge(operator) == 0, page
        assert operator.get_log("browser") == []

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
        assert notice(operator).startswith(f"{LANE} is paused.")
        assert store.desk.lanes()[0]["pause_reason"] == "paused by console"

    def test_dead_letters_are_replayed_and_discarded(self, operator: Chrome, store: Store) -> None:
        follow(operator, "Problems")
        follow(operator, "Replay all 2")
        press(operator, "Replay 2 deliveries")
        assert notice(operator).startswith("2 deliveries replayed")
        follow(operator, "Discard all 1")
        press(operator, "Discard 1 delivery")
        assert notice(operator).startswith("1 delivery discarded")
        assert store.desk.dead() == []

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

    def test_logging_out_leaves_nothing_behind(self, operator: Chrome, address: str) -> None:
        press(operator, "Log out")
        operator.get(f"{address}/problems")
        assert heading(operator) == "Log in"
