"""A value that Salesforce cannot be asked for spoils the search for no other."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from typing import Any

import pytest
from flask import Response, request

from connector.destinations.base import Found, Outcome, Verdict
from connector.destinations.salesforce.pages import PAGES
from connector.sandbox.salesforce import SalesforceSandbox
from tests.destinations.salesforce_fixtures import Pair, sandbox_and_destination


@pytest.fixture
def pair() -> Any:
    with sandbox_and_destination() as both:
        yield both


def refused_for(sandbox: SalesforceSandbox, text: str, status: int, code: str, message: str = "") -> None:
    """Refuse every query that asks for this text."""

    def answer(proceed: Any) -> Response:
        if text in request.args.get("q", ""):
            body = f'[{{"message": "{message}", "errorCode": "{code}"}}]'
            return Response(
                body if code else "<html>", status, content_type="application/json" if code else "text/html"
            )
        response: Response = proceed()
        return response

    sandbox.fault("/query", answer, times=10_000)


def refusal(answer: Any) -> Outcome:
    assert isinstance(answer, Outcome)
    return answer


class TestValuesThatNoRecordCanHave:
    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("Id", "CRM-48213"),
            ("Id", "x" * 17_000),
            ("OwnerId", "priya@youragency.com"),
            ("OwnerId", "AAAAAAAAAAAAAAAAA9"),
            ("Email", "x" * 17_000),
            ("LastName", "y" * 81),
            ("Birthdate", "1958-13-45"),
            ("Last_Call_Date__c", "2026-99-17T14:03:16Z"),
            ("Household_Income__c", "plenty"),
            ("LastName", "\ud800"),
            ("LastName", "\x00\x07"),
        ],
    )
    def test_they_are_never_asked_for_and_the_others_are(self, pair: Pair, field: str, value: str) -> None:
        sandbox, salesforce = pair
        assert salesforce.find("Contact", field, [value], []) == {value: []}
        assert sandbox.calls("/query") == []

    def test_a_value_that_is_no_id_leaves_the_others_in_one_call(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        contact = sandbox.put("Contact", LastName="Delacroix")["Id"]
        answers = salesforce.find("Contact", "Id", ["CRM-48213", contact], [])
        assert [match.id for match in answers[contact]] == [contact]
        assert (answers["CRM-48213"], len(sandbox.calls("/query"))) == ([], 1)

    def test_an_id_is_found_in_either_length_and_any_letter_case(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        contact = sandbox.put("Contact", LastName="Delacroix")["Id"]
        spellings = [contact, contact[:15], contact.lower()]
        answers = salesforce.find("Contact", "Id", spellings, [])
        assert [[match.id for match in answers[spelling]] for spelling in spellings] == [[contact]] * 3

    def test_a_half_of_an_emoji_inside_a_text_is_left_out_as_it_is_when_written(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        sandbox.put("Contact", LastName="Delacroix")
        assert len(salesforce.find("Contact", "LastName", ["Dela\ud800croix"], [])["Dela\ud800croix"]) == 1


class TestQueriesSalesforceRefuses:
    @pytest.mark.parametrize(
        ("status", "code", "message"),
        [
            (400, "INVALID_QUERY_FILTER_OPERATOR", "invalid ID field: made-up"),
            (400, "MALFORMED_QUERY", "unexpected token: made-up"),
            (400, "SOMETHING_NEW", "made-up"),
            (414, "", ""),
            (431, "", ""),
        ],
    )
    def test_the_culprit_is_found_by_halves_and_the_others_are_answered(
        self, pair: Pair, status: int, code: str, message: str
    ) -> None:
        sandbox, salesforce = pair
        names = [f"Name{number}" for number in range(64)]
        for name in names:
            sandbox.put("Contact", LastName=name)
        refused_for(sandbox, "'Name37'", status, code, message)
        answers = salesforce.find("Contact", "LastName", names, [])
        culprit = refusal(answers.pop("Name37"))
        assert (culprit.verdict, culprit.code, culprit.fields) == (Verdict.REJECTED, "UNQUERYABLE", ("LastName",))
        assert all(len(matches) == 1 for matches in answers.values())
        assert len(sandbox.calls("/query")) <= 13

    def test_a_query_that_is_too_much_is_asked_in_halves_and_one_value_is_deferred(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        refused_for(sandbox, "'B'", 400, "QUERY_TIMEOUT")
        answers = salesforce.find("Contact", "LastName", ["A", "B", "C"], [])
        assert (answers["A"], answers["C"]) == ([], [])
        assert (refusal(answers["B"]).verdict, refusal(answers["B"]).code) == (Verdict.DEFERRED, "QUERY_TIMEOUT")

    def test_the_calls_for_culprits_have_a_limit_and_the_rest_is_deferred(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        refused_for(sandbox, "LastName", 400, "MALFORMED_QUERY")
        answers = salesforce.find("Contact", "LastName", [f"Name{number}" for number in range(300)], [])
        verdicts = [refusal(answer).verdict for answer in answers.values()]
        assert verdicts.count(Verdict.REJECTED) >= 10
        assert verdicts.count(Verdict.DEFERRED) > 200
        assert len(sandbox.calls("/query")) < 40

    def test_no_refusal_repeats_a_value_or_salesforces_text(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        refused_for(sandbox, "Delacroix", 400, "MALFORMED_QUERY", "unexpected token: Delacroix")
        assert "Delacroix" not in repr(salesforce.find("Contact", "LastName", ["Delacroix"], [])["Delacroix"])


class TestFieldsThatCannotBeSearched:
    def test_an_encrypted_field_is_known_from_the_description_and_costs_no_query(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        sandbox.keep_from_searching("Contact", "Email")
        outcome = refusal(salesforce.find("Contact", "Email", ["a@example.com"], [])["a@example.com"])
        assert (outcome.verdict, outcome.code, outcome.fields) == (Verdict.REJECTED, "UNQUERYABLE", ("Email",))
        assert "cannot be searched" in outcome.refusal.cause
        assert sandbox.calls("/query") == []

    def test_a_field_encrypted_since_its_description_is_refused_by_one_query(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        salesforce.describe(["Contact"])
        sandbox.keep_from_searching("Contact", "Email")
        answers = salesforce.find("Contact", "Email", [f"{number}@example.com" for number in range(50)], [])
        assert {(refusal(answer).code, refusal(answer).fields) for answer in answers.values()} == {
            ("UNQUERYABLE", ("Email",))
        }
        assert "cannot be searched" in refusal(answers["0@example.com"]).refusal.cause
        assert len(sandbox.calls("/query")) == 1

    def test_a_field_that_can_be_searched_again_is_searched(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        column = sandbox.org.table("Contact").columns["email"]
        sandbox.keep_from_searching("Contact", "Email")
        salesforce.find("Contact", "Email", ["a@example.com"], [])
        sandbox.org.table("Contact").columns["email"] = column
        assert salesforce.find("Contact", "Email", ["a@example.com"], []) == {"a@example.com": []}

    def test_a_missing_field_and_a_missing_object_are_named(self, pair: Pair) -> None:
        _, salesforce = pair
        nickname = refusal(salesforce.find("Contact", "Nickname__c", ["Marc"], [])["Marc"])
        policy = refusal(salesforce.find("Policy__c", "Number__c", ["1"], [])["1"])
        assert (nickname.code, nickname.fields) == ("UNQUERYABLE", ("Nickname__c",))
        assert "'Contact.Nickname__c' is missing" in nickname.refusal.cause
        assert "'Policy__c.Number__c' is missing" in policy.refusal.cause

    def test_a_field_to_read_that_is_missing_is_named_by_one_query(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        answers = salesforce.find("Contact", "LastName", ["Delacroix", "Whitfield"], ["Nickname__c"])
        assert {refusal(answer).fields for answer in answers.values()} == {("Nickname__c",)}
        assert len(sandbox.calls("/query")) == 1


class TestOddAnswers:
    @pytest.mark.parametrize(
        "spoil",
        [
            lambda records: [None, *records[1:]],
            lambda records: [{**records[0], "Id": None}, *records[1:]],
            lambda records: [{**records[0], "Id": 7}, *records[1:]],
            lambda records: ["text", *records[1:]],
        ],
    )
    def test_a_record_that_cannot_be_read_defers_its_value_and_no_other(self, pair: Pair, spoil: Any) -> None:
        sandbox, salesforce = pair
        for name in ("Ann", "Bob"):
            sandbox.put("Contact", LastName=name)
        sandbox.reshape(lambda body: {**body, "records": spoil(body["records"])}, path="/query")
        answers = salesforce.find("Contact", "LastName", ["Ann", "Bob"], [])
        assert (refusal(answers["Ann"]).verdict, refusal(answers["Ann"]).code) == (Verdict.DEFERRED, "UNREADABLE_REPLY")
        assert len(answers["Bob"]) == 1

    @pytest.mark.parametrize("part", [{"nextRecordsUrl": None}, {"done": None}, {"totalSize": "one"}])
    def test_an_odd_part_around_the_records_does_not_hide_them(self, pair: Pair, part: dict[str, Any]) -> None:
        sandbox, salesforce = pair
        sandbox.put("Contact", LastName="Ann")
        sandbox.reshape(lambda body: {**body, **part}, path="/query")
        assert len(salesforce.find("Contact", "LastName", ["Ann"], [])["Ann"]) == 1


def leading_on(urls: Callable[[], str], done: bool = False) -> Callable[[Any], Response]:
    """A page with Ann, and the address of a further page each time."""

    def answer(_: Any) -> Response:
        page = {"records": [{"Id": "003xx0000000001AAA", "LastName": "Ann"}], "done": done, "nextRecordsUrl": urls()}
        return Response(json.dumps(page), 200, content_type="application/json")

    return answer


class TestAnAnswerWithoutAnEnd:
    @pytest.mark.parametrize("step", [0, 1], ids=["the same page again", "always another page"])
    def test_answers_with_whom_it_has_and_defers_the_others(self, pair: Pair, step: int) -> None:
        sandbox, salesforce = pair
        numbers = itertools.count(1, step)
        urls = leading_on(lambda: f"/services/data/v62.0/query/0r8xx-{next(numbers)}")
        sandbox.fault("/query", urls, times=10_000)
        answers = salesforce.find("Contact", "LastName", ["Ann", "Bob"], [])
        assert answers["Ann"] == [Found("003xx0000000001AAA", {})]
        assert (refusal(answers["Bob"]).verdict, refusal(answers["Bob"]).code) == (Verdict.DEFERRED, "LIST_ENDLESS")
        assert len(sandbox.calls("/query")) <= PAGES

    def test_that_breaks_off_answers_with_whom_it_has_and_defers_the_others(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        sandbox.fault("/query", leading_on(lambda: ""), times=10_000)
        answers = salesforce.find("Contact", "LastName", ["Ann", "Bob"], [])
        assert answers["Ann"] == [Found("003xx0000000001AAA", {})]
        assert refusal(answers["Bob"]).code == "LIST_ENDLESS"

    def test_of_moves_says_nothing_of_anybody(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        urls = leading_on(lambda: "/services/data/v62.0/query/0r8xx-1")
        sandbox.fault("/query", urls, times=10_000)
        assert salesforce.survivors("Contact", ["003xx0000000001AAA"]) == {}
        assert len(sandbox.calls("/query")) <= 2 * PAGES

    def test_whose_second_page_is_gone_shows_nobody_twice(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        sandbox.put("Contact", LastName="Ann")
        gone = '[{"errorCode": "INVALID_QUERY_LOCATOR", "message": "invalid query locator"}]'
        sandbox.fault("/query/0r8xx", lambda _: Response(gone, 400, content_type="application/json"), times=10)
        sandbox.reshape(lambda body: {**body, "done": False, "nextRecordsUrl": "/query/0r8xx-1"}, path="/query")
        assert len(salesforce.find("Contact", "LastName", ["Ann", "Bob"], [])["Ann"]) == 1
