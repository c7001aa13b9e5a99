"""reapply, as typed: an edited mapping reaches everybody, in a sandbox, and nothing is written twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from click.testing import CliRunner, Result

from connector.carecycle.api_names import customer_payload
from connector.cli import cli
from connector.delivery.route import Pace
from connector.delivery.turn import deliver
from connector.receive import Agency, read
from connector.running import bootstrap
from connector.running.config import read_agencies
from connector.sandbox.carecycle import KEY, CareCycleSandbox
from connector.sandbox.carecycle.book import Book
from connector.sandbox.hubspot import HubSpotSandbox
from connector.store import Store
from connector.store.processes import Beat
from connector.store.runs import REAPPLY
from tests.builders import DATA_KEY, NOON, SECRET, a_call, a_customer
from tests.patience import until
from tests.ready import open_ready

MAPPING = """\
version: 1
crm: hubspot
consent: {waive: [doNotCall, doNotSMS, doNotEmail, doNotMail]}
tables: {state: {AZ: Arizona, else: Elsewhere}}
records:
  contact:
    object: contacts
    key: {carecycle_id: customer.id}
    fields:
      firstname: customer.firstName
      state: {from: customer.state, table: state}
      jobtitle: {from: customer.status, write: on_create}
  call:
    object: calls
    events: [call.completed]
    key: {carecycle_call_id: call.id}
    fields:
      hs_timestamp: call.startTime
      hs_call_title: call.disposition
