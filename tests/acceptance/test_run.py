"""`connector run` as an operator runs it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.acceptance.product import Product
from tests.builders import a_call, a_customer
from tests.conftest import POSTGRES_SLOW


@pytest.fixture
def product(tmp_path: Path, database_address: str) -> Iterator[Product]:
    product = Product(tmp_path, database_address)
    yield product
    product.close()


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[Product]:
    product = Product(tmp_path, f"sqlite:///{tmp_path}/connector.db")
    yield product
    product.close()


def a_visit(number: int) -> dict[str, object]:
    customer = a_customer(id=f"c-{number}", email=f"p{number}@example.com")
    return a_call(customer, id=f"call-{number}")


class TestRun:
    def test_webhooks_become_records_in_both_crms_and_sigterm_ends_it_well(self, product: Product) -> None:
        product.start()
        product.ready()
        assert [product.post(a_visit(number)) for number in range(5)] == [204] * 5
        product.until(lambda: product.landed() == (5, 5, 5, 5))
        assert product.stop() == 0

    @pytest.mark.slow
    @POSTGRES_SLOW
    def test_each_role_killed_is_started_again_and_nothing_is_lost_or_doubled(self, product: Product) -> None:
        product.start()
        product.ready()
        acknowledged = 0
        for number in range(60):
            if number in (10, 30):
                product.kill("work")
            if number == 20:
                product.kill("receive")
            while product.post(a_visit(number), message_id=f"m{number}") != 204:  # as careCycle does
                product.ready()
            acknowledged += 1
        product.until(lambda: product.landed() == (60, 60, 60, 60))
        assert acknowledged == 60

    @pytest.mark.slow
    def test_what_was_acknowledged_before_a_restart_is_delivered_after_it(self, embedded: Product) -> None:
        embedded.start("receive")
        embedded.ready()
        assert embedded.post(a_visit(1)) == 204
        embedded.stop()
        embedded.start()
        embedded.until(lambda: embedded.landed() == (1, 1, 1, 1))

    @pytest.mark.slow
    def test_metrics_tell_of_every_role(self, embedded: Product) -> None:
        embedded.start()
        embedded.ready()
        embedded.post(a_visit(1))
        embedded.until(lambda: embedded.landed() == (1, 1, 1, 1))

        def told() -> str:
            return requests.get(f"http://127.0.0.1:{embedded.admin_port}/metrics", timeout=60).text

        embedded.until(lambda: 'connector_crm_calls_total{destination="sunrise/hubspot"' in told())
        assert 'connector_events_accepted_total{agency="sunrise",type="call.completed"} 1.0' in told()

    @pytest.mark.slow
    def test_one_crm_down_does_not_slow_the_other(self, embedded: Product) -> None:
        embedded.hubspot.fault("", embedded.hubspot.refuse, times=10_000)
        embedded.start()
        embedded.ready()
        embedded.post(a_visit(1))
        embedded.until(lambda: embedded.landed()[:2] == (1, 1))
        assert embedded.landed()[2:] == (0, 0)


class TestHealthInformationToAPlainProperty:
    @pytest.mark.slow
    def test_that_destination_rests_and_says_why_and_the_other_goes_on(self, embedded: Product) -> None:
        own = "extends: hubspot\nrecords: {contact: {fields: {jobtitle: customer.mbiNumber}}}\n"
        (embedded.folder / "own.yaml").write_text(own)
        embedded.agency.write_text(embedded.agency.read_text().replace("mapping: hubspot", "mapping: own.yaml"))
        embedded.start()
        embedded.ready()
        assert embedded.post(a_visit(1)) == 204
        embedded.until(lambda: "contacts.jobtitle is not marked sensitive" in embedded.log.read_text())
        embedded.until(lambda: embedded.landed()[:2] == (1, 1))
        assert embedded.landed()[2:] == (0, 0)


class TestRefusingToStart:
    def refused(self, product: Product, role: str = "run") -> str:
        assert product.start(role).wait(120) == 2
        return product.log.read_text()

    @pytest.mark.slow
    def test_an_unset_secret_is_named(self, embedded: Product) -> None:
        del embedded.environment["HOOK_SECRET"]
        assert "agency.yaml:2:21: the environment variable HOOK_SECRET is not set" in self.refused(embedded)

    @pytest.mark.slow
    def test_an_unreadable_agency_file_is_named(self, embedded: Product) -> None:
        embedded.agency.unlink()
        assert "agency.yaml: cannot be read" in self.refused(embedded)

    @pytest.mark.slow
    def test_an_agency_file_that_is_not_yaml_is_told_by_line(self, embedded: Product) -> None:
        embedded.agency.write_text("agency: sunrise\n  webhook: [")
        assert "agency.yaml:2:" in self.refused(embedded)

    @pytest.mark.slow
    def test_an_unknown_key_is_told_by_line(self, embedded: Product) -> None:
        embedded.agency.write_text(embedded.agency.read_text() + "timezome: America/Phoenix\n")
        assert "agency.yaml:12:1: timezome" in self.refused(embedded)

    def test_a_mapping_that_does_not_load_is_told_by_line(self, embedded: Product) -> None:
        (embedded.folder / "own.yaml").write_text(
            "extends: hubspot\nrecords: {contact: {fields: {city: customer.citty}}}\n"
        )
        embedded.agency.write_text(embedded.agency.read_text().replace("mapping: hubspot", "mapping: own.yaml"))
        told = self.refused(embedded)
        assert "own.yaml:2:" in told
        assert "did you mean 'customer.city'?" in told

    @pytest.mark.slow
    def test_a_database_that_cannot_be_made_is_told(self, embedded: Product) -> None:
        (embedded.folder / "file").write_text("")
        embedded.environment["CONNECTOR_DATABASE_URL"] = f"sqlite:///{embedded.folder}/file/connector.db"
        assert "CONNECTOR_DATABASE_URL" in self.refused(embedded)

    @pytest.mark.slow
    @pytest.mark.parametrize("role", ["run", "receive"])
    def test_a_port_in_use_is_told_before_anything_is_recorded(self, embedded: Product, role: str) -> None:
        with socket.socket() as other:
            other.bind(("127.0.0.1", embedded.port))
            other.listen()
            said = self.refused(embedded, role)
        assert f"127.0.0.1:{embedded.port}: the connector cannot listen here" in said
        assert "CONNECTOR_LISTEN" in said
        assert said.count("\n") == 1
        assert not (embedded.folder / "connector.db").exists()

    @pytest.mark.slow
    def test_the_admin_port_in_use_is_told_too(self, embedded: Product) -> None:
        with socket.socket() as other:
            other.bind(("127.0.0.1", embedded.admin_port))
            other.listen()
            said = self.refused(embedded)
        assert f"127.0.0.1:{embedded.admin_port}: the connector cannot listen here" in said
        assert not (embedded.folder / "connector.db").exists()

    @pytest.mark.slow
    def test_a_second_connector_on_the_same_ports_is_refused_and_the_first_goes_on(self, embedded: Product) -> None:
        embedded.start()
        embedded.ready()
        another = f"sqlite:///{embedded.folder}/another.db"
        assert embedded.beside("run", CONNECTOR_DATABASE_URL=another).wait(120) == 2
        assert not (embedded.folder / "another.db").exists()
        assert embedded.post(a_visit(1)) == 204

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("address", "why"),
        [
            ("192.0.2.1:8080", "192.0.2.1:8080: the connector cannot listen here: Cannot assign requested address"),
            ("[2001:db8::1]:8080", "[2001:db8::1]:8080: the connector cannot listen here"),
            ("nowhere.invalid:8080", "nowhere.invalid:8080: the connector cannot listen here: no such host"),
        ],
    )
    def test_an_address_that_this_machine_does_not_have_is_told(
        self, embedded: Product, address: str, why: str
    ) -> None:
        embedded.environment["CONNECTOR_LISTEN"] = address
        said = self.refused(embedded)
        assert why in said
        assert said.count("\n") == 1
