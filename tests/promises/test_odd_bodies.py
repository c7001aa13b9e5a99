"""From the webhook's body to the CRM: nothing odd costs an opt-out or a good field beside it, over both databases."""

from __future__ import annotations

import json
from typing import Any

import pytest

from connector.delivery.route import Running
from connector.insight.overview import overview
from connector.receive import read
from tests.promises.stage import _MAPPING, AGENCY, Stage, a_person, a_talk, compiled

UNFILTERED = compiled(
    _MAPPING.format(lead="New", active="Working").replace("filter: { customer.status: [Lead, Active] }\n", "")
)
DEEP = "[" * 20_000 + "]" * 20_000


def send(stage: Stage, message_id: str, body: bytes) -> None:
    """Accept a genuine body, and deliver it."""
    stage.store.inbox.accept([read(AGENCY, message_id, body, stage.clock())])
    stage.drain()


def sent(stage: Stage, message_id: str, payload: dict[str, Any]) -> dict[str, Any]:
    """Send an event, and return the contact."""
    send(stage, message_id, json.dumps(payload).encode())
    return stage.contact()


def known(stage: Stage) -> None:
    """A customer who is in the CRM already and opted out of nothing."""
    assert "NoCall" not in sent(stage, "first", a_person("c-1", 1, city="Mesa"))


def odd(stage: Stage, message_id: str) -> list[str]:
    return [field.path for field in stage.store.oddities.of(message_id)]


class TestAConsentFlag:
    @pytest.mark.parametrize("value", ["yes", "Y", "1", "on", "", 1, 0, 1.0, [], [True], {}, {"value": True}])
    def test_that_is_not_true_or_false_is_unknown_and_withholds(self, stage: Stage, value: Any) -> None:
        contact = sent(stage, "odd", a_person("c-1", 1, doNotSMS=value, city="Mesa"))
        assert (contact["City"], "Mobile" in contact, "NoText" in contact) == ("Mesa", False, False)
        assert odd(stage, "odd") == ["customer.doNotSMS"]

    def test_that_is_null_is_unknown_and_withholds(self, stage: Stage) -> None:
        contact = sent(stage, "null", a_person("c-1", 1, doNotSMS=None, city="Mesa"))
        assert (contact["City"], "Mobile" in contact, "NoText" in contact) == ("Mesa", False, False)

    def test_that_is_missing_is_unknown_and_withholds(self, stage: Stage) -> None:
        person = a_person("c-1", 1, city="Mesa")
        del person["doNotSMS"]
        assert "Mobile" not in sent(stage, "missing", person)

    @pytest.mark.parametrize("value", ["true", "TRUE ", " true"])
    def test_that_is_true_in_writing_is_raised(self, stage: Stage, value: str) -> None:
        contact = sent(stage, "odd", a_person("c-1", 1, doNotSMS=value))
        assert (contact["NoText"], "Mobile" in contact) == (True, False)
        assert odd(stage, "odd") == ["customer.doNotSMS"]

    def test_that_is_false_in_writing_withholds_nothing(self, stage: Stage) -> None:
        assert "Mobile" in sent(stage, "odd", a_person("c-1", 1, doNotSMS="False"))

    def test_that_was_raised_stays_in_the_crm_when_it_becomes_unknown(self, stage: Stage) -> None:
        sent(stage, "raised", a_person("c-1", 1, doNotSMS=True))
        contact = sent(stage, "odd", a_person("c-1", 2, doNotSMS="no more", city="Mesa"))
        assert (contact["NoText"], contact["City"], "Mobile" in contact) == (True, "Mesa", False)


class TestAnOddField:
    @pytest.mark.parametrize(
        "changes",
        [
            {"agentNpn": 7204816},
            {"subsidyAmount": 93.25},
            {"dateOfBirth": "11/02/1949"},
            {"assignedUser": "Dana Ruiz"},
            {"status": ["Lead"]},
            {"medicareCard": "unknown"},
            {"updatedAt": "yesterday"},
            {"email": {"address": "a@example.com"}},
        ],
        ids=str,
    )
    def test_costs_neither_the_opt_out_nor_the_fields_beside_it(self, stage: Stage, changes: dict[str, Any]) -> None:
        stage.route.running = Running(UNFILTERED)
        contact = sent(stage, "odd", {**a_person("c-1", 1, doNotCall=True, city="Mesa"), **changes})
        assert (contact["NoCall"], contact["City"]) == (True, "Mesa")
        assert odd(stage, "odd") == [f"customer.{next(iter(changes))}"]

    def test_is_never_cleared_in_the_crm(self, stage: Stage) -> None:
        sent(stage, "good", a_person("c-1", 1, county="Pima"))
        assert sent(stage, "odd", a_person("c-1", 2, county=["Pinal"]))["County"] == "Pima"
        assert sent(stage, "null", a_person("c-1", 3, county=None))["County"] is None


