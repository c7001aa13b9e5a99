"""identity, as it is typed."""

from __future__ import annotations

import json

import pytest

from connector.store import Store
from tests.builders import CUSTOMER
from tests.cli.test_problem_commands import agency, environment, run, store
from tests.contracts.test_questions import EDNA, HAROLD, ask, question

__all__ = ["agency", "environment", "store"]


class TestList:
    def test_no_question_is_good_news(self, store: Store, environment: dict[str, str]) -> None:
        result = run(environment, "identity", "list")
        assert (result.exit_code, result.output) == (0, "No questions.\n")

    def test_each_question_shows_its_candidates_by_field_names_and_the_person_masked(
        self, store: Store, environment: dict[str, str], agency: str
    ) -> None:
        ask(store, HAROLD, EDNA)
        result = run(environment, "identity", "list", "-c", agency)
        assert result.exit_code == 1
        lines = [
            f"sunrise/salesforce Contact: customer {CUSTOMER}, open since",
            "the customer's record: 003own",
            "candidate 003H https://sunrise.my.salesforce.com/003H",
            "same: LastName; different: FirstName",
            "same: LastName, FirstName; unclear: Birthdate",
            "customer.firstName •••",
            f"connector identity decide {question(store).id} --same CRM_ID | --somebody-else",
        ]
        assert [line for line in lines if line not in result.output] == []
        assert "Delacroix" not in result.output

    @pytest.mark.slow
    def test_it_comes_as_json_too(self, store: Store, environment: dict[str, str]) -> None:
        ask(store, HAROLD)
        (shown,) = json.loads(run(environment, "identity", "list", "--json").output)
        assert (shown["id"], shown["state"], shown["own"]) == (question(store).id, "open", "003own")
        assert [(one["id"], one["differs"]) for one in shown["candidates"]] == [("003H", ["FirstName"])]

    def test_what_is_decided_shows_with_all(self, store: Store, environment: dict[str, str]) -> None:
        ask(store, HAROLD)
        store.deciding.somebody_else(question(store), "ana")
        assert run(environment, "identity", "list").output == "No questions.\n"
        shown = run(environment, "identity", "list", "--all")
        assert (shown.exit_code, "decided by ana" in shown.output, "--undo" in shown.output) == (0, True, True)


class TestDecide:
    def test_the_same_person_says_what_to_do_with_the_record_made_before(
        self, store: Store, environment: dict[str, str]
    ) -> None:
        ask(store, EDNA)
        result = run(environment, "identity", "decide", question(store).id, "--same", "003E")
        assert result.exit_code == 0
        assert "003own, which the connector created, is left over: merge it into" in result.output
        assert "delivered again now" in result.output
        assert store.audit.entries()[0].who.startswith("cli:")

    def test_somebody_else_is_kept_and_can_be_taken_back(self, store: Store, environment: dict[str, str]) -> None:
        ask(store, HAROLD)
        name = question(store).id
        said = run(environment, "identity", "decide", name, "--somebody-else").output
        assert said == "None of these records is the customer's.\n"
        assert run(environment, "identity", "decide", name, "--undo").output == "The question is open again.\n"

    def test_taking_back_says_that_what_was_written_stays(self, store: Store, environment: dict[str, str]) -> None:
        ask(store, EDNA)
        store.deciding.same_person(question(store), "003E", "ana")
        result = run(environment, "identity", "decide", question(store).id, "--undo")
        assert "The values and opt-outs written to it stay there" in result.output

    def test_exactly_one_decision_is_needed(self, store: Store, environment: dict[str, str]) -> None:
        for options in ((), ("--undo", "--somebody-else")):
            assert run(environment, "identity", "decide", "x", *options).exit_code == 2

    def test_an_unknown_question_is_an_error_that_says_where_to_look(
        self, store: Store, environment: dict[str, str]
    ) -> None:
        result = run(environment, "identity", "decide", "x", "--undo")
        assert (result.exit_code, "connector identity list" in result.output) == (2, True)
