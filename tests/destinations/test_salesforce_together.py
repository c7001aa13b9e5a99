"""Several collections in one call to Salesforce: each answers as if it had gone alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
import structlog
from flask import Response

from connector.destinations.base import Found, Outcome, Row, Verdict
from connector.destinations.salesforce.account import Salesforce
from connector.destinations.salesforce.auth import SalesforceOptions
from connector.destinations.salesforce.client import Client
from connector.destinations.salesforce.login import Login
from connector.destinations.salesforce.together import LONGEST, MOST, Fault, Together
from connector.destinations.salesforce.together import TOO_SLOW as TOOK_LONG
from connector.destinations.salesforce.transport import Line
from connector.errors import DestinationUnusable
from connector.model import RecordKey
from connector.sandbox.salesforce import SalesforceSandbox
from tests.destinations.salesforce_fixtures import (
    Pair,
    a_contact,
    a_lead,
    a_task,
    client_credentials,
    sandbox_and_destination,
)

TOGETHER, ALONE = "/composite", "/composite/sobjects"
TOO_SLOW = Fault("REQUEST_RUNNING_TOO_LONG", too_much=True)
REFUSED = Fault("NOT_FOUND", too_much=False)


@pytest.fixture
def pair() -> Any:
    with sandbox_and_destination() as both:
        yield both


def contacts(count: int, **changes: Any) -> list[Row]:
    return [a_contact(f"c-{number}", **changes) for number in range(count)]


def of_three_kinds() -> list[Row]:
    return [a_contact(), a_lead(), a_task()]


def verdicts(outcomes: Sequence[Outcome]) -> list[str]:
    return [str(outcome.verdict) for outcome in outcomes]


def calls(sandbox: SalesforceSandbox) -> list[str]:
    """What each call that wrote was: `together`, or the object that was written alone."""
    paths = [seen.path for seen in sandbox.calls(TOGETHER)]
    return ["together" if path.endswith(TOGETHER) else path.partition(ALONE)[2].split("/")[1] for path in paths]


def change_parts(change: Callable[[list[Any]], Any]) -> Callable[[Any], Any]:
    return lambda body: {"compositeResponse": change(body["compositeResponse"])}


def failed(status: int, code: str, part: int = 1) -> Callable[[Any], Any]:
    """The part fails without having been handled, as far as its reply says."""

    def change(parts: list[Any]) -> list[Any]:
        parts[part] |= {"httpStatusCode": status, "body": [{"errorCode": code, "message": ""}]}
        return parts

    return change_parts(change)


class TestCalls:
    def test_a_thousand_records_are_one_call(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        assert verdicts(salesforce.write(contacts(1000))) == ["delivered"] * 1000
        assert calls(sandbox) == ["together"]
        assert len(sandbox.records("Contact")) == 1000

    def test_records_of_several_objects_are_one_call(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        outcomes = salesforce.write(of_three_kinds())
        assert [str(outcome.id)[:3] for outcome in outcomes] == ["003", "00Q", "00T"]
        assert calls(sandbox) == ["together"]

    def test_records_written_by_id_go_with_those_written_by_key(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        known = sandbox.put("Contact", LastName="Ito")["Id"]
        outcomes = salesforce.write([a_contact("new"), a_contact("known", id=known)])
        assert (outcomes[1].id, calls(sandbox)) == (known, ["together"])

    def test_more_than_five_collections_are_further_calls(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        assert verdicts(salesforce.write(contacts(1201))) == ["delivered"] * 1201
        assert sorted(calls(sandbox)) == ["together", "together"]

    def test_one_collection_goes_by_itself(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        salesforce.write(contacts(200))
        assert calls(sandbox) == ["Contact"]

    def test_long_texts_make_smaller_calls(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        outcomes = salesforce.write(contacts(310, Description="x" * 30_000))
        assert verdicts(outcomes) == ["delivered"] * 310
        assert all(len(str(seen.body)) < LONGEST * 1.1 for seen in sandbox.calls())

    def test_a_text_that_looks_like_a_reference_is_written_as_it_is(self, pair: Pair) -> None:
        """Salesforce would replace it, or refuse the whole collection for it."""
        sandbox, salesforce = pair
        rows = [a_contact("odd", Description="see @{part0.id}"), *contacts(250)]
        assert verdicts(salesforce.write(rows)) == ["delivered"] * 251
        (odd,) = [row for row in sandbox.records("Contact") if row["careCycle_Id__c"] == "odd"]
        assert odd["Description"] == "see @{part0.id}"
        assert sorted(calls(sandbox)) == ["Contact", "together"]
        assert not any("@{" in str(call.body) for call in sandbox.calls(TOGETHER) if call.path.endswith(TOGETHER))

    def test_assignment_rules_take_no_lead_from_its_owner(self) -> None:
        """A call's own headers are not those of its parts."""
        with sandbox_and_destination(assign_leads=True) as (sandbox, salesforce):
            mine = sandbox.people[1]["Id"]
            salesforce.write([a_lead(OwnerId=mine), a_contact()])
            assert sandbox.records("Lead")[0]["OwnerId"] == mine

    def test_a_duplicate_rule_that_warns_is_passed(self) -> None:
        with sandbox_and_destination(duplicate_rule="alert") as (_, salesforce):
            rows = [a_contact("a", Email="a@x.example"), a_contact("b", Email="a@x.example"), a_task()]
            assert verdicts(salesforce.write(rows)) == ["delivered"] * 3

    def test_a_duplicate_rule_that_warns_stops_where_the_agency_wants_it(self) -> None:
        options = {"options": SalesforceOptions(duplicate_warnings="stop")}
        with sandbox_and_destination(duplicate_rule="alert", options=options) as (_, salesforce):
            rows = [a_contact("a", Email="a@x.example"), a_contact("b", Email="a@x.example"), a_task()]
            assert verdicts(salesforce.write(rows)) == ["delivered", "rejected", "delivered"]


