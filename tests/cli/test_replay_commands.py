"""Replay and what is said before it, as typed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from connector.carecycle.signature import Verifier
from connector.cli import cli
from connector.receive import Agency, read
from connector.settlement import DeliveryState, Refusal
from connector.store import Store
from tests.builders import DATA_KEY, NOON, SECRET, a_customer
from tests.ready import open_ready

AGENCY = Agency("sunrise", Verifier("sunrise", [SECRET]), {"hubspot": 1})
EDITED = "extends: hubspot\nrecords: {contact: {fields: {jobtitle: {value: Client}}}}\n"


@pytest.fixture
def house(tmp_path: Path) -> House:
    (tmp_path / "agency.yaml").write_text(
        "agency: sunrise\nwebhook: {secrets: ['${HOOK_SECRET}']}\n"
        "destinations: {hubspot: {mapping: hubspot, auth: {access_token: '${TOKEN}'}}}\n"
    )
    (tmp_path / "edited.yaml").write_text(EDITED)
    return House(tmp_path)


@pytest.fixture
def store(house: House) -> Iterator[Store]:
    store = open_ready(house.environment["CONNECTOR_DATABASE_URL"], house.environment)
    yield store
    store.close()


class House:
    """A folder with an agency file and an edited mapping, and the commands run in it."""

    def __init__(self, folder: Path) -> None:
        self.agency, self.edited = str(folder / "agency.yaml"), str(folder / "edited.yaml")
        self.environment = {
            "CONNECTOR_DATABASE_URL": f"sqlite:///{folder}/desk.db",
            "CONNECTOR_DATA_KEY": DATA_KEY,
            "HOOK_SECRET": SECRET,
            "TOKEN": "t",
        }

    def run(self, *arguments: str) -> Result:
        return CliRunner().invoke(cli, arguments, env=self.environment)

    def told(self, *arguments: str) -> Any:
        return json.loads(self.run(*arguments, "--json").stdout)


def accept(
    store: Store, message_id: str, *, at: int = NOON, state: str = "ready", code: str = "", **fields: Any
) -> None:
    arrival = read(AGENCY, message_id, json.dumps(a_customer(**fields)).encode(), at)
    store.inbox.accept([replace(arrival, state=DeliveryState(state), why=Refusal(code)) if code else arrival])


class TestReplayPlan:
    def test_it_says_what_would_come_and_changes_nothing(self, house: House, store: Store) -> None:
        accept(store, "good", state="dead", code="X")
        accept(store, "odd", id=None)
        (told,) = house.told("events", "replay", "--all", "--plan", "-c", house.agency)
        assert (told["deliveries"], told["write"], told["refused"]) == (2, 1, 1)
        assert told["reasons"][0]["reason"] == "customer.id is missing or not an id"
        assert store.desk.states(0) == {"dead": 2}

    def test_its_status_says_whether_something_would_be_refused(self, house: House, store: Store) -> None:
        accept(store, "good", state="dead", code="X")
        arguments = ("events", "replay", "--all", "--plan", "-c", house.agency)
        assert house.run(*arguments).exit_code == 0
        accept(store, "odd", id=None)
        assert house.run(*arguments).exit_code == 1

    def test_it_answers_for_an_edited_mapping_too(self, house: House, store: Store) -> None:
        accept(store, "good", state="dead", code="X")
        (told,) = house.told("events", "replay", "--all", "--plan", "-c", house.agency, "--mapping", house.edited)
        assert {"record": "contact", "field": "jobtitle", "deliveries": 1} in told["fields"]

    def test_it_prints_names_and_no_value(self, house: House, store: Store) -> None:
        accept(store, "good", state="dead", code="X", firstName="Canary")
        output = house.run("events", "replay", "--all", "--plan", "-c", house.agency).output
        assert ("firstname" in output, "Canary" in output) == (True, False)

    def test_it_needs_to_know_the_agency(self, house: House, store: Store) -> None:
        assert house.run("events", "replay", "--all", "--plan").exit_code == 2

    def test_an_unknown_destination_is_wrong_usage(self, house: House, store: Store) -> None:
        result = house.run("events", "replay", "--destination", "other", "--plan", "-c", house.agency)
        assert (result.exit_code, "is not a destination" in result.stderr) == (2, True)


class TestReplay:
    def test_a_time_span_is_replayed(self, house: House, store: Store) -> None:
        for day in range(3):
            accept(store, f"m{day}", at=NOON + day * 86_400_000, state="dead", code="X")
        assert house.told("events", "replay", "--since", "2026-06-19", "--until", "2026-06-20T00:00Z") == {
            "replayed": 1
        }

    def test_another_state_is_replayed_when_it_is_named(self, house: House, store: Store) -> None:
        accept(store, "one", state="skipped", code="SKIPPED")
        assert house.told("events", "replay", "--all") == {"replayed": 0}
        assert house.told("events", "replay", "--all", "--state", "skipped") == {"replayed": 1}

    def test_which_must_be_said(self, house: House, store: Store) -> None:
        assert house.run("events", "replay", "--state", "delivered").exit_code == 2

    def test_a_time_that_is_none_is_told(self, house: House) -> None:
        result = house.run("events", "replay", "--since", "yesterday")
        assert (result.exit_code, "2026-06-18T12:00Z" in result.stderr) == (2, True)

    def test_a_long_one_says_how_far_it_is(self, house: House, store: Store) -> None:
        arrivals = [read(AGENCY, f"m{n}", json.dumps(a_customer()).encode(), NOON) for n in range(600)]
        store.inbox.accept([replace(one, state=DeliveryState.DEAD, why=Refusal("X")) for one in arrivals])
        result = house.run("events", "replay", "--all")
        assert (result.stderr, result.stdout) == ("500 so far\n", "600 deliveries queued again\n")

    def test_on_a_terminal_it_draws_a_bar(self, house: House, store: Store) -> None:
        accept(store, "one", state="dead", code="X")
        house.environment["FORCE_COLOR"] = "1"  # rich takes it for a terminal
        result = house.run("events", "replay", "--all")
        assert (result.exit_code, result.stdout) == (0, "1 delivery queued again\n")
        assert "replaying" in result.stderr
        assert "100%" in result.stderr

    def test_field_names_in_a_reason_are_shown(self, house: House, store: Store) -> None:
        arrival = read(AGENCY, "one", json.dumps(a_customer()).encode(), NOON)
        store.inbox.accept([replace(arrival, state=DeliveryState.DEAD, why=Refusal("X", "is refused [email]"))])
        assert "[email]" in house.run("events", "list").stdout


class TestPlan:
    def test_an_edited_mapping_that_differs_says_so_by_its_status(self, house: House, store: Store) -> None:
        accept(store, "one")
        result = house.run("plan", house.edited, "-c", house.agency)
        assert (result.exit_code, "jobtitle" in result.output) == (1, True)

    def test_one_that_does_not_differ_is_fine(self, house: House, store: Store) -> None:
        accept(store, "one")
        Path(house.edited).write_text("extends: hubspot\n")
        result = house.run("plan", house.edited, "-c", house.agency)
        assert (result.exit_code, "1 event for sunrise/hubspot compared, 0 differ" in result.output) == (0, True)

    def test_it_tells_field_change_and_line_as_json(self, house: House, store: Store) -> None:
        accept(store, "one")
        told = house.told("plan", house.edited, "-c", house.agency, "--destination", "hubspot", "--last", "5")
        change = {"record": "contact", "field": "jobtitle", "kind": "added", "line": 2, "events": 1}
        assert told["changes"] == [change]

    def test_a_mapping_for_another_crm_has_no_place(self, house: House, store: Store) -> None:
        Path(house.edited).write_text("extends: salesforce-contact\n")
        result = house.run("plan", house.edited, "-c", house.agency)
        assert (result.exit_code, "--destination" in result.stderr) == (2, True)

    @pytest.mark.slow
    def test_a_broken_one_is_told_with_its_line(self, house: House, store: Store) -> None:
        Path(house.edited).write_text("extends: hubspot\nrecords: {contact: {fields: {city: customer.citty}}}\n")
        result = house.run("plan", house.edited, "-c", house.agency)
        assert (result.exit_code, "M101" in result.stderr) == (2, True)
