"""What a trial's report shows of an exchange: structure, names and codes, and no value."""

from __future__ import annotations

import json
from typing import Any

import pytest

from connector.destinations.overheard import Exchange
from connector.insight.trial.masked import Masking

CANARY = "Zyxcanary Person"
NAMES = frozenset({"Contact", "FirstName", "Email", "contacts", "firstname"})


def shown(sent: Any = None, reply: Any = None, url: str = "/path") -> str:
    """An exchange as the report has it."""
    exchange = Exchange("POST", url, sent, 200, {"Authorization": CANARY, "X-Request": CANARY}, reply or b"")
    return json.dumps(Masking(NAMES).exchange(exchange), ensure_ascii=False)


class TestNoValueIsShown:
    @pytest.mark.parametrize(
        "body",
        [
            {"records": [{"attributes": {"type": CANARY}, "FirstName": CANARY, "Email": CANARY}]},
            {"properties": {"firstname": CANARY, "status": "Zyxcanary", "type": "Zyxcanary", "code": "Zyxcanary"}},
            {"status": "error", "message": f"{CANARY} is not a valid value", "errors": [{"message": CANARY}]},
            {"context": {"ids": [CANARY], "propertyName": [CANARY]}},
            {"results": [{"id": CANARY, "email": CANARY}] * 40},
            [[CANARY]],
            CANARY,
        ],
    )
    def test_in_a_body(self, body: Any) -> None:
        text = shown(json.dumps(body), json.dumps(body).encode())
        assert "zyxcanary" not in text.lower()

    @pytest.mark.parametrize("body", ["<b>Zyxcanary</b>", "a=Zyxcanary&b=Zyxcanary", "Zyxcanary", '{"a": "Zyxcan'])
    def test_in_a_body_that_is_no_json(self, body: str) -> None:
        assert "zyxcan" not in shown(body, body.encode()).lower()

    @pytest.mark.parametrize(
        "url",
        [
            "/services/data/v67.0/query/?q=SELECT+Id+FROM+Contact+WHERE+FirstName+IN+('Zyxcanary','O\\'Zyxcanary')",
            "/communication-preferences/v4/statuses/zyxcanary%40example.org/unsubscribe-all?channel=EMAIL",
            "/services/data/v67.0/sobjects/Contact/Zyxcanary1",
            "/path?after=Zyxcanary",
        ],
    )
    def test_in_an_address(self, url: str) -> None:
        assert "zyxcanary" not in shown(url=url).lower()

    def test_in_headers(self) -> None:
        assert "zyxcanary" not in shown().lower()


class TestWhatIsKept:
    def test_names_codes_and_statuses(self) -> None:
        refusal = {"errorCode": "DUPLICATE_VALUE", "fields": ["Email"], "message": "duplicate value found: Email 007"}
        text = shown(reply=json.dumps([refusal]).encode())
        assert '"errorCode": "DUPLICATE_VALUE", "fields": ["Email"]' in text
        assert "duplicate value found : Email …" in text
        assert '"status": 200' in text

    def test_equal_values_have_one_placeholder(self) -> None:
        first, second, third = json.loads(shown(json.dumps(["a@example.org", "b@example.org", "a@example.org"])))[
            "request"
        ]["body"]
        assert (first, second, third) == ("<address 1>", "<address 2>", "<address 1>")

    def test_a_query_keeps_its_fields(self) -> None:
        query = "/services/data/v67.0/query/?q=SELECT+Id+FROM+Contact+WHERE+Birthdate+=+1950-01-31+LIMIT+200"
        assert "SELECT Id FROM Contact WHERE Birthdate = <time 1> LIMIT <number 1>" in shown(url=query)