"""
EDITED = MAPPING.replace("AZ: Arizona", "AZ: Ariz.").replace(
    "      firstname: customer.firstName\n", "      city: customer.city\n"
)
ANOTHER_KEY = MAPPING.replace("{carecycle_id: customer.id}", "{email: customer.email}")


class House:
    """A folder with an agency file and a mapping, a sandbox, and the commands run in it."""

    def __init__(self, folder: Path, sandbox: HubSpotSandbox, address: str) -> None:
        self.sandbox, self.mapping, self.agency = sandbox, folder / "ours.yaml", folder / "agency.yaml"
        self.mapping.write_text(MAPPING)
        self.address = address
        self.serve("hubspot")
        self.environment = {
            "CONNECTOR_DATABASE_URL": f"sqlite:///{folder}/desk.db",
            "CONNECTOR_DATA_KEY": DATA_KEY,
            "HOOK_SECRET": SECRET,
            "TOKEN": sandbox.token,
        }

    def serve(self, *names: str) -> None:
        own = f"{{mapping: ours.yaml, endpoint: '{self.address}', auth: {{access_token: '${{TOKEN}}'}}}}"
        served = ", ".join(f"{name}: {own}" for name in names)
        head = "agency: sunrise\nwebhook: {secrets: ['${HOOK_SECRET}']}\n"
        self.agency.write_text(f"{head}destinations: {{{served}}}\n")

    def run(self, *arguments: str) -> Result:
        return CliRunner().invoke(cli, ("reapply", "-c", str(self.agency), *arguments), env=self.environment)

    def result(self, *arguments: str) -> Any:
        (result,) = json.loads(self.run("--json", *arguments).stdout)
        return result

    def work(self, store: Store) -> int:
        """Deliver what is due, as a worker with the files of now; return how many batches were sent."""
        (file,) = read_agencies([self.agency], self.environment)
        before = len(self.sandbox.calls("/batch/"))
        for name in file.settings.destinations:
            route, lane = bootstrap.open_route(file, name), f"sunrise/{name}/0"
            store.lanes.open({lane: route.name})
            store.mappings.running(route.name, route.mapping.version)
            while lease := store.lanes.lease("worker", [lane], 60_000):
                while deliver(store, route, lease, Pace(roll=lambda: 0.5)):
                    continue
                store.lanes.release(lease)
            route.destination.close()
        return len(self.sandbox.calls("/batch/")) - before

    def people(self) -> list[dict[str, Any]]:
        return list(self.sandbox.records("contacts"))


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    sandbox = HubSpotSandbox()
    yield House(tmp_path, sandbox, sandbox.start())
    sandbox.stop()


@pytest.fixture
def store(house: House) -> Iterator[Store]:
    store = open_ready(house.environment["CONNECTOR_DATABASE_URL"], house.environment)
    yield store
    store.close()


def person(number: int, **fields: Any) -> dict[str, Any]:
    return a_customer(id=str(UUID(int=number)), email=f"c{number}@example.com", state="AZ", city="Mesa", **fields)


def accept(store: Store, *payloads: dict[str, Any], destinations: tuple[str, ...] = ("hubspot",)) -> None:
    agency = Agency("sunrise", bootstrap.Verifier("sunrise", [SECRET]), dict.fromkeys(destinations, 1))
    store.inbox.accept(
        [read(agency, f"m-{place}", json.dumps(each).encode(), NOON) for place, each in enumerate(payloads)]
    )


@pytest.fixture
def served(house: House, store: Store) -> House:
    """Three customers and a call, written with the first mapping."""
    accept(store, *map(person, range(1, 4)), a_call(person(1), id=str(UUID(int=9))))
    house.work(store)
    assert {each["state"] for each in house.people()} == {"Arizona"}
    return house


def changes(plan: dict[str, Any], record: str) -> dict[str, dict[str, int]]:
    """The counts of each field of a record that are not 0."""
    rows = [row for row in plan["fields"] if row.pop("record") == record]
    return {row.pop("field"): {name: count for name, count in row.items() if count} for row in rows}


class TestAnEditedMapping:
    def test_reaches_everybody(self, served: House, store: Store) -> None:
        served.mapping.write_text(EDITED)
        result = served.result()
        assert (result["customers"], result["calls"], result["due"]) == (3, 1, 4)
        assert (result["records"]["changed"], result["records"]["unchanged"]) == (3, 1)
        served.work(store)
        assert {(each["state"], each["city"]) for each in served.people()} == {("Ariz.", "Mesa")}
        assert len(served.people()) == 3

    def test_again_writes_nothing(self, served: House, store: Store) -> None:
        served.mapping.write_text(EDITED)
        served.run()
        served.work(store)
        assert "Nothing differs from what was written" in served.run().stdout
        assert served.work(store) == 0

    def test_says_how_it_gets_written(self, served: House) -> None:
        result = served.run()
        assert result.exit_code == 0
        assert "3 customers and 1 call gone through, 4 deliveries due" in result.stdout
        assert "connector run (or connector work) writes them" in result.stdout

    @pytest.mark.slow
    def test_is_on_record(self, served: House, store: Store) -> None:
        served.run()
        assert [entry.action for entry in store.audit.entries()] == [REAPPLY]
        assert [run.kind for run in store.runs.all("sunrise")] == [REAPPLY]


class TestARunThatWasStopped:
    def stopped(self, house: House, store: Store) -> None:
        (mapping,) = house.result()["mappings"]
        store.runs.begin("r1", "sunrise", REAPPLY, json.dumps({mapping["destination"]: mapping["version"]}))
        store.runs.note("r1", "zzz", {})

    def test_goes_on(self, served: House, store: Store) -> None:
        self.stopped(served, store)
        result = served.run()
        assert ("goes on where run r1 was stopped" in result.stderr, "0 customers" in result.stdout) == (True, True)

    @pytest.mark.parametrize("action", ["undo", "rebind"])
    def test_begins_again_if_something_took_it_back_meanwhile(self, served: House, store: Store, action: str) -> None:
        self.stopped(served, store)
        store.audit.note("ana", action, "sunrise/hubspot")
        result = served.run()
        assert ("begins again" in result.stderr, "3 customers and 1 call" in result.stdout) == (True, True)

    def test_begins_again_if_another_came_meanwhile(self, served: House, store: Store) -> None:
        self.stopped(served, store)
        served.mapping.write_text(EDITED)
        served.run()
        served.mapping.write_text(MAPPING)
        result = served.run()
        assert ("begins again" in result.stderr, "3 customers and 1 call" in result.stdout) == (True, True)


class TestThePlan:
    def test_counts_by_field_and_writes_nothing(self, served: House, store: Store) -> None:
        served.mapping.write_text(EDITED)
        (plan,) = served.result("--plan")["plan"]
        assert changes(plan, "contact") == {
            "city": {"written": 3},
            "state": {"written": 3},
            "firstname": {"no_longer_written": 3},
            "jobtitle": {"unchanged": 3},
        }
        assert plan["records"] == [
            {"record": "call", "created": 0, "changed": 0, "depends_on_the_crm": 0, "unchanged": 1},
            {"record": "contact", "created": 0, "changed": 3, "depends_on_the_crm": 0, "unchanged": 0},
        ]
        assert store.desk.waiting() == 0

    def test_prints_names_and_no_value(self, served: House) -> None:
        served.mapping.write_text(EDITED)
        output = served.run("--plan").output
        assert ("city" in output, "no longer written" in output, "Mesa" in output) == (True, True, False)

    def test_of_what_is_as_it_should_be_is_all_unchanged(self, served: House) -> None:
        (plan,) = served.result("--plan")["plan"]
        assert [row["changed"] + row["created"] for row in plan["records"]] == [0, 0]

    def test_counts_records_that_only_the_crm_decides_about_apart(self, served: House) -> None:
        served.mapping.write_text(
            MAPPING.replace("      state:", "      city: {from: customer.city, write: if_blank}\n      state:")
        )
        (plan,) = served.result("--plan")["plan"]
        (_, contacts) = plan["records"]
        assert (contacts["changed"], contacts["depends_on_the_crm"]) == (0, 3)

    def test_lists_the_opt_outs_that_are_there(self, house: House, store: Store) -> None:
        house.mapping.write_text(
            MAPPING.replace("{waive: [doNotCall,", "{flags: {doNotCall: contact.do_not_call}, waive: [")
        )
        accept(store, person(1, doNotCall=True), person(2))
        (plan,) = house.result("--plan")["plan"]
        assert changes(plan, "contact")["do_not_call"] == {"written": 1}
        house.work(store)
        (plan,) = house.result("--plan")["plan"]
        assert changes(plan, "contact")["do_not_call"] == {"unchanged": 1}

    def test_counts_those_whom_only_a_call_names(self, house: House, store: Store) -> None:
        accept(store, person(1), a_call(person(2), id=str(UUID(int=9))))
        result = house.run("--plan")
        assert "1 customer and 1 call (with 1 more customer, known from a call alone)" in result.stdout

    def test_names_what_people_changed_as_far_as_a_comparison_found_it(self, served: House) -> None:
        (first, *_) = served.people()
        served.sandbox.change("contacts", first["id"], state="By hand")
        command = ("reconcile", "crm", "-c", str(served.agency), "--all")
        assert CliRunner().invoke(cli, command, env=served.environment).exit_code == 0
        served.mapping.write_text(EDITED)
        (plan,) = served.result("--plan")["plan"]
        assert plan["changed_by_people"] == [{"record": "contact", "field": "state", "records": 1}]
        assert "contact.state of 1 record was changed in the CRM since" in served.run("--plan").stdout

    def test_says_that_the_workers_refuse_the_mapping(self, served: House, store: Store) -> None:
        store.processes.beat(Beat("w1", "work"))
        store.mappings.refused("sunrise/hubspot", "no such field")
        result = served.run("--plan")
        assert (result.exit_code, "refuse its mapping" in result.stderr) == (1, True)


class TestAnEditedKey:
    def test_makes_no_second_records(self, served: House, store: Store) -> None:
        served.mapping.write_text(ANOTHER_KEY)
        result = served.run()
        assert (result.exit_code, "--create" in result.stderr, store.desk.waiting()) == (1, True, 0)

    def test_is_counted_by_the_plan(self, served: House) -> None:
        served.mapping.write_text(ANOTHER_KEY)
        result = served.run("--plan")
        assert (result.exit_code, "3 customers would get a second contacts" in result.stdout) == (1, True)

    def test_is_applied_if_that_is_wanted(self, served: House) -> None:
        served.mapping.write_text(ANOTHER_KEY)
        assert served.result("--create")["due"] == 4


class TestADestinationAddedLater:
    def test_gets_everybody(self, served: House, store: Store) -> None:
        served.serve("hubspot", "other")
        assert served.result("--destination", "other")["due"] == 4
        assert store.desk.states(0) == {"delivered": 4, "ready": 4}

    def test_is_served_after_a_restart(self, served: House, store: Store) -> None:
        served.serve("hubspot", "other")
        store.processes.beat(Beat("w1", "work"))
        result = served.run("--destination", "other")
        assert "sunrise/other: no worker serves it yet. Restart connector run" in result.stdout
        status = CliRunner().invoke(cli, ("status",), env=served.environment).stdout
        assert ("sunrise/other/0" in status, "sunrise/other: no worker serves it yet" in status) == (True, True)

    def test_waits_for_a_worker(self, served: House) -> None:
        assert "No worker runs: what waits is written once connector run" in served.run().stdout

    def test_that_no_file_has_is_wrong_usage(self, served: House) -> None:
        assert served.run("--destination", "nowhere").exit_code == 2


class TestWhatIsNoLongerStored:
    def test_is_told(self, served: House, store: Store) -> None:
        store.retention.purge("sunrise", store.database.time() + 1)
        result = served.run()
        assert (result.exit_code, "Cannot be applied to 3 customers and 1 call" in result.stdout) == (1, True)


class TestWithCareCyclesApi:
    def test_what_is_no_longer_stored_is_fetched(self, house: House, store: Store) -> None:
        api = CareCycleSandbox(Book(2), a_minute=0)
        with api:
            access = f"{{api_key: {KEY}, endpoint: '{api.url}', requests_a_minute: 6000}}"
            accept(store, *filter(None, map(customer_payload, api.book)))
            house.work(store)
            store.retention.purge("sunrise", store.database.time() + 1)
            house.agency.write_text(f"{house.agency.read_text()}carecycle: {access}\n")
            house.mapping.write_text(MAPPING.replace("Arizona", "Other").replace("Elsewhere", "Other"))
            result = house.result()
        assert (result["due"], result["not_stored"]) == (2, {"customers": 0, "calls": 0})
        house.work(store)
        assert [each["state"] for each in house.people()] == ["Other", "Other"]


class TestTheWorkersMapping:
    def test_that_was_refused_is_not_applied(self, served: House, store: Store) -> None:
        store.mappings.refused("sunrise/hubspot", "a problem")
        assert served.run().exit_code == 0  # no worker runs: the next one reads the file of now


@pytest.mark.slow
def test_a_run_that_was_killed_goes_on(house: House, store: Store) -> None:
    number = 3000
    accept(store, *map(person, range(1, number + 1)))
    with store.database.transaction() as connection:
        connection.exec_driver_sql("UPDATE deliveries SET state = 'delivered'")
    command = [sys.executable, "-m", "connector", "reapply", "-c", str(house.agency)]
    process = subprocess.Popen(command, env={**os.environ, **house.environment}, stdout=subprocess.DEVNULL)
    until(lambda: any(run.cursor for run in store.runs.all("sunrise")))
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert store.desk.waiting() < number
    result = house.result()
    assert (result["customers"], store.desk.waiting()) == (number, number)
    (run,) = store.runs.all("sunrise")
    assert run.ended_at is not None
