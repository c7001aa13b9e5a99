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

from connector.carecycle.signature import Verifier
from connector.delivery.route import Pace
from connector.delivery.turn import deliver
from connector.receive import Agency, read
from connector.running import bootstrap
from connector.running.config import read_agencies
from connector.sandbox.hubspot import HubSpotSandbox
from connector.store import open_store
from tests.builders import SECRET, a_customer
from tests.cli.test_doctor import Installation

LANE, DESTINATION = "sunrise/crm/0", "sunrise/crm"
PEOPLE = 250


@pytest.fixture
def written(tmp_path: Path) -> Iterator[Installation]:
    """Contacts that people made, and what a version of the mapping wrote to them."""
    sandbox = HubSpotSandbox(index_lag=0.0)
    with sandbox as url:
        installed = Installation(tmp_path, url, sandbox)
        for number in range(PEOPLE):
            sandbox.put("contacts", carecycle_id=f"c-{number}", city=f"Before {number}")
        store = open_store(installed.environment["CONNECTOR_DATABASE_URL"], installed.environment)
        (file,) = read_agencies([installed.file], installed.environment)
        route = bootstrap.open_route(file, "crm")
        route.undo = True
        store.lanes.open({LANE: DESTINATION})
        agency = Agency("sunrise", Verifier("sunrise", [SECRET]), {"crm": 1})
        people = [a_customer(id=f"c-{number}", city="Mesa", email=None, phoneNumber=None) for number in range(PEOPLE)]
        store.inbox.accept([read(agency, f"m{n}", json.dumps(own).encode(), 0) for n, own in enumerate(people)])
        lease = store.lanes.lease("worker", [LANE], 60_000)
        assert lease is not None
        while deliver(store, route, lease, Pace()):
            continue
        store.lanes.release(lease)
        store.close()
        route.destination.close()
        yield installed


def version_of(installed: Installation) -> str:
    (kept,) = json.loads(installed.run("undo", "--json").stdout)
    return str(kept["version"])


class TestUndo:
    def test_it_lists_and_plans_and_refuses_what_still_runs(self, written: Installation) -> None:
        version = version_of(written)
        plan = json.loads(written.run("undo", "--mapping", version, "--plan", "--json").stdout)
        assert plan["counts"]["restored"] >= PEOPLE
        assert written.run("undo", "--mapping", version).exit_code == 2
        assert written.run("undo", "--mapping", "unknown").exit_code == 2
        assert written.sandbox.records("contacts")[0]["city"] == "Mesa"

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