class TestPartialFailures:
    def test_a_refused_record_affects_no_other(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        sandbox.refuse_rows(["c-7"], "STRING_TOO_LONG", fields=["FirstName"])
        outcomes = salesforce.write(contacts(401))
        assert [n for n, outcome in enumerate(outcomes) if outcome.verdict is Verdict.REJECTED] == [7]
        assert (outcomes[7].code, calls(sandbox)) == ("STRING_TOO_LONG", ["together"])

    def test_a_locked_record_is_written_again_alone(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        sandbox.lock_rows(["c-7"])
        assert verdicts(salesforce.write(contacts(401))) == ["delivered"] * 401
        assert len(sandbox.calls()[1].body["records"]) == 1

    def test_an_unknown_column_of_a_whole_collection_is_named(self) -> None:
        with sandbox_and_destination(unknown_column="request") as (_, salesforce):
            good, bad, other = salesforce.write([a_contact(), a_task(Nope__c="x"), a_lead()])
        assert (good.verdict, other.verdict) == (Verdict.DELIVERED, Verdict.DELIVERED)
        assert (bad.verdict, bad.fields) == (Verdict.REJECTED, ("Nope__c",))

    @pytest.mark.parametrize(
        ("status", "code"), [(500, "UNKNOWN_EXCEPTION"), (503, "SERVER_UNAVAILABLE"), (400, "ODD")]
    )
    def test_a_failed_part_is_sent_alone(self, pair: Pair, status: int, code: str) -> None:
        sandbox, salesforce = pair
        sandbox.reshape(failed(status, code), path=TOGETHER)
        assert verdicts(salesforce.write(of_three_kinds())) == ["delivered"] * 3
        assert calls(sandbox) == ["together", "Lead"]

    def test_a_part_for_which_the_day_is_used_up_pauses_the_account(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        sandbox.reshape(failed(403, "REQUEST_LIMIT_EXCEEDED"), path=TOGETHER)
        sandbox.fail(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.", path=ALONE + "/")
        with pytest.raises(DestinationUnusable, match="daily API calls"):
            salesforce.write(of_three_kinds())

    def test_a_part_whose_session_ended_is_sent_in_a_new_one(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        sandbox.reshape(failed(401, "INVALID_SESSION_ID"), path=TOGETHER)
        assert verdicts(salesforce.write(of_three_kinds())) == ["delivered"] * 3

    def test_replies_in_another_order_are_each_their_own_records(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        sandbox.reshape(change_parts(lambda parts: parts[::-1]), path=TOGETHER)
        outcomes = salesforce.write(of_three_kinds())
        assert [str(outcome.id)[:3] for outcome in outcomes] == ["003", "00Q", "00T"]

    @pytest.mark.parametrize(
        "change",
        [
            pytest.param(lambda parts: [parts[0], parts[2]], id="dropped"),
            pytest.param(lambda parts: [parts[0], parts[1] | {"body": None}, parts[2]], id="without a body"),
            pytest.param(lambda parts: [parts[0], parts[1] | {"body": "<html>"}, parts[2]], id="a page"),
            pytest.param(lambda parts: [parts[0], parts[1] | {"body": []}, parts[2]], id="a short list"),
            pytest.param(lambda parts: [parts[0], parts[1] | {"referenceId": None}, parts[2]], id="nobody's"),
            pytest.param(lambda parts: [parts[0], parts[1] | {"referenceId": "part9"}, parts[2]], id="another's"),
            pytest.param(lambda parts: [parts[0], parts[1], parts[1], parts[2]], id="twice"),
            pytest.param(lambda parts: [parts[0], parts[1] | {"httpStatusCode": "200"}, parts[2]], id="odd status"),
            pytest.param(lambda parts: [parts[0], 17, parts[2]], id="a number"),
        ],
    )
    def test_a_part_without_a_usable_reply_may_have_been_written(
        self, pair: Pair, change: Callable[[Any], Any]
    ) -> None:
        sandbox, salesforce = pair
        sandbox.reshape(change_parts(change), path=TOGETHER)
        outcomes = salesforce.write(of_three_kinds())
        assert verdicts(outcomes) == ["delivered", "deferred", "delivered"]
        assert outcomes[1].code == "UNREADABLE_REPLY"

    def test_a_lost_reply_is_asked_for_again_and_nothing_is_written_twice(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        sandbox.lose_replies(1)
        assert verdicts(salesforce.write(contacts(401))) == ["delivered"] * 401
        assert len(sandbox.records("Contact")) == 401

    def test_an_opt_out_of_a_refused_record_is_still_written(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        known = sandbox.put("Contact", LastName="Ito", careCycle_Id__c="c-0")["Id"]
        sandbox.refuse_rows(["c-0"], "STRING_TOO_LONG", fields=["FirstName"])
        rows = contacts(250)
        rows[0] = a_contact("c-0", DoNotCall=True, consent=["DoNotCall"])
        outcomes = salesforce.write(rows)
        assert (outcomes[0].verdict, outcomes[0].consent_written) == (Verdict.REJECTED, True)
        assert next(row for row in sandbox.records("Contact") if row["Id"] == known)["DoNotCall"] is True


class TestOrgsThatAnswerFewer:
    @pytest.mark.parametrize(
        ("status", "code"), [(404, "NOT_FOUND"), (405, "METHOD_NOT_ALLOWED"), (400, "LIMIT_EXCEEDED")]
    )
    def test_an_org_that_takes_no_such_call_is_asked_one_by_one_from_then_on(
        self, pair: Pair, status: int, code: str
    ) -> None:
        sandbox, salesforce = pair
        sandbox.fail(status, code, path=TOGETHER)
        assert verdicts(salesforce.write(of_three_kinds())) == ["delivered"] * 3
        assert verdicts(salesforce.write(of_three_kinds())) == ["delivered"] * 3
        assert sorted(calls(sandbox)) == sorted(["together", *["Contact", "Lead", "Task"] * 2])

    @pytest.mark.parametrize(
        "answer",
        [
            pytest.param(Response("<html>blocked</html>", 403, content_type="text/html"), id="a proxy's 403"),
            pytest.param(Response("<html>too large</html>", 413, content_type="text/html"), id="a proxy's 413"),
            pytest.param(Response("<html>hello</html>", 200, content_type="text/html"), id="a page"),
            pytest.param(Response("[]", 200, content_type="application/json"), id="a list"),
            pytest.param(Response('{"compositeResponse": null}', 200, content_type="application/json"), id="null"),
            pytest.param(Response("", 204), id="nothing"),
        ],
    )
    def test_a_proxy_in_between_is_no_reason_to_write_nothing(self, pair: Pair, answer: Response) -> None:
        sandbox, salesforce = pair
        sandbox.fault(TOGETHER, answer)
        assert verdicts(salesforce.write(of_three_kinds())) == ["delivered"] * 3

    def test_a_connection_that_breaks_once_changes_nothing(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        sandbox.fault(TOGETHER, sandbox.refuse)
        salesforce.write(of_three_kinds())
        salesforce.write(of_three_kinds())
        assert calls(sandbox) == ["together"] * 3

    def test_automation_that_takes_too_long_gets_smaller_calls(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        sandbox.most_rows = 400
        assert verdicts(salesforce.write(contacts(1000))) == ["delivered"] * 1000
        assert calls(sandbox) == ["together", *["Contact"] * 5]
        assert verdicts(salesforce.write(contacts(1000, FirstName="Ada"))) == ["delivered"] * 1000
        assert sorted(calls(sandbox)[6:]) == ["Contact", "together", "together"]

    def test_records_that_were_too_many_together_are_sent_without_the_others(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        message = "System.LimitException: Apex CPU time limit exceeded"
        sandbox.refuse_rows([f"c-{n}" for n in range(200, 400)], "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", message)
        assert verdicts(salesforce.write(contacts(401))) == ["delivered"] * 401
        assert calls(sandbox) == ["together", "Contact"]

    def test_what_is_taken_alone_after_it_was_refused_among_others_goes_with_fewer(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        for _ in range(2):
            sandbox.reshape(failed(404, "NOT_FOUND"), path=TOGETHER)
            assert verdicts(salesforce.write(of_three_kinds())) == ["delivered"] * 3
        before = len(calls(sandbox))
        assert verdicts(salesforce.write(of_three_kinds())) == ["delivered"] * 3
        assert sorted(calls(sandbox)[before:]) == ["Contact", "Lead", "Task"]

    def test_an_org_whose_replies_name_no_part_is_asked_one_by_one_in_the_end(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        nameless = change_parts(lambda parts: [part | {"referenceId": None} for part in parts])
        sandbox.reshape(lambda body: body if isinstance(body, list) else nameless(body), path=TOGETHER, times=9)
        ended = [verdicts(salesforce.write(of_three_kinds())) for _ in range(3)]
        assert ended[-1] == ["delivered"] * 3

    def test_a_session_that_ended_is_no_reason_to_send_fewer_later(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        sandbox.reshape(failed(401, "INVALID_SESSION_ID"), path=TOGETHER)
        salesforce.write(of_three_kinds())
        salesforce.write(of_three_kinds())
        assert calls(sandbox)[-1] == "together"

    def test_records_of_one_id_go_after_one_another_by_whichever_key(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        known = sandbox.put("Contact", LastName="Ito", careCycle_Id__c="c-0")["Id"]
        rows = [a_contact("c-0", id=known, LastName=name) for name in ("Older", "Newer")]
        rows[0] = replace(rows[0], key=RecordKey("Contact", "Id", known))
        assert verdicts(salesforce.write(rows)) == ["delivered"] * 2
        assert [seen.path.endswith(TOGETHER) for seen in sandbox.calls(TOGETHER)] == [False, False]
        assert sandbox.records("Contact")[0]["LastName"] == "Newer"

    def test_an_outage_is_no_reason_to_send_fewer_later(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        sandbox.html_503(times=99)
        with pytest.raises(DestinationUnusable, match="not available"):
            salesforce.write(of_three_kinds())
        sandbox.faults.clear()
        before = len(sandbox.calls())
        salesforce.write(of_three_kinds())
        assert calls(sandbox)[before:] == ["together"]

    def test_it_is_logged_once_and_without_values(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        sandbox.fail(404, "NOT_FOUND", "Marcus", path=TOGETHER, times=9)
        with structlog.testing.capture_logs() as logged:
            salesforce.write(of_three_kinds())
            salesforce.write(of_three_kinds())
        assert [line["code"] for line in logged] == ["NOT_FOUND"]
        assert "Marcus" not in str(logged)


class TestSearchingTogether:
    def test_very_many_keys_are_one_call(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        made = [sandbox.put("Contact", LastName="Ito", careCycle_Id__c=key)["Id"] for key in KEYS[:5]]
        found = find(salesforce, KEYS)
        assert [found[key][0].id for key in KEYS[:5]] == made
        assert (not any(found[key] for key in KEYS[5:]), len(sandbox.calls(TOGETHER))) == (True, 1)
        assert sandbox.calls("/query") == []

    def test_an_answer_of_several_pages_is_read_to_its_end(self) -> None:
        with sandbox_and_destination(page=200) as (sandbox, salesforce):
            for key in KEYS[:500]:
                sandbox.put("Contact", LastName="Ito", careCycle_Id__c=key)
            found = find(salesforce, KEYS)
            assert sum(len(found[key]) for key in KEYS) == 500
            assert (len(sandbox.calls(TOGETHER)), len(sandbox.calls("/query"))) == (1, 2)

    @pytest.mark.parametrize(
        "change",
        [
            pytest.param(failed(414, "URI_TOO_LONG", part=0), id="too long"),
            pytest.param(failed(400, "MALFORMED_QUERY", part=0), id="refused"),
            pytest.param(change_parts(lambda parts: []), id="dropped"),
            pytest.param(change_parts(lambda parts: [parts[0] | {"body": None}]), id="without a body"),
            pytest.param(lambda body: [], id="a list"),
        ],
    )
    def test_what_is_not_answered_is_asked_for_in_addresses(self, pair: Pair, change: Callable[[Any], Any]) -> None:
        sandbox, salesforce = pair
        sandbox.put("Contact", LastName="Ito", careCycle_Id__c=KEYS[0])
        sandbox.reshape(change, path=TOGETHER)
        found = find(salesforce, KEYS)
        assert [len(found[key]) for key in KEYS[:2]] == [1, 0]
        assert len(sandbox.calls("/query")) > 1

    def test_a_value_of_very_many_records_spoils_the_answer_for_few_others(self, pair: Pair) -> None:
        sandbox, salesforce = pair

        def endless(parts: list[Any]) -> list[Any]:
            parts[0]["body"] |= {"done": False, "totalSize": 50_000, "nextRecordsUrl": "/services/data/v67.0/query/01g"}
            return parts

        sandbox.reshape(change_parts(endless), path=TOGETHER)
        assert find(salesforce, KEYS) == {key: [] for key in KEYS}

    def test_a_value_that_looks_like_a_reference_is_searched_for_as_it_is(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        sandbox.put("Contact", LastName="@{part0.id}")
        found = salesforce.find("Contact", "LastName", ["@{part0.id}", *KEYS], [])
        assert isinstance(found["@{part0.id}"], list)
        assert len(found["@{part0.id}"]) == 1


KEYS = [f"3f1a0c9e-0000-4000-8000-{number:012}" for number in range(1_500)]


def find(salesforce: Salesforce, keys: Sequence[str]) -> dict[str, list[Found]]:
    answers = salesforce.find("Contact", "careCycle_Id__c", keys, ["LastName"])
    return {key: answer for key, answer in answers.items() if isinstance(answer, list)}


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def together(clock: Clock) -> Together:
    line = Line(None, lambda *_: None)
    login = Login(client_credentials(), line, "67.0")
    return Together(Client(line, login, {}, tries=1, sleep=lambda _: None), "writes", clock)


class TestHowManyTogether:
    def test_what_is_too_much_is_halved(self) -> None:
        learned = together(Clock())
        sizes = [learned.most]
        for _ in range(3):
            learned.learn(TOO_SLOW)
            sizes.append(learned.most)
        assert sizes == [MOST, 2, 1, 1]

    def test_what_took_too_long_is_tried_again_after_a_day(self) -> None:
        clock = Clock()
        learned = together(clock)
        learned.learn(TOOK_LONG)
        clock.now = 86_399
        assert learned.most == 2
        clock.now = 86_401
        assert learned.most == MOST

    def test_a_connection_that_breaks_counts_for_no_longer_than_a_refusal(self) -> None:
        clock = Clock()
        learned = together(clock)
        learned.learn(Fault("NO_ANSWER", too_much=True))
        clock.now = 3601
        assert learned.most == MOST

    def test_after_an_hour_it_is_tried_again(self) -> None:
        clock = Clock()
        learned = together(clock)
        learned.learn(REFUSED)
        clock.now = 3599
        assert learned.most == 1
        clock.now = 3601
        assert learned.most == MOST
