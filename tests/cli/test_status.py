"""`connector status`: what a person and a program read."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from rich.console import Console

from connector.cli import cli
from connector.cli.status import watch
from connector.errors import PauseReason
from connector.settlement import ObligationState, Pause, Payment, Refusal, Settlement
from connector.store import Store
from connector.store.inbox import Owed
from connector.store.processes import Beat
from connector.store.usage import Report
from tests.builders import DATA_KEY, DESTINATION, LANE, NOON, an_arrival, an_odd_arrival
from tests.conftest import Clock
from tests.ready import open_ready
from tests.web.conftest import MINUTE, refuse, settle


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {"CONNECTOR_DATABASE_URL": f"sqlite:///{tmp_path}/desk.db", "CONNECTOR_DATA_KEY": DATA_KEY}


@pytest.fixture
def store(environment: dict[str, str], clock: Clock) -> Iterator[Store]:
    store = open_ready(environment["CONNECTOR_DATABASE_URL"], environment, clock)
    yield store
    store.close()


def seen(store: Store) -> str:
    """What `connector status --watch` shows until Ctrl-C."""
    console = Console(file=io.StringIO(), width=160)
    watch(store, console, pressed)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def pressed() -> None:
    raise KeyboardInterrupt


class TestStatus:
    @pytest.mark.parametrize("command", ["status", "status --json", "events list", "audit verify", "backup copy.db"])
    def test_where_no_database_is_none_is_made_and_the_path_is_named(
        self, environment: dict[str, str], tmp_path: Path, command: str
    ) -> None:
        result = CliRunner().invoke(cli, command.split(), env=environment)
        assert (result.exit_code, list(tmp_path.iterdir())) == (2, [])
        assert f"{tmp_path}/desk.db: there is no database (correct CONNECTOR_DATABASE_URL" in result.output

    def test_a_postgresql_database_without_our_tables_gets_none(self, postgres_address: str) -> None:
        environment = {"CONNECTOR_DATABASE_URL": postgres_address, "CONNECTOR_DATA_KEY": DATA_KEY}
        result = CliRunner().invoke(cli, ["status"], env=environment)
        assert (result.exit_code, "the database has no tables of the connector" in result.output) == (2, True)
        assert CliRunner().invoke(cli, ["status"], env=environment).exit_code == 2

    def test_an_empty_installation_says_what_to_do(self, store: Store, environment: dict[str, str]) -> None:
        result = CliRunner().invoke(cli, ["status"], env=environment)
        assert result.exit_code == 0
        assert "No events yet." in result.output
        assert "No lanes yet: start the connector first." in result.output

    def test_a_database_that_cannot_be_reached_is_told(self) -> None:
        unreachable = {"CONNECTOR_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/x", "CONNECTOR_DATA_KEY": DATA_KEY}
        result = CliRunner().invoke(cli, ["status"], env=unreachable)
        assert (result.exit_code, "error[E300]" in result.output) == (1, True)

    def test_watching_and_json_do_not_go_together(self, environment: dict[str, str]) -> None:
        assert CliRunner().invoke(cli, ["status", "--watch", "--json"], env=environment).exit_code == 2

    def test_todays_events_and_deliveries_are_counted(self, store: Store) -> None:
        store.inbox.accept([an_arrival(), an_arrival()])
        settle(store, "delivered")
        store.inbox.accept([an_arrival()])
        assert "3 events. Deliveries: 1 waiting, 2 delivered." in seen(store)

    def test_every_opt_out_is_in_the_crm_only_where_nothing_is_unread_or_without_a_record(self, store: Store) -> None:
        store.lanes.open({LANE: DESTINATION})
        store.inbox.accept([an_arrival(priority=1, raised=frozenset({"doNotCall"}))])
        lease = store.lanes.lease("worker", [LANE], MINUTE)
        assert lease is not None
        for state, said in ((ObligationState.APPLIED, "Every opt-out is"), (ObligationState.NO_RECORD, "Every other")):
            store.inbox.accept([an_arrival(priority=1, raised=frozenset({"doNotSMS"}))])
            owed = store.obligations.due(LANE, 9)
            store.lanes.settle(lease, Settlement("", payments=[Payment(one, state) for one in owed]), MINUTE)
            assert said in seen(store)
        assert "of customers the CRM has no record of" in seen(store)
        store.inbox.accept([an_arrival(priority=1, raised=frozenset({"doNotMail"}))])
        (owed,) = store.obligations.due(LANE, 9)
        store.lanes.settle(lease, Settlement("", payments=[Payment(owed, ObligationState.NOT_MAPPED)]), MINUTE)
        assert "1 opt-out not written: the mapping waives the flag or skips the customer." in seen(store)
        both = (Owed(DESTINATION, LANE), Owed("sunrise/other", "sunrise/other/0"))
        broken = Refusal("E210", "not JSON")
        store.inbox.accept([an_arrival("msg_broken", type="", body=b"{", state="dead", why=broken, owed=both)])
        assert "1 message could not be read: opt-outs in them may be missing." in seen(store)

    def test_an_opt_out_may_be_in_a_call_that_cannot_be_decrypted(self, store: Store) -> None:
        store.inbox.accept([an_arrival("msg_damaged", state="dead", why=Refusal("UNOPENABLE", "damaged"))])
        shown = seen(store)
        assert "1 message could not be read: opt-outs in them may be missing." in shown
        assert "Every opt-out is in the CRM." not in shown

    def test_a_flag_that_cannot_be_read_leaves_it_open_whether_every_opt_out_is_in_the_crm(self, store: Store) -> None:
        store.inbox.accept([an_odd_arrival(doNotCall="yes")])
        shown = seen(store)
        assert "1 event had a customer or consent flag that could not be read: connector problems says which." in shown
        assert "Every other opt-out we know of is in the CRM." in shown

    def test_opt_outs_that_wait_and_that_are_refused_are_counted(self, store: Store, clock: Clock) -> None:
        store.lanes.open({LANE: DESTINATION})
        for customer in ("c-1", "c-2"):
            store.inbox.accept([an_arrival(customer_id=customer, priority=1, raised=frozenset({"doNotCall"}))])
        refused = Payment(store.obligations.due(LANE, 1)[0], ObligationState.REFUSED, wait_ms=60 * MINUTE)
        lease = store.lanes.lease("worker", [LANE], MINUTE)
        assert lease is not None
        store.lanes.settle(lease, Settlement("", payments=[refused]), MINUTE)
        clock.forward(7 * MINUTE)
        told = seen(store)
        assert "2 opt-outs not yet in the CRM, the oldest for 7 minutes:" in told
        assert f"{DESTINATION}: 1 waiting, 1 refused by the CRM" in told
        assert "connector consent report --since DATE" in told

    def test_a_paused_lane_says_why_and_until_when(self, store: Store) -> None:
        store.inbox.accept([an_arrival(), an_arrival()])
        settle(store, "ready", Pause(5 * MINUTE, PauseReason.QUOTA, "[the] calls are used up"), outcome="deferred")
        told = seen(store)
        assert "[the] calls are used up (quota). The next try is in 5 minutes." in told

    def test_a_lane_says_when_it_is_empty(self, store: Store, clock: Clock) -> None:
        store.inbox.accept([an_arrival() for _ in range(10)])
        clock.forward(10 * MINUTE)
        settle(store, "delivered")
        store.inbox.accept([an_arrival()])
        assert "No worker runs" in seen(store)
        store.processes.beat(Beat("w1", "work"))
        assert "At the current pace (60 per hour) it will be empty in about 1 minute." in seen(store)

    def test_dead_letters_are_told_by_their_five_commonest_causes(self, store: Store) -> None:
        for number in range(6):
            refuse(store, 7 - number, f"CODE_{number}", "not an option")
        told = seen(store)
        assert "27 dead letters" in told
        assert [f"CODE_{number}" in told for number in range(6)] == [True] * 5 + [False]
        assert "and 1 cause more" in told

    def test_a_reason_never_steers_the_terminal(self, store: Store) -> None:
        refuse(store, 1, "X", "not an option\x1b[2J [email]", "email")
        assert "not an option\ufffd[2J [email]" in seen(store)

    def test_an_unusual_silence_is_pointed_out_for_its_agency(self, store: Store, clock: Clock) -> None:
        store.lanes.open({LANE: DESTINATION})
        store.inbox.accept([an_arrival(received_at=NOON - number * MINUTE) for number in range(30)])
        clock.forward(31 * MINUTE)
        assert "Unusually silent: sunrise, for 31 minutes" in seen(store)

    def test_calls_of_the_day_and_refused_mappings_are_told(self, store: Store) -> None:
        store.lanes.open({LANE: DESTINATION})
        store.usage.add(DESTINATION, 5, Report(1200, 15000, NOON), NOON, NOON - 1)
        store.mappings.running(DESTINATION, "v1")
        store.mappings.refused(DESTINATION, "own.yaml:2:5: error[M101]")
        told = seen(store)
        assert f"API calls today, {DESTINATION}: 1,200 of 15,000 used" in told
        assert f"UTC: {DESTINATION}. The last good version keeps running" in told
        assert "own.yaml:2:5: error[M101]" in told

    def test_a_program_reads_the_same(self, store: Store, environment: dict[str, str]) -> None:
        store.inbox.accept([an_arrival(priority=1, raised=frozenset({"doNotCall"}))])
        settle(store, "dead", why=Refusal("BAD"))
        told: dict[str, Any] = json.loads(CliRunner().invoke(cli, ["status", "--json"], env=environment).stdout)
        assert (told["dead"], told["opt_outs"], told["lanes"][0]["state"]) == (1, 1, "idle")
        assert (told["causes"][0]["code"], told["silences"]["sunrise"]["unusual"]) == ("BAD", False)
