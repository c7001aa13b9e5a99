"""A body is decoded so that one part that is no proper JSON costs that part alone, in bounded time."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.carecycle import recognise
from connector.carecycle.decode import decoded
from connector.carecycle.recognise import Reading
from connector.carecycle.remnant import Remnant, remnant
from connector.errors import UnreadableEvent
from tests.builders import CUSTOMER, a_call, a_customer

DEEP = "[" * 20_000 + "]" * 20_000
DEEP_OBJECTS = '{"a":' * 20_000 + "1" + "}" * 20_000
A_TENTH_OF_THE_LIMIT = 500_000


def read(body: bytes) -> Reading:
    reading = recognise.read(decoded(body), "m")
    assert reading is not None
    return reading


def a_body(*members: str, **changes: Any) -> str:
    """A customer.updated body with these members, as written, at its end."""
    return json.dumps(a_customer(**changes))[:-1] + "".join(f", {member}" for member in members) + "}"


class TestAFieldGivenTwice:
    @pytest.mark.parametrize(
        "values", [("true", "false"), ("false", "true"), ('"true"', "null"), ("true", "true"), ('"x"', "true", "false")]
    )
    def test_that_is_a_flag_is_raised_if_it_ever_is(self, values: tuple[str, ...]) -> None:
        body = a_body(*(f'"doNotCall": {value}' for value in values))
        assert read(body.encode()).raised == {"doNotCall"}

    @pytest.mark.parametrize("value", ["null", '"yes"', "1"])
    def test_that_is_a_flag_is_unknown_if_its_values_differ_and_none_is_true(self, value: str) -> None:
        reading = read(a_body(f'"doNotCall": {value}').encode())
        assert "doNotCall" not in reading.payload
        assert [str(field) for field in reading.odd] == [
            "customer.doNotCall: expected true or false, got several different values"
        ]

    def test_with_different_values_counts_as_absent_and_is_reported(self) -> None:
        reading = read(a_body('"city": "Mesa"', '"city": "Tempe"').encode())
        assert ("city" in reading.payload, [field.path for field in reading.unread]) == (False, ["customer.city"])

    def test_with_the_same_value_is_read(self) -> None:
        reading = read(a_body('"city": "Mesa"', '"city": "Mesa"').encode())
        assert (reading.payload["city"], reading.odd) == ("Mesa", ())

    def test_that_is_the_id_leaves_nobody_to_deliver_to(self) -> None:
        with pytest.raises(UnreadableEvent, match=r"customer\.id"):
            read(a_body('"id": "somebody-else"').encode())

    def test_that_is_a_calls_customer_is_merged(self) -> None:
        call = json.dumps(a_call(a_customer(doNotSMS=True)))[:-1]
        reading = read(f'{call}, "customer": {{"doNotSMS": false, "doNotMail": true, "city": "Mesa"}}}}'.encode())
        assert (reading.customer_id, reading.raised) == (CUSTOMER, {"doNotSMS", "doNotMail"})
        assert reading.payload["customer"]["city"] == "Mesa"


class TestABodyNestedTooDeeply:
    @pytest.mark.parametrize("deep", [DEEP, DEEP_OBJECTS], ids=["lists", "objects"])
    @pytest.mark.parametrize("name", ["unknown", "agentNpn"])
    def test_is_an_event_without_what_is_deep(self, deep: str, name: str) -> None:
        reading = read(a_body(f'"{name}": {deep}', doNotCall=True).encode())
        assert (reading.customer_id, reading.raised) == (CUSTOMER, {"doNotCall"})
        assert [field.path for field in reading.odd] == ([] if name == "unknown" else ["customer.agentNpn"])

    def test_keeps_what_comes_after_the_deep_part(self) -> None:
        body = f'{{"odd": {DEEP}, {a_body(doNotCall=True)[1:]}'
        assert read(body.encode()).raised == {"doNotCall"}

    def test_may_hold_brackets_in_its_texts(self) -> None:
        body = a_body(f'"odd": {DEEP}', city='a "[[[" \\', lastName="}}}")
        assert read(body.encode()).payload["city"] == 'a "[[[" \\'


class TestText:
    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
    def test_may_be_in_any_encoding_of_json(self, encoding: str) -> None:
        body = json.dumps(a_customer(city="Cañon", doNotCall=True), ensure_ascii=False).encode(encoding)
        assert (read(body).raised, read(body).payload["city"]) == ({"doNotCall"}, "Cañon")

    def test_in_no_known_encoding_costs_its_field_alone(self) -> None:
        body = a_body('"county": "Do\xf1a Ana"', '"address": "Caf\xe9"', doNotCall=True).encode("latin-1")
        reading = read(body)
        assert reading.raised == {"doNotCall"}
        assert [str(field) for field in reading.odd] == [
            "customer.address: expected text, got text in another encoding",
            "customer.county: expected text, got text in another encoding",
        ]

    @pytest.mark.parametrize("sent", ["\\ud800", "\\uDbfF", "\\udC00", "\\uDFFF", "\\u0000", "\x00"])
    def test_that_no_crm_can_be_sent_has_a_question_mark(self, sent: str) -> None:
        assert read(a_body(f'"city": "Me{sent}sa"').encode()).payload["city"] == "Me?sa"

    @pytest.mark.parametrize("number", [0x0001, 0x00E9, 0xD7FF, 0xE000, 0xFFFF])
    def test_that_is_escaped_is_read_whole(self, number: int) -> None:
        assert read(a_body(f'"city": "Me\\u{number:04x}sa"').encode()).payload["city"] == f"Me{chr(number)}sa"

    def test_of_an_id_with_such_a_character_is_no_id(self) -> None:
        with pytest.raises(UnreadableEvent, match=r"customer\.id"):
            read(json.dumps(a_customer(id="a\0b")).encode())

    @pytest.mark.parametrize("character", ["\n", "\t", "\x01"])
    def test_may_hold_control_characters_as_they_are(self, character: str) -> None:
        assert read(a_body(f'"city": "Me{character}sa"').encode()).payload["city"] == f"Me{character}sa"

    def test_with_a_character_beyond_16_bits_is_read_as_it_is(self) -> None:
        assert read(json.dumps(a_customer(city="\U0001f600")).encode()).payload["city"] == "\U0001f600"


class TestANumber:
    @pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "9" * 5_000, "1.5"])
    def test_that_is_none_costs_its_field_alone(self, number: str) -> None:
        reading = read(a_body(f'"householdIncome": {number}', doNotCall=True).encode())
        assert reading.raised == {"doNotCall"}
        assert [field.path for field in reading.unread] == ["customer.householdIncome"]


BROKEN = {
    "cut off": a_body(doNotCall=True)[:-30],
    "cut off in a text": a_body('"city": "Mesa', doNotCall=True)[:-1],
    "followed by something": a_body(doNotCall=True) + "}",
    "with a comma too many": a_body(doNotCall=True)[:-1] + ",}",
    "with an unquoted text": a_body('"city": Mesa', doNotCall=True),
    "in a list": f"[{a_body(doNotCall=True)}]",
    "in an envelope": f'{{"data": {{"object": {a_body(doNotCall=True)}}}}}',
    "of a call": json.dumps(a_call(a_customer(doNotCall=True)))[:-9],
    "with a deep part": f'{{"odd": {DEEP}, {a_body(doNotCall=True)[1:-1]}',
    "with the flag as text": a_body(doNotCall="true")[:-1],
    "with an escaped name": a_body(doNotCall=True)[:-1].replace('"doNotCall"', '"doNotC\\u0061ll"'),
    "with the flag given twice": a_body('"doNotCall": false', doNotCall=True)[:-1],
}


class TestABodyThatIsNoEvent:
    @pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN)
    def test_still_opts_its_customer_out(self, body: str) -> None:
        assert remnant(body.encode()) == Remnant(CUSTOMER, frozenset({"doNotCall"}))

    @pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "latin-1"])
    def test_still_does_in_any_encoding(self, encoding: str) -> None:
        assert remnant(a_body('"city": "Ca\xf1on"', doNotCall=True)[:-1].encode(encoding)).raised == {"doNotCall"}

    @pytest.mark.parametrize("body", ["", "{", '"doNotCall": true', '{"id": "x"', '{"id": "x", "doNotCall": "yes"}'])
    def test_opts_nobody_out_where_it_does_not_say_who_or_what(self, body: str) -> None:
        assert remnant(body.encode()) == Remnant()

    def test_takes_the_id_and_the_flags_from_the_same_object(self) -> None:
        assert remnant(b'{"id": "x", "customer": {"doNotCall": true}}') == Remnant()

    @given(st.binary(max_size=40) | st.text('{}[]":,\\tru \0é', max_size=40).map(str.encode))
    def test_never_fails(self, body: bytes) -> None:
        remnant(body)
        try:
            decoded(body)
        except ValueError:
            return


class TestTime:
    @pytest.mark.parametrize(
        "part", ['"', '\\"', "[", "]", "{", '{"a":', '"a":', "[]", ",", '"a" ', "{}", "\\", '"id":"x",', "0"]
    )
    def test_of_the_largest_body_is_bounded(self, part: str) -> None:
        body = b'{"x": ' + (part * (A_TENTH_OF_THE_LIMIT // len(part))).encode()
        began = time.process_time()
        assert remnant(body) == Remnant()
        with suppress(ValueError):
            decoded(body)
        assert time.process_time() - began < 1
