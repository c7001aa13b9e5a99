"""Customers and calls of careCycle's REST API, in the shape of its webhooks."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime
from typing import Any

import pytest

from connector.carecycle.api_names import call_payload, customer_payload
from connector.carecycle.samples import Samples

PERSON = {"event_type": "customer.updated", "id": "c-1", "firstName": "Odessa"}


def customer(**fields: Any) -> dict[str, Any]:
    payload = customer_payload({"id": "c-1", **fields})
    assert payload is not None
    return payload


class TestCustomers:
    def test_names_are_the_webhook_s(self) -> None:
        item = {"clientCustomerId": "CRM-1", "callerId": "+15205550117", "medicaid": False, "doNotSms": True}
        assert customer(**item) == {
            "event_type": "customer.updated",
            "id": "c-1",
            "externalId": "CRM-1",
            "phoneNumber": "+15205550117",
            "hasMedicaid": False,
            "doNotSMS": True,
        }

    def test_an_npn_is_a_whole_number_there_as_documented(self) -> None:
        assert customer(agentNpn=8419302)["agentNpn"] == "8419302"

    def test_a_webhook_s_customer_stays_as_it_is(self) -> None:
        person = Samples(random.Random(7), datetime(2026, 6, 1, tzinfo=UTC)).person()
        assert customer_payload(person) == {"event_type": "customer.updated", **person}

    @pytest.mark.parametrize(
        "place",
        [
            {"dependents": [{"ssn": "987-65-4329"}]},
            {"assignedUser": {"id": "u-1", "ssn": "987-65-4329"}},
            {"assignedUser": '{"id": "u-1", "ssn": "987-65-4329"}'},
            {"firstName": {"ssn": "987-65-4329"}},
            {"lastName": [{"ssn": "987-65-4329"}]},
            {"assignedUser": {"licensedStates": ["AZ", {"ssn": "987-65-4329"}]}},
        ],
    )
    def test_what_the_catalogue_does_not_have_is_not_kept_wherever_it_is(self, place: dict[str, Any]) -> None:
        assert "987-65-4329" not in json.dumps(customer(**place))

    def test_values_of_other_types_are_kept_to_be_reported(self) -> None:
        assert customer(postalCode=85204, doNotCall="true", email=None) == {
            "event_type": "customer.updated",
            "id": "c-1",
            "postalCode": 85204,
            "doNotCall": "true",
            "email": None,
        }

    def test_of_two_names_the_webhook_s_counts_unless_it_is_null(self) -> None:
        both = {"callerId": "+15205550117", "phoneNumber": "+15205550118"}
        assert customer(**both)["phoneNumber"] == "+15205550118"
        assert customer(**both | {"phoneNumber": None})["phoneNumber"] == "+15205550117"

    def test_an_opt_out_under_either_name_counts(self) -> None:
        assert customer(doNotSMS=False, doNotSms=True)["doNotSMS"] is True
        assert customer(testCustomer=False, testFlag=True)["testCustomer"] is True

    def test_without_a_usable_id_there_is_none(self) -> None:
        items = (None, 7, [], {}, {"id": None}, {"id": ""}, {"id": {"x": 1}}, {"firstName": "Odessa"})
        assert [customer_payload(item) for item in items] == [None] * 8

    def test_an_id_may_be_a_number(self) -> None:
        assert customer_payload({"id": 17}) == {"event_type": "customer.updated", "id": "17"}


class TestCalls:
    def test_a_call_has_its_customer_and_its_campaign_s_id(self) -> None:
        item = {"id": "k-1", "callerId": "+15205550117", "twilioSid": "CA1", "campaignId": "m-1", "service": "vapi"}
        assert call_payload(item, PERSON) == {
            "event_type": "call.completed",
            "id": "k-1",
            "phoneNumber": "+15205550117",
            "campaign": {"id": "m-1"},
            "customer": {"id": "c-1", "firstName": "Odessa"},
        }

    @pytest.mark.parametrize(
        ("item", "campaign"),
        [
            ({"campaignId": None}, {"campaign": None}),
            ({}, {}),
            (
                {"campaign": {"id": "m-1", "name": "AEP", "client": {"id": "x"}}},
                {"campaign": {"id": "m-1", "name": "AEP"}},
            ),
        ],
    )
    def test_a_campaign_is_what_the_call_says_of_it(self, item: dict[str, Any], campaign: dict[str, Any]) -> None:
        payload = call_payload({"id": "k-1", **item}, PERSON)
        assert payload is not None
        assert {name: payload[name] for name in payload if name == "campaign"} == campaign

    @pytest.mark.parametrize("mark", ["testFlag", "isTestNumber"])
    def test_a_test_call_marks_its_customer(self, mark: str) -> None:
        payload = call_payload({"id": "k-1", mark: True}, PERSON)
        assert payload is not None
        assert payload["customer"]["testCustomer"] is True

    def test_without_a_usable_id_there_is_none(self) -> None:
        assert call_payload({"disposition": "Voicemail"}, PERSON) is None
