"""trial against both sandboxes over HTTP: what works, everything it can report, and what it leaves."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Response

from connector.sandbox.hubspot import HubSpotSandbox
from connector.sandbox.salesforce import SalesforceSandbox
from tests.cli.provisioning import Agency, Opened, opening

MATCHED = """\
extends: hubspot
records:
  contact:
    also_match:
      - { email: customer.email, firstname: customer.firstName, lastname: customer.lastName }
      - { phone: customer.phoneNumber, firstname: customer.firstName, lastname: customer.lastName }
"""


@pytest.fixture
def portal(tmp_path: Path) -> Iterator[Opened]:
    yield from opening(tmp_path, HubSpotSandbox, "hubspot")


@pytest.fixture
def org(tmp_path: Path) -> Iterator[Opened]:
    yield from opening(tmp_path, SalesforceSandbox, "salesforce-contact")


def tried(agency: Agency, *arguments: str) -> dict[str, Any]:
    """What `trial --json` says of the one destination, with the result of each thing tried by its name."""
    result = agency.run("trial", "--yes", "--json", *arguments)
    (said,) = json.loads(result.stdout)
    assert result.exit_code == (0 if said["works"] else 1), result.stderr
    return {**said, "by": {line["what"]: line for line in said["tried"]}}


def failing(said: dict[str, Any]) -> set[str]:
    return {line["what"] for line in said["tried"] if line["result"] == "does not work"}


def records(agency: Agency) -> list[Any]:
    kinds = ("Contact", "Task") if hasattr(agency.sandbox, "org") else ("contacts", "calls")
    return [record for kind in kinds for record in agency.sandbox.records(kind)]


def interrupt(handle: Callable[[], Response]) -> Response:
    """A fault: handle the request, and press Ctrl-C before its reply is read."""
    response = handle()
    os.kill(os.getpid(), signal.SIGINT)
    return response


class TestAnAccountThatWorks:
    def test_a_portal_passes_and_nothing_is_left(self, portal: Opened) -> None:
        agency = portal()
        said = tried(agency)
        assert (failing(said), said["left"], records(agency)) == (set(), [], [])
        assert said["by"]["link the call and the contact"]["result"] == "works"
        assert "without email" in said["by"]["write a second person with the same address"]["seen"]
        assert (
            agency.sandbox.definitions.schema["contacts"]
            .keys()
            .isdisjoint(name for _, name in agency.sandbox.definitions.archived)
        )

    def test_an_org_passes_and_nothing_is_left(self, org: Opened) -> None:
        agency = org()
        said = tried(agency)
        assert (failing(said), said["left"], records(agency)) == (set(), [], [])
        assert "WhoId points at the person" in said["by"]["read back the call (Task)"]["seen"]

    def test_what_is_made_may_be_kept(self, portal: Opened) -> None:
        agency = portal()
        said = tried(agency, "--keep")
        assert {left["id"] for left in said["left"]} == {record["id"] for record in records(agency)} != set()
        assert said["works"]

    def test_the_table_says_it_in_words(self, org: Opened) -> None:
        printed = org().run("trial", "--yes").stdout
        assert "write the contact (Contact)" in printed
        assert "does not work" not in printed


class TestOthersRecords:
    def test_are_neither_changed_nor_adopted_nor_deleted(self, portal: Opened) -> None:
        agency = portal(MATCHED)
        for number in range(100):
            agency.sandbox.put("contacts", firstname="Trial", lastname="Real", phone=f"+160255501{number:02d}")
        before = records(agency)
        assert tried(agency)["works"]
        assert records(agency) == before

    def test_a_record_whose_key_is_not_the_trial_s_is_left_alone(self, portal: Opened) -> None:
        own = "extends: hubspot\nrecords: {contact: {key: {carecycle_id: customer.phoneNumber}}}\n"
        agency = portal(own)
        numbers = [f"+160255501{number:02d}" for number in range(100)]
        before = [agency.sandbox.put("contacts", carecycle_id=number, firstname="Real") for number in numbers]
        said = tried(agency)
        assert "write the contact (contacts)" in failing(said)
        assert [record["firstname"] for record in agency.sandbox.records("contacts")] == ["Real"] * len(before)
