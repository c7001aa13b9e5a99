"""What Salesforce's reply confirms is used, what it does not is deferred: an odd part decides about no other part."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Response

from connector.destinations.base import Verdict
from connector.errors import DestinationUnusable
from tests.destinations.salesforce_fixtures import ONE, TWO, Pair, a_contact, sandbox_and_destination
from tests.replies.parts import parts_of, with_part

THREE = "3f1a0c9e-0000-4000-8000-000000000003"
ODD: list[Any] = [None, 7, 0.5, True, "text", "", [], {}, [None], {"a": None}]


@pytest.fixture
def pair() -> Iterator[Pair]:
    with sandbox_and_destination() as both:
        yield both


def written(pair: Pair, change: Any, **fields: Any) -> list[tuple[str, str]]:
    """Write three contacts, the second with these fields, and answer with a changed reply."""
    sandbox, salesforce = pair
    sandbox.reshape(change)
    outcomes = salesforce.write([a_contact(ONE), a_contact(TWO, **fields), a_contact(THREE)])
    return [(outcome.verdict.value, outcome.code) for outcome in outcomes]


def second(**parts: Any) -> Any:
    return lambda rows: [rows[0], {**rows[1], **parts}, rows[2]]


GOOD, UNKNOWN = ("delivered", ""), ("deferred", "UNREADABLE_REPLY")
TOO_LONG = ("rejected", "STRING_TOO_LONG")
ERROR = {"statusCode": "STRING_TOO_LONG", "message": "made-up", "fields": ["Email"]}


class TestRows:
    @pytest.mark.parametrize("part", [{"errors": None}, {"errors": "none"}, {"created": None}, {"created": "yes"}])
    def test_a_success_with_an_odd_part_is_delivered(self, pair: Pair, part: dict[str, Any]) -> None:
        assert written(pair, second(**part)) == [GOOD] * 3

    @pytest.mark.parametrize(
        "part", [{"id": None}, {"id": 7}, {"success": None}, {"success": "true"}, {"success": 1}, {"errors": [ERROR]}]
    )
    def test_what_is_not_clearly_a_success_is_deferred_alone(self, pair: Pair, part: dict[str, Any]) -> None:
        outcome = written(pair, second(**part))[1]
        assert outcome in (UNKNOWN, TOO_LONG)

    @pytest.mark.parametrize("row", [None, "text", 7, [], {}, {"success": False}, {"success": False, "errors": [None]}])
    def test_a_row_that_says_nothing_is_deferred_alone(self, pair: Pair, row: Any) -> None:
        assert written(pair, lambda rows: [rows[0], row, rows[2]]) == [GOOD, UNKNOWN, GOOD]

    @pytest.mark.parametrize(
        "error",
        [
            ERROR,
            ERROR | {"fields": None},
            ERROR | {"fields": "Email"},
            ERROR | {"fields": [None, "Email", 7]},
            ERROR | {"message": None},
            ERROR | {"extendedErrorDetails": [{"extendedErrorCode": "made-up"}]},
        ],
    )
    def test_a_refusal_is_read_whatever_stands_beside_its_code(self, pair: Pair, error: dict[str, Any]) -> None:
        assert written(pair, second(id=None, success=False, errors=[error])) == [GOOD, TOO_LONG, GOOD]

    def test_the_first_error_that_can_be_read_counts(self, pair: Pair) -> None:
        assert written(pair, second(id=None, success=False, errors=[None, "text", ERROR]))[1] == TOO_LONG

    @pytest.mark.parametrize(
        "change",
        [
            lambda rows: rows[:2],
            lambda rows: rows[1:],
            lambda rows: [rows[0], *rows],
            lambda rows: [*rows, None],
        ],
        ids=["without its end", "without its start", "with one twice", "with one more"],
    )
    def test_a_list_of_another_length_confirms_nothing(self, pair: Pair, change: Any) -> None:
        assert written(pair, change) == [UNKNOWN] * 3

    @pytest.mark.parametrize("body", [None, {}, "text", 7, {"records": []}])
    def test_a_reply_that_is_no_list_confirms_nothing(self, pair: Pair, body: Any) -> None:
        assert written(pair, lambda _: body) == [UNKNOWN] * 3

    def test_a_row_that_names_another_record_than_the_one_sent_confirms_nothing(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        ids = [sandbox.put("Contact", LastName="Delacroix")["Id"] for _ in range(2)]
        sandbox.reshape(lambda rows: rows[1:])
        outcomes = salesforce.write([a_contact(ONE, id=ids[0]), a_contact(TWO, id=ids[1])])
        assert [outcome.verdict for outcome in outcomes] == [Verdict.DEFERRED, Verdict.DEFERRED]

    def test_a_success_by_id_needs_no_id_in_the_reply(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        contact = sandbox.put("Contact", LastName="Delacroix")["Id"]
        sandbox.reshape(lambda rows: [{"success": True}])
        (outcome,) = salesforce.write([a_contact(id=contact)])
        assert (outcome.verdict, outcome.id) == (Verdict.DELIVERED, contact)


class TestTooMuchAtOnce:
    def test_rows_that_are_too_much_together_are_sent_in_halves(self, pair: Pair) -> None:
        sandbox, salesforce = pair

        def limit(rows: list[Any]) -> list[Any]:
            text = "ContactTrigger: System.LimitException: Too many SOQL queries: 101"
            error = {"statusCode": "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "message": text, "fields": []}
            return [{"success": False, "errors": [error]} for _ in rows] if len(rows) > 25 else rows

        sandbox.reshape(limit, times=1_000)
        outcomes = salesforce.write([a_contact(f"c-{number}") for number in range(200)])
        assert {outcome.verdict for outcome in outcomes} == {Verdict.DELIVERED}
        assert len(sandbox.calls()) == 15


ROWS = [
    {"id": "003Hs00000000A1MAA", "success": True, "errors": [], "created": True},
    {"success": False, "errors": [ERROR], "created": False},
    {"id": "003Hs00000000A3MAA", "success": True, "errors": [], "created": False},
]
DESCRIBED = {
    "name": "Contact",
    "fields": [
        {"name": "Id", "type": "id", "length": 18, "nillable": False, "idLookup": True, "createable": False},
        {"name": "LastName", "type": "string", "length": 80, "createable": True, "nillable": False, "unique": False},
        {
            "name": "LeadSource",
            "type": "picklist",
            "picklistValues": [{"value": "Web", "active": True}, {"value": "Phone", "active": False}],
        },
    ],
}


def answering(body: Any) -> Any:
    return lambda _: body


class TestAnyPartMayBeOdd:
    @pytest.mark.slow
    @pytest.mark.parametrize("seed", range(3))
    def test_a_row_is_delivered_only_if_the_reply_says_so_and_the_others_whatever_it_says(
        self, pair: Pair, seed: int
    ) -> None:
        sandbox, salesforce = pair
        ways = [(path, odd) for path in parts_of(ROWS) for odd in (*ODD, ...)]
        for path, odd in random.Random(seed).sample(ways, 70):
            changed = with_part(ROWS, path, odd)
            sandbox.reshape(answering(changed))
            outcomes = salesforce.write([a_contact(ONE), a_contact(TWO), a_contact(THREE)])
            assert all(
                outcome.verdict is not Verdict.DELIVERED or confirms(changed, place)
                for place, outcome in enumerate(outcomes)
            ), (path, odd)
            if len(path) > 1:
                untouched = {0, 2} - {path[0]}
                assert {outcomes[place].verdict for place in untouched} == {Verdict.DELIVERED}, (path, odd)

    @pytest.mark.slow
    def test_a_description_never_stops_anything_that_it_does_not_hide(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        for path in parts_of(DESCRIBED):
            for odd in (*ODD, ...):
                sandbox.reshape(answering(with_part(DESCRIBED, path, odd)), path="/describe")
                try:
                    fields = salesforce.describe(["Contact"]).objects["Contact"].fields
                except DestinationUnusable:
                    assert path in ((), ("fields",)), (path, odd)
                else:
                    whole = {"Id", "LastName", "LeadSource"}
                    touched = DESCRIBED["fields"][path[1]]["name"] if len(path) > 1 and path[0] == "fields" else ""
                    assert fields.keys() >= whole - {touched} or path == ("fields",), (path, odd)


def confirms(rows: Any, place: int) -> bool:
    row = rows[place] if isinstance(rows, list) and place < len(rows) else None
    return isinstance(row, dict) and row.get("success") is True


class TestDescriptions:
    @pytest.mark.parametrize("name", ["length", "externalId", "picklistValues", "unique", "filterable", "createable"])
    def test_an_attribute_that_is_null_is_only_unknown(self, pair: Pair, name: str) -> None:
        sandbox, salesforce = pair

        def without(described: dict[str, Any]) -> dict[str, Any]:
            return {**described, "fields": [{**field, name: None} for field in described["fields"]]}

        sandbox.reshape(without, path="/describe")
        fields = salesforce.describe(["Contact"]).objects["Contact"].fields
        assert fields["LastName"].writable
        assert fields["careCycle_Id__c"].unique
        assert fields["LastName"].unique is False

    def test_a_null_among_a_picklists_values_leaves_the_others(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        odd = {
            "name": "Contact",
            "fields": [{"name": "A", "type": "picklist", "picklistValues": [None, {"value": "x"}]}],
        }
        sandbox.reshape(answering(odd), path="/describe")
        options = salesforce.describe(["Contact"]).objects["Contact"].fields["A"].options
        assert [option.value for option in options] == ["x"]

    def test_html_in_place_of_a_description_is_an_outage(self, pair: Pair) -> None:
        sandbox, salesforce = pair
        sandbox.fault("/describe", Response("<html>", 200, content_type="text/html"), times=9)
        with pytest.raises(DestinationUnusable, match="cannot read"):
            salesforce.describe(["Contact"])
