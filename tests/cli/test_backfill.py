"""backfill, as typed: customers enter the inbox once, and nothing that careCycle sent gives way to them."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import update

from connector.carecycle.signature import Verifier
from connector.cli import cli
from connector.receive import Agency, read
from connector.running.file_lock import FileLock
from connector.running.state import open_state
from connector.sandbox.carecycle import KEY, CareCycleSandbox, answer
from connector.sandbox.carecycle.book import Book
from connector.settlement import DeliveryState
from connector.store import Store, open_store
from connector.store.desk import Filter
from connector.store.tables import deliveries
from tests.builders import CUSTOMER, DATA_KEY, NOON, SECRET, a_customer

AGENCY = Agency("sunrise", Verifier("sunrise", [SECRET]), {"hubspot": 1, "other": 1})
UPDATED = "2026-06-18T12:00:00.000Z"
LANE = "sunrise/hubspot/0"


class House:
    """A folder with an agency file and a file of customers, and the commands run in it."""

    def __init__(self, folder: Path) -> None:
        destination = "{mapping: hubspot, auth: {access_token: '${TOKEN}'}}"
        self.agency, self.file = folder / "agency.yaml", folder / "customers.csv"
        self.agency.write_text(
            "agency: sunrise\nwebhook: {secrets: ['${HOOK_SECRET}']}\n"
            f"destinations: {{hubspot: {destination}, other: {destination}}}\n"
        )
        self.environment = {
            "CONNECTOR_DATABASE_URL": f"sqlite:///{folder}/desk.db",
            "CONNECTOR_DATA_KEY": DATA_KEY,
            "HOOK_SECRET": SECRET,
            "TOKEN": "t",
        }

    def write(self, *rows: str, columns: str = "id,updatedAt,city") -> None:
        self.file.write_text("\n".join([columns, *rows, ""]))

    def run(self, *arguments: str) -> Result:
        return self.ask("--from", str(self.file), *arguments)

    def ask(self, *arguments: str) -> Result:
        return CliRunner().invoke(cli, ("backfill", "-c", str(self.agency), *arguments), env=self.environment)

    def result(self, *arguments: str) -> Any:
        return json.loads(self.run("--json", *arguments).stdout)


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


@pytest.fixture
def store(house: House) -> Iterator[Store]:
    store = open_store(house.environment["CONNECTOR_DATABASE_URL"], house.environment)
    yield store
    store.close()


def counts(result: dict[str, Any]) -> dict[str, int]:
    """The counts that are not 0."""
    return {name: count for name, count in result.items() if isinstance(count, int) and count}


def customer(number: int) -> str:
    return str(UUID(int=number))


class TestAFile:
    def test_enters_the_inbox_for_every_destination(self, house: House, store: Store) -> None:
        house.write(f"{CUSTOMER},{UPDATED},Mesa", f"{customer(1)},{UPDATED},Tempe")
        result = house.run()
        (run,) = store.runs.all("sunrise")
        told = f"run {run.id}: 2 put in the inbox, 0 were there already."
        assert (result.exit_code, told in result.stdout, "0 calls" in result.stdout) == (0, True, False)
        assert store.desk.states(0) == {"ready": 4}
        assert {each.type for each in store.desk.deliveries(Filter())} == {"customer.updated"}
        assert {lane.ready for lane in store.desk.lanes()} == {2}

    def test_again_changes_nothing(self, house: House, store: Store) -> None:
        house.write(f"{CUSTOMER},{UPDATED},Mesa")
        house.run()
        assert counts(house.result()) == {"customers": 1, "same": 1, "known": 1}
        assert store.desk.states(0) == {"ready": 2}

    def test_again_revives_no_dead_letter(self, house: House, store: Store) -> None:
        house.write(f"{CUSTOMER},{UPDATED},Mesa")
        house.run()
        with store.database.transaction() as connection:
            connection.execute(update(deliveries).values(state=DeliveryState.DEAD, code="X"))
        house.run()
        assert store.desk.states(0) == {"dead": 2}

    def test_for_one_destination_is_owed_to_it_alone(self, house: House, store: Store) -> None:
        house.write(f"{CUSTOMER},{UPDATED},Mesa")
        house.run("--destination", "other")
        assert [each.destination for each in store.desk.deliveries(Filter())] == ["sunrise/other"]
        assert house.run("--destination", "nowhere").exit_code == 2

    def test_is_compared_with_what_is_held(self, house: House, store: Store) -> None:
        arrivals = [
            (CUSTOMER, UPDATED),
            (customer(1), "2026-06-01T12:00:00.000Z"),
            (customer(2), "2026-06-19T11:00:00Z"),
        ]
        for held, at in arrivals:
            body = json.dumps(a_customer(id=held, updatedAt=at)).encode()
            store.inbox.accept([read(AGENCY, f"m-{held}", body, NOON)])
        house.write(*(f"{each},{UPDATED},Mesa" for each in (CUSTOMER, *map(customer, (1, 2, 3)))))
        assert counts(house.result()) == {
            "customers": 4, "same": 1, "newer": 1, "older": 1, "unknown": 1, "new": 4,
        }  # fmt: skip

    def test_shows_its_columns_before_anything_is_done(self, house: House) -> None:
        house.write(f"{CUSTOMER},078-05-1120,Mesa", columns="id,Spouse SSN,CITY")
        printed = house.run().stdout
        assert "customer.city" in printed
        assert "Spouse SSN │ not used" in printed
        assert "No column updatedAt" in printed
        assert "078-05" not in printed

    def test_says_which_name_is_meant(self, house: House) -> None:
        house.write(f"{CUSTOMER},4/12/1958,48213", columns="id,DOB,Customer ID")
        printed = house.run().stdout
        assert "did you mean dateOfBirth?" in printed
        assert "there is a column id" in printed

    def test_reports_bad_rows_by_line_and_cells_by_field_and_takes_the_rest(self, house: House, store: Store) -> None:
        house.write(f"{CUSTOMER},{UPDATED},=1+1", ",,Mesa", f"{customer(1)},{UPDATED},Mesa,AZ")
        result = house.run()
        assert result.exit_code == 1
        for text in ("line 3", "line 4", "customer.city", "a formula"):
            assert text in result.stdout
        assert house.result()["bad"] == {"no careCycle id": 1, "wrong number of columns": 1}
        assert store.desk.states(0) == {"ready": 2}

    def test_since_leaves_out_what_was_last_updated_before(self, house: House) -> None:
        house.write(f"{CUSTOMER},{UPDATED},Mesa", f"{customer(1)},2026-06-17T12:00:00Z,Mesa", f"{customer(2)},,Mesa")
        assert counts(house.result("--since", "2026-06-18"))["too_old"] == 1
        assert counts(house.result("--since", "2026-06-18"))["customers"] == 2

    def test_that_is_not_there_is_wrong_usage(self, house: House) -> None:
        result = house.run()
        assert (result.exit_code, "cannot be read" in result.stderr) == (2, True)

    @pytest.mark.slow
    def test_is_noted_in_the_audit_log(self, house: House, store: Store) -> None:
        house.write(f"{CUSTOMER},{UPDATED},Mesa")
        house.run()
        assert [(each.action, each.thing[:22]) for each in store.audit.entries()] == [
            ("backfill", "sunrise from file: run")
        ]

    def test_waits_while_another_backfill_of_this_agency_runs(self, house: House) -> None:
        house.write(f"{CUSTOMER},{UPDATED},Mesa")
        state = open_state(house.environment["CONNECTOR_DATABASE_URL"], {})
        other = FileLock(state.path("backfill-sunrise").with_suffix(".lock"))
        assert other.acquire()
        result = house.run()
        other.release()
        assert (result.exit_code, "another backfill" in result.stderr) == (1, True)


@pytest.fixture
def sandbox(house: House) -> Iterator[CareCycleSandbox]:
    sandbox = CareCycleSandbox(Book(231), a_minute=0)
    with sandbox:
        access = f"{{api_key: {KEY}, endpoint: '{sandbox.url}', requests_a_minute: 6000}}"
        house.agency.write_text(f"{house.agency.read_text()}carecycle: {access}\n")
        yield sandbox


class TestCareCyclesApi:
    def test_gives_everybody_once(self, house: House, store: Store, sandbox: CareCycleSandbox) -> None:
        assert counts(json.loads(house.ask("--json").stdout)) == {"customers": 231, "unknown": 231, "new": 231}
        assert counts(json.loads(house.ask("--json").stdout)) == {"customers": 231, "same": 231, "known": 231}
        assert store.desk.states(0) == {"ready": 462}

    def test_gives_the_calls_that_are_not_held_too(self, house: House, store: Store, sandbox: CareCycleSandbox) -> None:
        sandbox.book = Book(6)
        assert counts(json.loads(house.ask("--calls", "--json").stdout)) == {
            "customers": 6, "unknown": 6, "calls": 2, "new": 8,
        }  # fmt: skip
        sandbox.book.add_call(next(iter(sandbox.book))["id"])
        assert counts(json.loads(house.ask("--calls", "--json").stdout))["calls"] == 1

    def test_says_which_fields_were_left_out(self, house: House, sandbox: CareCycleSandbox) -> None:
        odd = {"doNotCall": [True], "doNotSMS": "perhaps"}
        sandbox.reshape(lambda body: {**body, "items": [{**body["items"][0], **odd}, *body["items"][1:]]})
        result = house.ask("--json")
        assert (result.exit_code, json.loads(result.stdout)["left_out"]) == (
            1, {"customer.doNotCall: a list": 1, "customer.doNotSMS: not true or false": 1},
        )  # fmt: skip

    def test_nobody_who_was_deleted_here_comes_back(
        self, house: House, store: Store, sandbox: CareCycleSandbox
    ) -> None:
        sandbox.book = Book(4)
        store.forget.run(next(iter(sandbox.book))["id"], "ana")
        assert counts(json.loads(house.ask("--calls", "--json").stdout)) == {
            "customers": 3, "unknown": 3, "calls": 1, "new": 4, "deleted_here": 2,
        }  # fmt: skip
        assert "2 left out: of people who were deleted here" in house.ask("--calls").stdout

    def test_gives_the_calls_of_a_files_customers(self, house: House, sandbox: CareCycleSandbox) -> None:
        house.write(f"{next(iter(sandbox.book))['id']},{UPDATED},Mesa")
        assert counts(house.result("--calls"))["calls"] == 1

    def test_without_the_permission_for_calls_gives_customers(self, house: House, sandbox: CareCycleSandbox) -> None:
        sandbox.book = Book(6)
        sandbox.forbidden.add("calls")
        result = house.ask("--calls")
        assert (result.exit_code, "6 put in the inbox" in result.stdout) == (1, True)
        assert "lacks the permission" in result.stdout

    def test_a_customer_whose_calls_cannot_be_read_is_named_and_passed_over(
        self, house: House, sandbox: CareCycleSandbox
    ) -> None:
        sandbox.book = Book(10)
        one, other = (customer["id"] for customer in sandbox.book.part(0, 4)[::3])
        sandbox.fault(f"/v2/customers/{one}/calls", answer({"message": "", "code": "VALIDATION_ERROR"}, 422), times=99)
        result = house.ask("--calls", "--json")
        said = json.loads(result.stdout)
        assert (result.exit_code, said["customers"], said["calls"]) == (1, 10, 3)
        assert [each["where"] for each in said["bad_rows"]] == [f"customer {one}"]
        assert other not in str(said)

    def test_several_in_a_row_stop_it(self, house: House, sandbox: CareCycleSandbox) -> None:
        sandbox.book = Book(10)
        sandbox.fault("/calls", answer({"message": "", "code": "VALIDATION_ERROR"}, 422), times=99)
        result = house.ask("--calls")
        assert (result.exit_code, "the same command goes on" in result.stderr) == (1, True)

    @pytest.mark.parametrize("page", [2, 3])
    def test_an_empty_page_is_not_the_end(self, house: House, sandbox: CareCycleSandbox, page: int) -> None:
        sandbox.reshape(lambda body: {**body, "items": body["items"] * (body["currentPage"] != page)}, times=99)
        result = house.ask()
        assert (result.exit_code, f"page {page}" in result.stderr, "231" in result.stderr) == (1, True, True)
        sandbox.faults.clear()
        assert counts(json.loads(house.ask("--json").stdout))["new"] == 231  # those of the first run are counted too

    def test_a_page_with_fewer_than_it_should_have_is_said(self, house: House, sandbox: CareCycleSandbox) -> None:
        sandbox.reshape(lambda body: {**body, "items": body["items"][: 90 + body["currentPage"]]}, times=3)
        result = house.ask()
        assert (result.exit_code, "fewer customers on the page" in result.stdout) == (1, True)

    @pytest.mark.slow
    def test_that_fails_goes_on_from_there(self, house: House, sandbox: CareCycleSandbox) -> None:
        sandbox.on_page = lambda number: sandbox.forbidden.add("customers")
        result = house.ask()
        assert (result.exit_code, "the same command goes on" in result.stderr) == (1, True)
        sandbox.on_page = lambda number: None
        sandbox.forbidden.clear()
        result = house.ask("--json")
        assert "goes on after page 1" in result.stderr
        assert (json.loads(result.stdout)["new"], json.loads(result.stdout)["known"]) == (231, 100)

    def test_needs_a_key(self, house: House) -> None:
        result = house.ask()
        assert (result.exit_code, "carecycle: { api_key: ${NAME} }" in result.stderr) == (2, True)


class TestWhatCareCycleSends:
    def test_is_delivered_first_whenever_it_comes(self, house: House, store: Store) -> None:
        house.write(f"{customer(1)},{UPDATED},Mesa", f"{customer(2)},{UPDATED},Mesa")
        house.run()
        store.inbox.accept([read(AGENCY, "sent", json.dumps(a_customer()).encode(), NOON)])
        assert store.inbox.listed(LANE, 9)[0].message_id == "sent"


class TestAPlan:
    def test_stores_nothing_and_says_what_would_be_written(self, house: House, store: Store) -> None:
        house.write(f"{CUSTOMER},{UPDATED},Mesa", f"{customer(1)},{UPDATED},Mesa")
        result = house.result("--plan")
        assert counts(result) == {"customers": 2, "unknown": 2}
        assert [(each["destination"], each["write"]) for each in result["plan"]] == [
            ("sunrise/hubspot", 2),
            ("sunrise/other", 2),
        ]
        assert {"record": "contact", "field": "city", "deliveries": 2} in result["plan"][0]["fields"]
        assert store.desk.states(0) == {}

    def test_shows_names_and_no_values(self, house: House) -> None:
        open_store(house.environment["CONNECTOR_DATABASE_URL"], house.environment).close()
        house.write(f"{CUSTOMER},{UPDATED},Canary")
        printed = house.run("--plan").stdout
        assert ("would be written" in printed, "Canary" in printed) == (True, False)


@pytest.mark.slow
class TestARunThatIsStopped:
    @pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
    def test_goes_on_from_there_and_ends_as_if_it_had_not_been(self, house: House, store: Store, number: int) -> None:
        house.write(*(f"{customer(row)},{UPDATED},Mesa" for row in range(1, 1001)))
        command = (sys.executable, "-m", "connector", "backfill", "-c", str(house.agency), "--from", str(house.file))
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        with subprocess.Popen(command, env=house.environment, **quiet) as process:
            while not any(run.cursor for run in store.runs.all("sunrise")):
                assert process.poll() is None
            process.send_signal(number)
            assert process.wait() == (130 if number == signal.SIGINT else -number)
        (run,) = store.runs.all("sunrise")
        assert run.ended_at is None
        result = house.run("--json")
        assert f"goes on after line {run.cursor}" in result.stderr
        assert json.loads(result.stdout)["customers"] == 1000
        assert store.desk.states(0) == {DeliveryState.READY: 2000}
