"""Signing in through an OpenID Connect provider in a real browser, which guards cookies from other sites."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest
from flask import Flask
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.expected_conditions import title_contains
from werkzeug.serving import make_server

from connector.store import Store
from connector.web.console import create_console
from connector.web.health import create_admin
from connector.web.openid_settings import OpenId
from connector.web.origin import read_origin
from connector.web.passwords import Passwords
from connector.web.roster import Roster
from tests.conftest import Clock
from tests.web.conftest import HASH, KEY, an_account
from tests.web.provider import CLIENT, SECRET, Provider, provided
from tests.web.test_accounts import write
from tests.web.test_console_browser import (
    NARROW,
    WIDE,
    axe,
    beyond_the_edge,
    browser,
    chromium,
    follow,
    heading,
    ready_address,
    resize,
    violations,
    wait,
)

__all__ = ["axe", "browser", "chromium", "ready_address"]  # fixtures
pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.xdist_group("browser")]


@pytest.fixture
def provider(clock: Clock) -> Iterator[Provider]:
    with provided(lambda: clock() / 1000) as provider:
        yield provider


@pytest.fixture
def address(store: Store, clock: Clock, tmp_path: Path, provider: Provider, browser: Chrome) -> Iterator[str]:
    """A console by HTTPS, of another site than the provider."""
    server = make_server("localhost", 0, Flask("not yet"), threaded=True, ssl_context="adhoc")
    url = f"https://localhost:{server.server_port}"
    file = write(tmp_path / "people.yaml", ana={"role": "viewer", "openid": "ana@agency.example"})
    console = create_console(
        store,
        Passwords(HASH),
        KEY,
        lambda: clock() / 1000,
        [an_account()],
        roster=Roster(file),
        origin=read_origin(url, ""),
        openid=OpenId(provider.issuer, CLIENT, SECRET),
    )
    server.app = create_admin(store, [console])
    thread = Thread(target=server.serve_forever)
    thread.start()
    browser.execute_cdp_cmd("Security.setIgnoreCertificateErrors", {"ignore": True})
    yield f"{url}/console"
    browser.execute_cdp_cmd("Security.setIgnoreCertificateErrors", {"ignore": False})
    browser.get("about:blank")  # its connections end: each has a thread
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("clicks", [False, True])
def test_somebody_sent_back_by_another_site_lands_on_the_page_they_wanted(
    browser: Chrome, address: str, provider: Provider, clicks: bool
) -> None:
    provider.shows_page = clicks
    browser.get(f"{address}/events?state=dead")
    follow(browser, "Log in with 127.0.0.1")
    if clicks:
        follow(browser, "Yes")
    wait(browser).until(title_contains("Events"))
    assert browser.current_url == f"{address}/events?state=dead"
    assert "ana" in browser.find_element(By.TAG_NAME, "header").text


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_a_stranger_s_page_fits(browser: Chrome, address: str, provider: Provider, width: int) -> None:
    resize(browser, width)
    provider.person = {"sub": "auth0|" + "0123456789abcdef" * 8}
    browser.get(f"{address}/login")
    assert (heading(browser), beyond_the_edge(browser)) == ("Log in", 0)
    follow(browser, "Log in with 127.0.0.1")
    assert "you have no account here" in browser.find_element(By.ID, "problem").text
    assert beyond_the_edge(browser) == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_the_login_page(browser: Chrome, address: str, axe: str, scheme: str) -> None:
    browser.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    )
    assert violations(browser, f"{address}/login", axe) == []
