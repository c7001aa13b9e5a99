"""Comparing the records in a CRM with what was written, as it is typed; and a repair that is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from connector.cli import cli
from connector.crm import AccountKind, CrmAccount
from connector.delivery.route import Route
from connector.running import bootstrap
from connector.running.config import read_agencies
from connector.sandbox.hubspot import HubSpotSandbox
from connector.store import Store, open_store
from connector.store.desk import Filter
from tests.builders import a_customer
from tests.cli.test_doctor import Installation
from tests.conftest import Clock
from tests.contracts.test_pipeline import HUBSPOT, LANE, House


@pytest.fixture
def installed(tmp_path: Path) -> Iterator[Installation]:
    sandbox = HubSpotSandbox()
    with sandbox as url:
        yield Installation(tmp_path, url, sandbox)


@pytest.fixture
def house(installed: Installation) -> Iterator[House]:
    """The same installation at work."""
    store = opened(installed)
    store.lanes.open({LANE: "sunrise/crm"})
    route = opened_route(installed)
    yield House(store, Clock(), installed.sandbox, route, HUBSPOT)
    route.destination.close()
    store.close()


def opened(installed: Installation) -> Store:
    return open_store(installed.environment["CONNECTOR_DATABASE_URL"], installed.environment)


def opened_route(installed: Installation) -> Route:
    (file,) = read_agencies([installed.file], installed.environment)
    return bootstrap.open_route(file, "crm")


def customers(count: int, **changes: Any) -> list[dict[str, Any]]:
    return [a_customer(id=f"customer-{n}", email=f"c{n}@example.com", **changes) for n in range(count)]


def said(installed: Installation, *arguments: str) -> str:
    """What a command without agency file prints."""
    return CliRunner().invoke(cli, arguments, env=installed.environment).stdout


def reconcile(installed: Installation, *arguments: str) -> tuple[int, dict[str, Any]]:
    result = installed.run("reconcile", "crm", "--json", *arguments)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    (said,) = json.loads(result.stdout)
    return result.exit_code, said


class TestReconcileCrm:
    def test_is_fine_where_the_crm_has_what_was_written(self, installed: Installation, house: House) -> None:
        house.pass_on(*customers(3))
        code, said = reconcile(installed, "--all")
        assert (code, said["compared"], said["same"], said["records"]) == (0, 3, 3, [])

    def test_names_each_difference_and_its_fields_and_no_value(self, installed: Installation, house: House) -> None:
        house.pass_on(*customers(3, doNotCall=True))
        ids = [person["id"] for person in house.people()]
        installed.sandbox.change("contacts", ids[0], city="elsewhere", do_not_call="false")
        installed.sandbox.delete("contacts", ids[1])
        code, said = reconcile(installed, "--all")
        assert code == 1
        assert (said["differing"]["missing"], said["differing"]["flag lowered"]) == (1, 1)
        shown = installed.run("reconcile", "crm").stdout
        assert f"flag lowered:\n  contacts {ids[0]} of customer " in shown
        assert "    do_not_call\n" in shown
        assert "missing: connector reconcile crm -c agency.yaml --all --repair writes them again." in shown
        assert "elsewhere" not in shown
        assert "writes them again" not in installed.run("reconcile", "crm", "--repair").stdout

    @pytest.mark.slow
    def test_a_flag_found_lowered_is_said_wherever_opt_outs_are_until_it_is_raised_again(
        self, installed: Installation, house: House
    ) -> None:
        house.pass_on(*customers(1, doNotCall=True))
        house.by_hand("change", do_not_call="false")
        reconcile(installed, "--all")
        assert "1 opt-out is no longer in the CRM, found lowered there at " in said(installed, "status")
        assert "Every opt-out is in the CRM." not in said(installed, "status")
        (standing,) = json.loads(said(installed, "consent", "status", "--json"))
        assert standing["lowered"] == 1
        problems = installed.run("problems")
        assert problems.exit_code == 1
        assert "sunrise/crm: 1 opt-out is no longer in the CRM (OPT_OUT_LOWERED)\n  customer customer-0: doNotCall" in (
            problems.stdout
        )
        assert "found lowered at" in installed.run("why", "customer-0").stdout
        (event,) = house.store.desk.deliveries(Filter(customer_id="customer-0"))
        assert "opt-out doNotCall is no longer in the CRM" in said(installed, "events", "show", event.message_id)
        reconcile(installed, "--all", "--repair")
        house.drain()
        assert "Every opt-out is in the CRM." in said(installed, "status")
        assert "No dead letters." in installed.run("problems").stdout.splitlines()[0]

    def test_what_people_changed_is_shown_and_no_fault(self, installed: Installation, house: House) -> None:
        house.pass_on(a_customer(city="Mesa"))
        house.by_hand("change", city="elsewhere")
        code, said = reconcile(installed, "--sample", "10")
        assert (code, said["differing"]["changed"]) == (0, 1)

    @pytest.mark.slow
    def test_a_plan_queues_nothing_and_a_repair_leaves_the_writing_to_the_lane(
        self, installed: Installation, house: House
    ) -> None:
        house.pass_on(a_customer(doNotCall=True))
        house.by_hand("delete")
        assert reconcile(installed, "--plan", "--repair")[1]["repaired"]["records"] == 1
        house.drain()
        assert house.people() == []
        assert reconcile(installed, "--repair")[1]["repaired"]["records"] == 1
        assert house.people() == []
        house.drain()
        assert house.person()["no_call"] == "true"
        assert reconcile(installed, "--all")[0] == 0

    def test_a_paused_lane_writes_nothing_until_it_is_resumed(self, installed: Installation, house: House) -> None:
        house.pass_on(a_customer())
        house.by_hand("delete")
        house.store.desk.pause(LANE, "ana")
        reconcile(installed, "--repair")
        house.drain()
        assert house.people() == []
        house.store.desk.resume(LANE, "ana")
        house.drain()
        assert len(house.people()) == 1

    def test_an_account_that_is_not_the_ledgers_is_not_read(self, installed: Installation, house: House) -> None:
        house.store.accounts.meet("sunrise/crm", CrmAccount("11111111", AccountKind.PRODUCTION))
        assert "rebind" in reconcile(installed)[1]["problem"]

    @pytest.mark.slow
    def test_one_that_cannot_be_reached_is_a_problem(self, installed: Installation, house: House) -> None:
        house.pass_on(a_customer())
        installed.write("http://127.0.0.1:9")
        code, said = reconcile(installed)
        assert (code, bool(said["problem"])) == (1, True)

    @pytest.mark.slow
    @pytest.mark.parametrize("seconds", [0.0, 0.2, 0.5, 1.0, 1.5])
    def test_a_repair_that_is_killed_and_repeated_brings_all_back(
        self, installed: Installation, house: House, seconds: float
    ) -> None:
        house.pass_on(*customers(300, doNotCall=True))
        for person in house.people()[:250]:
            installed.sandbox.delete("contacts", person["id"])
        command = [sys.executable, "-m", "connector", "reconcile", "crm", "-c", str(installed.file), "--all"]
        killed = subprocess.Popen(
            [*command, "--repair"], env={**os.environ, **installed.environment}, stdout=subprocess.DEVNULL
        )
        try:
            killed.wait(2.0 + seconds)
        except subprocess.TimeoutExpired:
            killed.send_signal(signal.SIGKILL)
            killed.wait()
        house.drain()
        reconcile(installed, "--all", "--repair")
        house.drain()
        assert reconcile(installed, "--all")[0] == 0
        assert len(house.people()) == 300
        assert {person["no_call"] for person in house.people()} == {"true"}
