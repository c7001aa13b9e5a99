"""people find, as it is typed."""

from __future__ import annotations

import json
import re

import pytest
from click.testing import CliRunner

from connector.cli import cli
from connector.store import Store
from tests.builders import CUSTOMER, DESTINATION, LANE, an_arrival
from tests.cli.test_problem_commands import environment, run, store

__all__ = ["environment", "store"]


@pytest.fixture(autouse=True)
def known(store: Store) -> None:
    store.lanes.open({LANE: DESTINATION})
    store.inbox.accept([an_arrival("msg_one")])


class TestFind:
    def test_an_id_finds_its_customer(self, environment: dict[str, str]) -> None:
        result = run(environment, "people", "find", "msg_one")
        assert (result.exit_code, result.output) == (0, f"sunrise  {CUSTOMER}  message id\n")

    def test_a_number_is_read_from_standard_input_and_needs_a_reason(self, environment: dict[str, str]) -> None:
        def typed(*more: str) -> tuple[int, str]:
            result = CliRunner().invoke(cli, ["people", "find", "-", *more], input="(312) 847-1928\n", env=environment)
            return result.exit_code, result.output

        status, output = typed()
        assert (status, "Not tried as phone number: give a --reason" in output) == (1, True)
        assert typed("--reason", "they call") == (0, f"sunrise  {CUSTOMER}  phone number\n")

    def test_nobody_says_what_was_tried(self, environment: dict[str, str]) -> None:
        result = run(environment, "people", "find", "nobody")
        tried = "careCycle customer id, message id, call id, external id"
        assert (result.exit_code, result.output) == (1, f"Nobody is found. Tried as {tried}.\n")

    def test_an_empty_text_is_wrong_usage(self, environment: dict[str, str]) -> None:
        result = run(environment, "people", "find", " ")
        assert (result.exit_code, "is empty" in result.output) == (2, True)

    def test_it_comes_as_json_too_without_the_value(self, environment: dict[str, str]) -> None:
        result = run(environment, "people", "find", "312-847-1928", "--reason", "they call", "--json")
        shown = json.loads(result.output)
        assert shown["people"][0]["customer_id"] == CUSTOMER
        assert (shown["people"][0]["by"], re.search("847-?1928", result.output)) == (["phone number"], None)