class TestACall:
    def a_call(self, call: str, at: int, **changes: Any) -> dict[str, Any]:
        customer = a_person("c-1", 0, **changes)
        del customer["updatedAt"]
        return a_talk(call, customer, at)

    def test_whose_customer_has_no_time_updates_the_customer_as_of_the_call(self, stage: Stage) -> None:
        sent(stage, "old", a_person("c-1", 5, city="Mesa"))
        contact = sent(stage, "call", self.a_call("k-1", 10, city="Tempe", doNotCall=True))
        assert (contact["City"], contact["NoCall"]) == ("Tempe", True)
        assert len(stage.crm.all("Call", "k-1")) == 1

    def test_never_replaces_what_a_newer_event_wrote(self, stage: Stage) -> None:
        sent(stage, "new", a_person("c-1", 20, city="Mesa"))
        assert sent(stage, "call", self.a_call("k-1", 10, city="Tempe"))["City"] == "Mesa"

    def test_may_have_its_customer_in_a_list_or_as_text(self, stage: Stage) -> None:
        call = a_talk("k-1", a_person("c-1", 1, doNotCall=True), 1)
        assert sent(stage, "list", {**call, "customer": [call["customer"]]})["NoCall"] is True
        text = {**call, "id": "k-2", "customer": json.dumps({**call["customer"], "doNotSMS": True})}
        assert sent(stage, "text", text)["NoText"] is True

    def test_whose_customer_cannot_be_read_still_opts_that_customer_out(self, stage: Stage) -> None:
        known(stage)
        call = a_talk("k-1", a_person("c-1", 2, doNotCall=True), 1)
        contact = sent(stage, "odd", {**call, "customer": [call["customer"], {"id": "c-2"}]})
        assert contact["NoCall"] is True
        assert odd(stage, "odd") == ["customer"]

    @pytest.mark.parametrize("identity", [{}, {"id": None}, {"id": "auth0|7"}, {"id": ["c-1"]}], ids=str)
    def test_whose_customer_has_no_readable_id_leaves_it_open_whether_opt_outs_are_missing(
        self, stage: Stage, identity: dict[str, Any]
    ) -> None:
        call = a_talk("k-1", a_person("c-1", 1, doNotCall=True), 1)
        del call["customer"]["id"]
        send(stage, "odd", json.dumps({**call, "customer": {**call["customer"], **identity}}).encode())
        assert odd(stage, "odd") == ["customer.id"]
        assert overview(stage.store, stage.clock()).uncertain
        assert stage.state("odd")[0] == "delivered"

    def test_with_several_customers_leaves_it_open_whether_opt_outs_are_missing(self, stage: Stage) -> None:
        known(stage)
        call = a_talk("k-1", a_person("c-1", 2, doNotCall=True), 1)
        others = [call["customer"], {"id": "c-2", "doNotSMS": True}]
        send(stage, "odd", json.dumps({**call, "customer": others}).encode())
        assert overview(stage.store, stage.clock()).uncertain


def a_body(payload: dict[str, Any], member: str = "") -> str:
    return json.dumps(payload)[:-1] + (f", {member}" if member else "") + "}"


RAISING = a_person("c-1", 2, doNotCall=True, city="Tempe")
READABLE = {
    "nested 20,000 deep": a_body(RAISING, f'"odd": {DEEP}').encode(),
    "a flag given twice": a_body(RAISING, '"doNotCall": false').encode(),
    "a field given twice": a_body(RAISING, '"county": "Pima", "county": "Pinal"').encode(),
    "half of a surrogate pair": a_body(RAISING, '"county": "Pi\\ud83d"').encode(),
    "a NUL": a_body(RAISING, '"county": "Pi\\u0000ma"').encode(),
    "a NUL as it is": a_body(RAISING, '"county": "Pi\0ma"').encode(),
    "NaN": a_body(RAISING, '"householdIncome": NaN').encode(),
    "a number of 5,000 digits": a_body(RAISING, f'"annualIncome": {"7" * 5_000}').encode(),
    "Latin-1": a_body(RAISING, '"county": "Doña Ana"').encode("latin-1"),
    "UTF-16": a_body(RAISING).encode("utf-16"),
    "a byte order mark": a_body(RAISING).encode("utf-8-sig"),
}
UNREADABLE = {
    "cut off": a_body(RAISING)[:-20].encode(),
    "in a list": f"[{a_body(RAISING)}]".encode(),
    "without a type": a_body({**RAISING, "event_type": None}).encode(),
    "of another shape": json.dumps({"event_type": "customer.updated", "customer": RAISING}).encode(),
    "cut off, in UTF-16": a_body(RAISING)[:-20].encode("utf-16"),
    "cut off, nested 20,000 deep": f'{{"odd": {DEEP}, {a_body(RAISING)[1:-20]}'.encode(),
}


class TestABody:
    @pytest.mark.parametrize("body", READABLE.values(), ids=READABLE)
    def test_with_an_odd_part_is_delivered_with_its_opt_out(self, stage: Stage, body: bytes) -> None:
        known(stage)
        send(stage, "odd", body)
        assert (stage.contact()["NoCall"], stage.contact()["City"]) == (True, "Tempe")
        assert stage.state("odd")[0] == "delivered"

    @pytest.mark.parametrize("body", UNREADABLE.values(), ids=UNREADABLE)
    def test_that_is_no_event_still_opts_its_customer_out(self, stage: Stage, body: bytes) -> None:
        known(stage)
        send(stage, "odd", body)
        assert (stage.contact()["NoCall"], stage.contact()["City"]) == (True, "Mesa")
        assert stage.state("odd") == ("dead", "E210")
