"""problems and why, as they are typed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from connector.cli import cli
from connector.settlement import RecordVerdict, Refusal
from connector.store import Store
from tests.builders import CUSTOMER, DATA_KEY, SECRET, an_arrival, an_odd_arrival
from tests.ready import open_ready
from tests.web.conftest import RECORD, leave_out, settle

WHY = Refusal(
    "BAD_VALUE",
    "'MailingState' does not offer this value",
    "add it in Salesforce, then replay",
    ("MailingState",),
    "contact",
)
REFUSED = replace(RECORD, record="contact", fields=("MailingState",), verdict=RecordVerdict.REJECTED)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {
        "CONNECTOR_DATABASE_URL": f"sqlite:///{tmp_path}/connector.db",
        "CONNECTOR_DATA_KEY": DATA_KEY,
        "HOOK_SECRET": SECRET,
        "CLIENT_SECRET": "x",
    }


@pytest.fixture
def store(environment: dict[str, str]) -> Iterator[Store]:
    store = open_ready(environment["CONNECTOR_DATABASE_URL"], environment)
    yield store
    store.close()


@pytest.fixture
def agency(tmp_path: Path) -> str:
    path = tmp_path / "agency.yaml"
    path.write_text(
        "agency: sunrise\nwebhook: {secrets: ['${HOOK_SECRET}']}\n"
        "destinations: {salesforce: {mapping: salesforce-contact, "
        "auth: {flow: client_credentials, client_id: x, client_secret: '${CLIENT_SECRET}', domain: sunrise.my}}}\n"
    )
    return str(path)


def run(environment: dict[str, str], *arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments, env=environment)


class TestProblems:
    def test_none_is_good_news(self, store: Store, environment: dict[str, str]) -> None:
        result = run(environment, "problems")
        assert (result.exit_code, result.output) == (0, "No dead letters.\n")

    @pytest.mark.slow
    def test_the_people_behind_a_cause_are_listed_where_that_is_asked_for(
        self, store: Store, environment: dict[str, str]
    ) -> None:
        store.inbox.accept([an_arrival("first"), an_arrival("second")])
        settle(store, "dead", why=WHY, records=[REFUSED])
        line = f"customer {CUSTOMER}: 2 dead letters, the newest second"
        assert line in run(environment, "problems", "--people").output
        assert line not in run(environment, "problems").output
        (cause,) = json.loads(run(environment, "problems", "--people", "--json").stdout)
        assert cause["people"] == [{"customer_id": CUSTOMER, "deliveries": 2, "message_id": "second"}]

    def test_each_cause_is_told_with_its_line_and_what_to_do(
        self, store: Store, environment: dict[str, str], agency: str
    ) -> None:
        store.inbox.accept([an_arrival()])
        settle(store, "dead", why=WHY, records=[REFUSED])
        result = run(environment, "problems", "-c", agency)
        assert result.exit_code == 1
        told = ["'MailingState' does not offer this value. (BAD_VALUE)", "1 delivery for 1 customer since"]
        told += ["mapped at salesforce-contact.yaml:", "Add it in Salesforce", "connector events replay"]
        assert [one for one in told if one not in result.output] == []

    def test_it_comes_as_json_too(self, store: Store, environment: dict[str, str]) -> None:
        store.inbox.accept([an_arrival()])
        settle(store, "dead", why=WHY)
        (cause,) = json.loads(run(environment, "problems", "--json").output)
        assert (cause["fields"], cause["count"], cause["customers"]) == (["MailingState"], 1, 1)


class TestOddFields:
    def test_each_is_reported_with_its_count_and_what_follows(self, store: Store, environment: dict[str, str]) -> None:
        store.inbox.accept([an_odd_arrival("msg_one"), an_odd_arrival("msg_two", subsidyAmount=9.25)])
        result = run(environment, "problems")
        expected = "sunrise: careCycle sends customer.subsidyAmount as a number with decimals; expected a whole number."
        assert (result.exit_code, f"{expected} (ODD_FIELD)" in result.output) == (1, True)
        assert "2 events since" in result.output
        assert "the newest msg_two" in result.output
        assert "The field counts as absent" in result.output

    def test_one_that_is_used_all_the_same_fails_no_check(self, store: Store, environment: dict[str, str]) -> None:
        store.inbox.accept([an_odd_arrival(subsidyAmount=148, agentNpn=8419302)])
        result = run(environment, "problems")
        assert result.exit_code == 0
        assert "careCycle sends customer.agentNpn as a number; expected text." in result.output
        assert "The value is used: it is read as text." in result.output

    def test_a_consent_flag_says_that_an_opt_out_may_be_missing(
        self, store: Store, environment: dict[str, str]
    ) -> None:
        store.inbox.accept([an_odd_arrival(subsidyAmount=148, doNotCall="yes")])
        assert "an opt-out may be missing" in run(environment, "problems").output

    def test_they_come_as_json_without_a_value(self, store: Store, environment: dict[str, str]) -> None:
        store.inbox.accept([an_odd_arrival("msg_one")])
        printed = run(environment, "problems", "--json").output
        (oddity,) = json.loads(printed)
        assert (oddity["code"], oddity["fields"], oddity["count"]) == ("ODD_FIELD", ["customer.subsidyAmount"], 1)
        assert "148.5" not in printed

    def test_the_story_of_an_event_names_them(self, store: Store, environment: dict[str, str]) -> None:
        store.inbox.accept([an_odd_arrival("msg_one", agentNpn=8419302)])
        output = run(environment, "events", "show", "msg_one").output
        assert "careCycle sent customer.agentNpn as a number; expected text. It is read as text." in output
        assert "a number with decimals; expected a whole number. The field counts as absent." in output
        (odd, _) = json.loads(run(environment, "events", "show", "msg_one", "--json").output)["odd"]
        assert odd["path"] == "customer.subsidyAmount"


class TestFieldsLeftOut:
    def test_are_listed_with_the_replay_that_sends_them_again(self, store: Store, environment: dict[str, str]) -> None:
        leave_out(store)
        result = run(environment, "problems")
        assert result.exit_code == 1
        told = [
            "The address is not accepted. (INVALID_EMAIL_ADDRESS)",
            "'Email' is left out of 1 record for 1 customer",
        ]
        told += ["everything else in them was written", "--left-out INVALID_EMAIL_ADDRESS"]
        assert [words for words in told if words not in result.output] == []
        (item,) = json.loads(run(environment, "problems", "--json").output)
        assert (item["fields"], item["code"], item["count"]) == (["Email"], "INVALID_EMAIL_ADDRESS", 1)

    def test_that_wait_for_another_record_are_no_reason_to_act(self, store: Store, environment: dict[str, str]) -> None:
        leave_out(store, "003y")
        result = run(environment, "problems")
        assert (result.exit_code, f"customer {CUSTOMER}: record 003y has it" in result.output) == (0, True)
        (item,) = json.loads(run(environment, "problems", "--json").output)
        assert (item["held"][0]["holder"], item["waits"]) == ("003y", True)

    def test_are_replayed_by_their_code(self, store: Store, environment: dict[str, str]) -> None:
        leave_out(store)
        assert "known are INVALID_EMAIL_ADDRESS" in run(environment, "events", "replay", "--left-out", "OTHER").output
        result = run(environment, "events", "replay", "--left-out", "INVALID_EMAIL_ADDRESS")
        assert result.output.startswith("1 delivery")

    def test_are_in_the_status_and_the_story(self, store: Store, environment: dict[str, str]) -> None:
        leave_out(store)
        assert "1 field left out" in run(environment, "status").output
        assert "Email" in run(environment, "events", "show", "msg_left_out").output


class TestWhy:
    def test_somebody_nobody_knows_is_wrong_usage(self, store: Store, environment: dict[str, str]) -> None:
        result = run(environment, "why", "nobody")
        assert result.exit_code == 2
        assert "is not a known customer, call or message" in result.output

    def test_a_refused_event_is_told_field_by_field_with_its_lines(
        self, store: Store, environment: dict[str, str], agency: str
    ) -> None:
        store.inbox.accept([an_arrival("msg_refused")])
        settle(store, "dead", why=WHY, records=[REFUSED])
        output = run(environment, "why", CUSTOMER, "-c", agency).output
        assert f"customer {CUSTOMER}: 1 event" in output
        assert "msg_refused: rejected by the CRM (BAD_VALUE)" in output
        assert "(salesforce-contact.yaml:" in output

    def test_it_comes_as_json_too(self, store: Store, environment: dict[str, str], agency: str) -> None:
        store.inbox.accept([an_arrival()])
        told = json.loads(run(environment, "why", CUSTOMER, "-c", agency, "--json").output)
        fields = told["records"][0]["fields"]
        assert {one["said"][0]["verdict"] for one in fields} == {"waiting"}
        assert "Marcus" not in json.dumps(told)
