"""A payload is read field by field: one odd part never decides about the good ones."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.carecycle import recognise
from connector.carecycle.catalogue import FIELDS, carried_by, steps, walk
from connector.carecycle.recognise import OddField, Reading
from connector.carecycle.remnant import Remnant, remnant
from connector.errors import UnreadableEvent
from tests.builders import CUSTOMER, NOON, a_call, a_customer

_LETTERS = "aZ09-:. é\u0000"  # a few: building all of Unicode takes a second and a half
_SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(_LETTERS, max_size=12)
ANYTHING = (
    _SCALARS | st.lists(_SCALARS, max_size=2) | st.dictionaries(st.text(_LETTERS, max_size=3), _SCALARS, max_size=2)
)
"""Whatever json.loads can return, NaN and Infinity among it."""


def read(payload: Mapping[str, Any]) -> Reading:
    reading = recognise.read(payload, "m")
    assert reading is not None
    return reading


def put(payload: dict[str, Any], keys: tuple[str, ...], value: Any) -> None:
    for key in keys[:-1]:
        payload = payload.setdefault(key, {}) if isinstance(payload.get(key, {}), dict) else {}
    payload[keys[-1]] = value


class TestAnEvent:
    def test_is_read_for_what_the_house_needs(self) -> None:
        reading = read(a_customer(doNotSMS=True))
        assert (reading.customer_id, reading.raised, reading.source_time) == (CUSTOMER, {"doNotSMS"}, NOON)

    def test_as_documented_is_read_as_it_is(self) -> None:
        payload = a_customer()
        assert read(payload).payload is payload

    def test_of_a_call_linked_to_nobody_has_no_customer(self) -> None:
        assert read(a_call(None)).customer_id is None

    def test_of_an_unknown_type_is_not_read(self) -> None:
        assert recognise.read(a_customer(event_type="customer.merged"), "m") is None


class TestAnOddField:
    def test_is_left_out_and_named_without_its_value(self) -> None:
        reading = read(a_customer(subsidyAmount=148.5, doNotCall=True))
        assert reading.unread == (OddField("customer.subsidyAmount", "a whole number", "a number with decimals"),)
        assert "subsidyAmount" not in reading.payload
        assert reading.raised == {"doNotCall"}

    def test_does_not_change_the_payload_it_stands_in(self) -> None:
        payload = a_call(a_customer(dateOfBirth="04/12/1958", assignedUser={"id": "u", "npn": ["7"]}))
        before = json.dumps(payload)
        reading = read(payload)
        assert [field.path for field in reading.unread] == ["customer.dateOfBirth", "customer.assignedUser.npn"]
        assert json.dumps(payload) == before

    def test_that_is_a_consent_flag_is_unknown(self) -> None:
        reading = read(a_customer(doNotCall=1, doNotEmail=True))
        assert (reading.raised, "doNotCall" in reading.payload) == ({"doNotEmail"}, False)

    def test_that_should_be_an_object_takes_its_fields_with_it(self) -> None:
        assert [str(field) for field in read(a_customer(assignedUser="Priya")).unread] == [
            "customer.assignedUser: expected an object, got text"
        ]

    def test_that_is_the_customer_of_a_call_leaves_a_call_linked_to_nobody(self) -> None:
        reading = read({**a_call(None), "customer": [CUSTOMER]})
        assert (reading.customer_id, [field.path for field in reading.unread]) == (None, ["customer"])

    @given(st.data())
    def test_never_costs_the_opt_out_beside_it(self, data: st.DataObject) -> None:
        kind = data.draw(st.sampled_from(["customer.updated", "call.completed"]))
        payload = a_customer(doNotCall=True) if kind == "customer.updated" else a_call(a_customer(doNotCall=True))
        needed = {"event.type", "customer", "customer.id", "customer.doNotCall", "call.id"}
        paths = [path for path in FIELDS if kind in carried_by(path) and path not in needed]
        for path in data.draw(st.lists(st.sampled_from(paths), max_size=8)):
            put(payload, steps(path, kind), data.draw(ANYTHING))
        reading = read(payload)
        assert (reading.customer_id, "doNotCall" in reading.raised) == (CUSTOMER, True)

    @given(st.sampled_from(sorted(FIELDS)), ANYTHING)
    def test_leaves_a_payload_that_has_no_odd_field_any_more(self, path: str, value: Any) -> None:
        kind = min(carried_by(path), key=len)
        payload = a_call(a_customer()) if kind == "call.completed" else a_customer(event_type=kind)
        if path == "event.type":
            return
        put(payload, steps(path, kind), value)
        try:
            reading = read(payload)
        except UnreadableEvent:
            assert path in ("customer.id", "call.id")
            return
        nobody = "customer.id"  # a customer without it is reported as long as it is read
        assert {field.path for field in read(reading.payload).unread} <= {nobody}
        assert {field.path for field in reading.odd} <= {path, nobody}


class TestAHarmlessDifference:
    @pytest.mark.parametrize(
        ("name", "sent", "means"),
        [
            ("householdIncome", 42000.0, 42000),
            ("householdIncome", "42000", 42000),
            ("agentNpn", 8419302, "8419302"),
            ("postalCode", 85204, "85204"),
            ("dateOfBirth", "1958-04-12T00:00:00.000Z", "1958-04-12"),
            ("veteran", "true", True),
            ("doNotCall", "FALSE", False),
            ("status", "lead", "Lead"),
            ("updatedAt", "2026-06-18T12:00:00", "2026-06-18T12:00:00Z"),
        ],
    )
    def test_is_simply_read(self, name: str, sent: Any, means: Any) -> None:
        reading = read(a_customer(**{name: sent}))
        assert (walk(reading.payload, (name,)), reading.unread) == (means, ())

    @pytest.mark.parametrize(
        ("name", "sent", "expected", "got"),
        [
            ("agentNpn", 8419302, "text", "a number"),
            ("householdIncome", "42000", "a whole number", "text"),
            ("dateOfBirth", "1958-04-12T00:00:00.000Z", "a date (YYYY-MM-DD)", "text of another form"),
            ("doNotCall", "false", "true or false", "text"),
        ],
    )
    def test_is_reported_all_the_same(self, name: str, sent: Any, expected: str, got: str) -> None:
        assert read(a_customer(**{name: sent})).odd == (OddField(f"customer.{name}", expected, got, used=True),)

    @pytest.mark.parametrize(("name", "sent"), [("householdIncome", 42000.0), ("status", "lead")])
    def test_that_is_none_in_javascript_is_not_worth_a_report(self, name: str, sent: Any) -> None:
        assert read(a_customer(**{name: sent})).odd == ()

    def test_of_a_closed_list_is_data_not_a_problem(self) -> None:
        assert read(a_customer(status="Prospect")).unread == ()

    @pytest.mark.parametrize("text", ["2026-06-17", "soon", "2026-13-01T00:00:00Z", 1781784000000])
    def test_is_not_what_cannot_be_a_time(self, text: Any) -> None:
        assert [field.path for field in read(a_customer(updatedAt=text)).unread] == ["customer.updatedAt"]


class TestTheTime:
    def test_of_a_call_stands_for_that_of_its_customer(self) -> None:
        customer = a_customer()
        del customer["updatedAt"]
        assert read(a_call(customer)).source_time == read(a_call(a_customer())).source_time

    def test_of_an_update_that_does_not_tell_is_when_it_was_received(self) -> None:
        reading = read(a_customer(updatedAt=None))
        assert reading.source_time is None
        assert reading.event("sunrise", "m", NOON + 5).source_time == NOON + 5

    def test_of_a_new_customer_may_be_its_creation(self) -> None:
        reading = read(a_customer(event_type="customer.created", updatedAt=None, createdAt="2026-06-18T12:00:00Z"))
        assert reading.source_time == NOON


class TestWhatIsNoEvent:
    @pytest.mark.parametrize("body", [[], "text", 7, None, True, {}, {"event_type": 5}, {"event_type": "two words"}])
    def test_is_unreadable(self, body: Any) -> None:
        with pytest.raises(UnreadableEvent):
            recognise.read(body, "m")

    @pytest.mark.parametrize("identity", [None, "", "a\u0000b", "x" * 65, "two words", ["a"], True])
    def test_is_one_without_an_id_that_a_database_would_keep(self, identity: Any) -> None:
        with pytest.raises(UnreadableEvent, match=r"customer\.id"):
            recognise.read(a_customer(id=identity), "m")

    def test_still_opts_its_customer_out(self) -> None:
        call = a_call(a_customer(doNotMail=True))
        del call["id"]
        customer = a_customer(doNotCall=True)
        del customer["event_type"]
        assert remnant(json.dumps(call).encode()) == Remnant(CUSTOMER, frozenset({"doNotMail"}))
        assert remnant(json.dumps(customer).encode()) == Remnant(CUSTOMER, frozenset({"doNotCall"}))

    @given(ANYTHING)
    def test_opts_nobody_out_where_it_names_nobody(self, body: Any) -> None:
        assert remnant(json.dumps(body).encode()) == Remnant()
