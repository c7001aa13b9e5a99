"""The admin port's names: a page elsewhere whose own name points at this machine reads and changes nothing here."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient
from prometheus_client import REGISTRY

from connector.errors import FixConfiguration
from connector.running.config import read_process
from connector.running.roles import _hosts
from connector.store import Store
from connector.web.console import create_console
from connector.web.health import create_admin
from connector.web.hosts import is_ours, read_hosts
from connector.web.origin import Origin
from connector.web.passwords import Passwords, hash_password
from connector.web.waiting import create_waiting_admin

NAMES = frozenset({"connector.agency.example"})


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "localhost:8081",
        "LOCALHOST.",
        "a.localhost:8081",
        "127.0.0.1:8081",
        "10.244.1.7:8081",
        "[::1]:8081",
        "[2001:db8::7]",
        "127.0.0.1.",
        "connector:8081",
        "connector",
        "",
        "connector.agency.example",
        "Connector.Agency.Example:8443",
    ],
)
def test_addresses_and_names_nobody_else_can_have_are_ours(host: str) -> None:
    assert is_ours(host, NAMES)


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8081",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "127.0.0.1@evil.example",
        "evil.example@localhost",
        "[::1",
        "[::1].evil.example",
        "connector.agency.example.evil.example",
        "localhost:evil.example",
        "connector.agency.example evil.example",
        "evil.example#.localhost",
        "1.2.3",
    ],
)
def test_another_name_is_not(host: str) -> None:
    assert not is_ours(host, NAMES)


@pytest.fixture
def admin(store: Store) -> FlaskClient:
    passwords = Passwords(hash_password("correct horse battery staple"))
    console = create_console(store, passwords, b"k" * 32, origin=Origin(names=NAMES))
    return create_admin(store, [console], hosts=NAMES).test_client()


class TestARequestUnderAnotherName:
    @pytest.mark.parametrize(
        "path", ["/metrics", "/console", "/console/login", "/console/static/console.css", "/nothing"]
    )
    def test_is_421_on_every_page(self, admin: FlaskClient, path: str) -> None:
        answer = admin.get(path, headers={"Host": "evil.example:8081"})
        assert (answer.status_code, "evil" in answer.text) == (421, False)

    @pytest.mark.parametrize("path", ["/console/login", "/console/lanes/pause", "/console/logout"])
    def test_changes_nothing(self, admin: FlaskClient, path: str) -> None:
        same = {"Host": "evil.example", "Origin": "http://evil.example", "Sec-Fetch-Site": "same-origin"}
        assert admin.post(path, headers=same).status_code == 421

    def test_is_counted_and_says_which_setting_allows_it(self, admin: FlaskClient) -> None:
        labels = {"reason": "wrong host"}
        before = REGISTRY.get_sample_value("connector_console_refusals_total", labels) or 0.0
        assert "CONNECTOR_ADMIN_HOSTS" in admin.get("/metrics", headers={"Host": "evil.example"}).text
        assert REGISTRY.get_sample_value("connector_console_refusals_total", labels) == before + 1

    def test_may_be_a_probe(self, admin: FlaskClient) -> None:
        """Of a load balancer with names of its own, which would take a receiver out for nothing."""
        answers = [admin.get(path, headers={"Host": "evil.example"}).status_code for path in ("/livez", "/readyz")]
        assert answers == [200, 200]

    def test_is_421_while_the_database_is_away(self) -> None:
        waiting = create_waiting_admin(lambda: "is away", NAMES).test_client()
        asked = {host: waiting.get("/metrics", headers={"Host": host}).status_code for host in ("evil.example", "db")}
        assert asked == {"evil.example": 421, "db": 200}
        assert waiting.get("/console", headers={"Host": "evil.example"}).status_code == 421


class TestItsOwnNames:
    @pytest.mark.parametrize(
        "host", ["connector:8081", "10.244.1.7:8081", "connector.agency.example", "localhost:8081"]
    )
    def test_let_prometheus_and_people_in(self, admin: FlaskClient, host: str) -> None:
        answers = [admin.get(path, headers={"Host": host}).status_code for path in ("/metrics", "/console/login")]
        assert answers == [200, 200]

    def test_are_those_of_the_settings(self) -> None:
        settings = {
            "CONNECTOR_ADMIN_LISTEN": "admin.agency.example:8081",
            "CONNECTOR_ADMIN_HOSTS": "connector.insurance.svc, Connector.Insurance.svc.cluster.local",
            "CONNECTOR_CONSOLE_URL": "https://console.agency.example:8443/console",
        }
        assert _hosts(read_process(settings)) == {
            "admin.agency.example",
            "connector.insurance.svc",
            "connector.insurance.svc.cluster.local",
            "console.agency.example",
        }

    @pytest.mark.parametrize("text", ["http://connector", "connector:8081", "a b", "*.example"])
    def test_that_are_no_names_are_refused(self, text: str) -> None:
        with pytest.raises(FixConfiguration, match="CONNECTOR_ADMIN_HOSTS"):
            read_hosts(text)
