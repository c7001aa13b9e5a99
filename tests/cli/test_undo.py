"""undo, as it is typed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from click.testing import CliRunner

from connector.carecycle.signature import Verifier
from connector.cli import cli
from connector.delivery.route import Pace
from connector.delivery.turn import deliver
from connector.receive import Agency, read
from connector.running import bootstrap
from connector.running.config import read_agencies
from connector.sandbox.hubspot import HubSpotSandbox
from connector.store import open_store
from tests.builders import SECRET, a_customer
from tests.cli.test_doctor import Installation

PEOPLE = 250


@pytest.fixture
def written(tmp_path: Path) -> Iterator[Installation]:
    """Contacts that people made, and what a version of the mapping wrote to them."""
    sandbox = HubSpotSandbox(index_lag=0.0)
    with sandbox as url:
        installed = Installation(tmp_path, url, sandbox)
        write(installed, sandbox, PEOPLE)
        yield installed


@pytest.fixture
def created(tmp_path: Path) -> Iterator[Installation]:
    """Two contacts that people made and one that the connector did."""
    sandbox = HubSpotSandbox(index_lag=0.0)
    with sandbox as url:
        installed = Installation(tmp_path, url, sandbox)
        write(installed, sandbox, 2, 1)
        yield installed


@pytest.fixture
def doubled(tmp_path: Path) -> Iterator[tuple[Installation, HubSpotSandbox]]:
    """The same in two accounts; each has a mapping of its own, with the same content."""
    first, second = HubSpotSandbox(index_lag=0.0), HubSpotSandbox(index_lag=0.0)
    with first as url, second as other_url:
        installed = Installation(tmp_path, url, first)
        line = "  {name}: {{mapping: {name}.yaml, auth: {{access_token: '${{TOKEN}}'}}, endpoint: '{url}'}}\n"
        lines = line.format(name="crm", url=url) + line.format(name="second", url=other_url)
        text = f"agency: sunrise\nwebhook: {{secrets: [{SECRET}]}}\ndestinations:\n{lines}"
        installed.file.write_text(text)
        for name in ("crm", "second"):
            remap(tmp_path, name)
        write(installed, first, 2)
        write(installed, second, 2, name="second")
        yield installed, second


def remap(folder: Path, name: str, more: str = "") -> None:
    (folder / f"{name}.yaml").write_text(f"extends: hubspot\n{more}")


def write(installed: Installation, sandbox: HubSpotSandbox, people: int, created: int = 0, name: str = "crm") -> None:
    """Write a new city to customers whom the CRM knows, and create some."""
    for number in range(people):
        sandbox.put("contacts", carecycle_id=f"c-{number}", city=f"Before {number}")
    store = open_store(installed.environment["CONNECTOR_DATABASE_URL"], installed.environment)
    (file,) = read_agencies([installed.file], installed.environment)
    route = bootstrap.open_route(file, name)
    route.undo = True
    lane = f"sunrise/{name}/0"
    store.lanes.open({lane: f"sunrise/{name}"})
    agency, numbers = Agency("sunrise", Verifier("sunrise", [SECRET]), {name: 1}), range(people + created)
    customers = [a_customer(id=f"c-{number}", city="Mesa", email=None, phoneNumber=None) for number in numbers]
    store.inbox.accept([read(agency, f"{name}-{n}", json.dumps(own).encode(), 0) for n, own in enumerate(customers)])
    lease = store.lanes.lease("worker", [lane], 60_000)
    assert lease is not None
    while deliver(store, route, lease, Pace()):
        continue
    store.lanes.release(lease)
    store.close()
    route.destination.close()


def version_of(installed: Installation) -> str:
    (kept,) = json.loads(installed.run("undo", "--json").stdout)
    return str(kept["version"])


class TestUndo:
    @pytest.mark.slow
    def test_it_lists_and_plans_and_refuses_what_still_runs(self, created: Installation) -> None:
        version = version_of(created)
        plan = json.loads(created.run("undo", "--mapping", version, "--plan", "--json").stdout)
        assert plan["counts"]["restored"] >= 2
        assert created.run("undo", "--mapping", version).exit_code == 2
        assert created.run("undo", "--mapping", "unknown").exit_code == 2
        assert created.sandbox.records("contacts")[0]["city"] == "Mesa"

    def test_a_plan_says_why_the_real_run_is_refused(self, created: Installation) -> None:
        plan = created.run("undo", "--mapping", version_of(created), "--plan")
        assert plan.exit_code == 0
        assert "Without --plan this is refused: " in plan.stdout
        assert "change the mapping first" in plan.stdout

    def test_what_it_created_is_listed(self, created: Installation) -> None:
        ids = {record["carecycle_id"]: record["id"] for record in created.sandbox.records("contacts")}
        done = created.run("undo", "--mapping", version_of(created), "--anyway")
        assert f"created: contacts {ids['c-2']}" in done.stdout
        assert "This version created these records" in done.stdout

    @pytest.mark.slow
    def test_the_list_says_what_was_undone(self, created: Installation) -> None:
        version = version_of(created)
        created.sandbox.change("contacts", created.sandbox.records("contacts")[0]["id"], city="Bonn")
        created.run("undo", "--mapping", version, "--anyway")
        (kept,) = json.loads(created.run("undo", "--json").stdout)
        assert (kept["left"], kept["fields"] - kept["restored"], kept["undone_at"] is None) == (1, 1, False)
        again = created.run("undo", "--mapping", version, "--anyway")
        assert f"Restored by an earlier undo: {kept['restored']} field" in again.stdout

    def test_what_it_created_is_deleted_when_asked_for(self, created: Installation) -> None:
        asked = ("undo", "--mapping", version_of(created), "--anyway", "--delete-created")
        plan = json.loads(created.run(*asked, "--plan", "--json").stdout)
        assert plan["counts"]["deleted"] == 1
        assert created.run(*asked).exit_code == 1  # nobody confirms it
        assert len(created.sandbox.records("contacts")) == 3
        done = created.run(*asked, "--yes")
        assert (done.exit_code, "deleted: contacts" in done.stdout) == (0, True)
        assert len(created.sandbox.records("contacts")) == 2
        (kept,) = json.loads(created.run("undo", "--json").stdout)
        assert (kept["created"], kept["deleted"]) == (1, 1)

    @pytest.mark.slow
    def test_it_is_in_the_audit_log(self, created: Installation) -> None:
        created.run("undo", "--mapping", (version := version_of(created)), "--anyway")
        (row,) = json.loads(CliRunner().invoke(cli, ["audit", "--json"], env=created.environment).stdout)
        assert row["action"] == "undo"
        assert row["thing"].startswith(f"sunrise/crm: mapping {version}: 1 created, ")

    def test_one_that_is_refused_somewhere_writes_nowhere(
        self, doubled: tuple[Installation, HubSpotSandbox], tmp_path: Path
    ) -> None:
        installed, _ = doubled
        version = json.loads(installed.run("undo", "--json").stdout)[0]["version"]
        remap(tmp_path, "crm", "records: {contact: {fields: {remove: [state]}}}\n")
        refused = installed.run("undo", "--mapping", version)
        assert (refused.exit_code, "runs for sunrise/second" in refused.stderr) == (2, True)
        assert {record["city"] for record in installed.sandbox.records("contacts")} == {"Mesa"}

    @pytest.mark.slow
    def test_what_was_done_is_shown_though_another_account_fails(
        self, doubled: tuple[Installation, HubSpotSandbox]
    ) -> None:
        installed, second = doubled
        version = json.loads(installed.run("undo", "--json").stdout)[0]["version"]
        second.stop()
        done = installed.run("undo", "--mapping", version, "--anyway", "--json")
        assert done.exit_code == 1
        assert json.loads(done.stdout)["counts"]["restored"] >= 2

    @pytest.mark.slow
    def test_one_that_is_killed_goes_on(self, written: Installation) -> None:
        command = [sys.executable, "-m", "connector", "undo", "-c", str(written.file), "--anyway"]
        command += ["--mapping", version_of(written)]
        environment, sandbox = {**os.environ, **written.environment}, written.sandbox
        for writes in (1, 2):
            before = len([call for call in sandbox.calls() if call.path.endswith("batch/update")])
            killed = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            while killed.poll() is None:
                done = len([call for call in sandbox.calls() if call.path.endswith("batch/update")])
                if done - before >= writes:
                    killed.kill()
                with suppress(subprocess.TimeoutExpired):
                    killed.wait(0.001)
        assert subprocess.run(command, env=environment, capture_output=True, check=False).returncode == 0
        cities = {record["carecycle_id"]: record["city"] for record in sandbox.records("contacts")}
        assert cities == {f"c-{number}": f"Before {number}" for number in range(PEOPLE)}
