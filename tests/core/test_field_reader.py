"""One function reads all fields of a record: each as by itself, and nothing a file says becomes code."""

from __future__ import annotations

import json
import traceback
from datetime import UTC, tzinfo
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.carecycle.catalogue import ABSENT
from connector.mapping.field_reader import Read, Reading, reader
from connector.mapping.functions import Payload
from connector.model import FieldWrite, Rule, Stamp
from tests.mappings.build import an_event, compiled, mapping_text, sent

HOSTILE = [
    "__import__('os').abort()",
    "'); import os; os.abort() #",
    '"""',
    "'''",
    "\\",
    "\\'\n",
    "a\nb\r\n    return 1",
    "a\u2028b\x85c\x0cd",
    "{0}{1!r}{payload}",
    "%s%(value)s",
    "__builtins__",
    "value",
    "payload",
    "made",
    "get0",
    "ABSENT",
    "é\u202e\U0001d4bb\ud800",
    "x" * 100_000,
]
STAMPS = tuple(Stamp(at, "") for at in range(5))
USUAL = FieldWrite(None, STAMPS[0], Rule.IF_BLANK, line=7, required=True)
VALUES: list[Any] = [None, "", " ", "\u2003\n", "Ana", 0, 1, False, True, 0.0, [], ["AZ"], {}, {"id": "x"}, *HOSTILE]


def got_by_itself(key: str) -> Reading:
    """A field that is read by a function of its own."""

    def get(payload: Payload, zone: tzinfo) -> Any:
        value = payload.get(key, ABSENT)
        return None if isinstance(value, str) and (not value or value.isspace()) else value

    return Reading(f"own {key}", None, get)


def plain(key: str) -> Reading:
    return got_by_itself(key)._replace(key=key)


def a_failing_field(payload: Payload, zone: tzinfo) -> Any:
    raise ZeroDivisionError


def one_by_one(fields: list[Reading], payload: Payload) -> dict[str, Any]:
    values = {field.target: field.get(payload, UTC) for field in fields}
    return {target: value for target, value in values.items() if value is not None and value is not ABSENT}


def read(fields: list[Reading], payload: Payload) -> dict[str, Any]:
    return reader(fields)(payload, UTC, STAMPS, {}, [])


class TestAllFieldsAtOnce:
    @given(
        st.lists(st.tuples(st.sampled_from("abcdef"), st.booleans())),
        st.dictionaries(st.sampled_from("abcdef"), st.sampled_from(VALUES)),
    )
    def test_are_what_each_is_by_itself(self, written: list[tuple[str, bool]], payload: dict[str, Any]) -> None:
        fields = [plain(key) if is_plain else got_by_itself(key) for key, is_plain in written]
        assert list(read(fields, payload).items()) == list(one_by_one(fields, payload).items())

    def test_of_a_record_are_what_its_fields_are(self) -> None:
        event = an_event(customer__firstName=" ", customer__status="Lead", customer__email=None)
        text = mapping_text("A: customer.firstName", "B: customer.status", "C: customer.email", "D: customer.city")
        (record,) = compiled(text, schema=None).programs[event.type].records
        single = {own.target: own.get(event.payload, UTC) for own in record.fields}
        made = record.read(event.payload, UTC, STAMPS, {}, [])
        assert {name: write.value for name, write in made.items()} == {name: own for name, own in single.items() if own}

    def test_of_two_records_alike_have_their_own_names(self) -> None:
        first, second = reader([plain("a")]), reader([plain("b")])
        nothing: tuple[Any, ...] = (UTC, STAMPS, {}, [])
        assert (first({"a": 1}, *nothing), second({"b": 2}, *nothing)) == ({"own a": 1}, {"own b": 2})

    def test_fail_where_the_failing_one_does(self) -> None:
        with pytest.raises(ZeroDivisionError) as failed:
            read([plain("a"), Reading("b", None, a_failing_field)], {})
        assert traceback.extract_tb(failed.value.__traceback__)[-1].name == a_failing_field.__name__


def of_the_call(field: Reading) -> Reading:
    return field._replace(clock=2, usual=USUAL[2:])


@pytest.mark.parametrize("own", [plain("a"), got_by_itself("a")], ids=["a plain field", "a field read by itself"])
class TestAFieldThatIsWrittenAsUsual:
    def test_carries_the_time_of_its_clock(self, own: Reading) -> None:
        made = read([of_the_call(own)], {"a": "Ana"})
        assert made == {"own a": USUAL._replace(value="Ana", stamp=STAMPS[2])}

    @pytest.mark.parametrize("nothing", [None, "", "\u2003\n"], ids=["null", "empty", "blank"])
    def test_is_silent_where_it_has_no_value(self, own: Reading, nothing: str | None) -> None:
        assert self.left([of_the_call(own)], {"a": nothing}) == ({"own a": STAMPS[2]}, [])

    def test_is_left_to_the_plan_where_the_event_does_not_have_it(self, own: Reading) -> None:
        assert self.left([plain("b"), of_the_call(own)], {}) == ({}, [1])

    @pytest.mark.parametrize("nothing", [None, "", " "], ids=["null", "empty", "blank"])
    def test_is_written_in_its_place_where_null_erases(self, own: Reading, nothing: str | None) -> None:
        made = read([of_the_call(own)._replace(erases=True), plain("b")], {"a": nothing, "b": 1})
        assert list(made.items()) == [("own a", USUAL._replace(value=None, stamp=STAMPS[2])), ("own b", 1)]

    def left(self, fields: list[Reading], payload: Payload) -> tuple[dict[str, Stamp], list[int]]:
        silent: dict[str, Stamp] = {}
        rest: list[int] = []
        assert reader(fields)(payload, UTC, STAMPS, silent, rest) == {}
        return silent, rest


class TestWhatAFileSays:
    @pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
    def test_is_a_name_or_a_value_and_never_code(self, name: str) -> None:
        fields = [Reading(name, name, got_by_itself(name).get), got_by_itself(name)]
        assert read(fields, {name: name}) == {name: name, f"own {name}": name}

    @pytest.mark.parametrize("name", HOSTILE[:-2], ids=range(len(HOSTILE[:-2])))
    def test_comes_out_of_a_mapping_as_it_was_written(self, name: str) -> None:
        quoted = json.dumps(name)
        fields = (
            f"Fixed: {{ value: {quoted} }}",
            f"Table: {{ from: customer.city, table: {{ {quoted}: {quoted}, else: x }} }}",
        )
        made = sent(mapping_text(*fields), an_event(customer__city=name), schema=None)
        assert (made["Fixed"], made["Table"]) == (name, name)

    def test_is_not_in_the_text_of_the_function(self) -> None:
        def words(made: Read) -> set[object]:
            code = made.__code__  # type: ignore[attr-defined]  # it is a function
            return {*code.co_names, *code.co_varnames, *map(repr, code.co_consts)}

        for own in (plain, lambda key: of_the_call(plain(key))):
            assert words(reader([own(HOSTILE[0])])) == words(reader([own("a")]))
