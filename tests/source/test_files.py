"""Customers are read from files row by row: one bad row, or one bad cell, never decides about the good ones."""

from __future__ import annotations

import doctest
import json
import os
import tracemalloc
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector.carecycle.catalogue import FIELDS
from connector.errors import FixConfiguration
from connector.source import allowed, cells, columns, headings, quoting
from connector.source.files import NO_ID, OTHER_ID, Row, open_source
from connector.source.quoting import BadRow
from connector.source.steps import file_steps
from tests.builders import CUSTOMER, a_call, a_customer

OTHER = "7d0f2c1e-58b4-4a06-9c33-0e6a1b2f9d10"
THIRD = "7d0f2c1e-58b4-4a06-9c33-0e6a1b2f9d11"


def read(path: Path, content: str | bytes, encoding: str = "utf-8") -> list[Row | BadRow]:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return list(open_source(path, encoding).rows())


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "customers.csv"


def payloads(rows: Sequence[Row | BadRow]) -> list[dict[str, Any]]:
    return [
        {name: value for name, value in row.payload.items() if name != "event_type"}
        for row in rows
        if isinstance(row, Row)
    ]


def bad(rows: Sequence[Row | BadRow]) -> list[tuple[int, str]]:
    return [(row.line, row.why) for row in rows if isinstance(row, BadRow)]


def cell(file: Path, column: str, text: str) -> Any:
    """What a cell is read as; the reason, as a tuple, where it cannot be used."""
    quoted = text.replace('"', '""')
    [row] = read(file, f'id,{column}\n{CUSTOMER},"{quoted}"\n')
    assert isinstance(row, Row)
    [*rest] = [value for name, value in row.payload.items() if name not in ("event_type", "id")]
    return rest[0] if rest else tuple(why for _, why in row.unclear)


@pytest.mark.parametrize("module", [allowed, cells, columns, headings, quoting], ids=lambda module: module.__name__)
def test_every_documented_example_holds(module: ModuleType) -> None:
    result = doctest.testmod(module)
    assert (result.failed, result.attempted > 0) == (0, True)


class TestColumns:
    @pytest.mark.parametrize(
        ("name", "field"),
        [
            ("FIRST NAME", "firstName"),
            ("first_name", "firstName"),
            ("customer.firstName", "firstName"),
            ("callerId", "phoneNumber"),
            ("Client Customer ID", "externalId"),
            ("medicaid", "hasMedicaid"),
        ],
    )
    def test_are_matched_by_the_catalogues_names_and_the_apis(self, file: Path, name: str, field: str) -> None:
        assert payloads(read(file, f"id,{name}\n{CUSTOMER},1\n"))[0].keys() == {"id", field}

    def test_that_the_catalogue_does_not_know_are_not_read(self, file: Path) -> None:
        file.write_text(f"id,spouse SSN,city\n{CUSTOMER},078-05-1120,Mesa\n")
        source = open_source(file)
        assert [(column.name, column.field and column.field.path) for column in source.columns] == [
            ("id", "customer.id"),
            ("spouse SSN", None),
            ("city", "customer.city"),
        ]
        assert "078-05" not in str(list(source.rows()))

    def test_of_the_assigned_user_become_an_object(self, file: Path) -> None:
        rows = read(file, f"id,assignedUser.name,assigned user licensed states\n{CUSTOMER},Priya,AZ; AR\n")
        assert payloads(rows)[0]["assignedUser"] == {"name": "Priya", "licensedStates": ["AZ", "AR"]}

    @pytest.mark.parametrize("written", ["Mesa,", ",Mesa", "Mesa,Mesa"])
    def test_given_twice_are_read_if_they_agree(self, file: Path, written: str) -> None:
        assert payloads(read(file, f"id,City,city\n{CUSTOMER},{written}\n"))[0]["city"] == "Mesa"

    def test_given_twice_that_differ_are_left_out_by_name(self, file: Path) -> None:
        [row] = read(file, f"id,City,city,state\n{CUSTOMER},Mesa,Tempe,AZ\n")
        assert isinstance(row, Row)
        assert (row.payload.get("state"), row.unclear) == ("AZ", [("customer.city", "several different values")])

    @pytest.mark.parametrize("written", ["yes,no", "no,yes", "perhaps,yes"])
    def test_given_twice_with_one_opt_out_are_an_opt_out(self, file: Path, written: str) -> None:
        assert payloads(read(file, f"id,doNotCall,do_not_call\n{CUSTOMER},{written}\n"))[0]["doNotCall"] is True

    @pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
    def test_are_parted_by_whatever_the_first_row_is(self, file: Path, delimiter: str) -> None:
        lines = [["id", "city", "county"], [CUSTOMER, "Mesa", "Maricopa"]]
        rows = read(file, "\r\n".join(map(delimiter.join, lines)))
        assert payloads(rows) == [{"id": CUSTOMER, "city": "Mesa", "county": "Maricopa"}]

    @pytest.mark.parametrize("other", ["Customer ID", "customer.id", "Customer_Id"])
    def test_called_id_have_the_id_and_others_have_none(self, file: Path, other: str) -> None:
        file.write_text(f"{other},ID\n48213,{CUSTOMER}\n")
        source = open_source(file)
        assert payloads(list(source.rows())) == [{"id": CUSTOMER}]
        assert [columns.is_other_id(column) for column in source.columns] == [True, False]

    @pytest.mark.parametrize(
        ("heading", "name"),
        [("Phone", "phoneNumber"), ("D.O.B.", "dateOfBirth"), ("Birthday", "dateOfBirth"), ("ZIP", "postalCode"),
         ("Mobile", "phoneNumber"), ("Last Modified Date", "updatedAt"), ("careCycle ID", "id"), ("Spouse SSN", "")],
    )  # fmt: skip
    def test_of_other_names_are_not_guessed_but_said(self, file: Path, heading: str, name: str) -> None:
        file.write_text(f"id,{heading}\n{CUSTOMER},x\n")
        source = open_source(file)
        assert (source.columns[1].field, source.columns[1].meant) == (None, name)

    def test_meant_by_other_names_are_fields(self) -> None:
        flags = {"firstName and lastName", "a doNot... flag of each kind"}
        assert {name for name in headings._MEANT if f"customer.{name}" not in FIELDS} == flags

    def test_without_an_id_are_wrong_configuration_and_no_name_of_theirs_is_shown(self, file: Path) -> None:
        with pytest.raises(FixConfiguration, match="no column id") as raised:
            read(file, "Odessa,Quill,+15205550117\n")
        assert "Odessa" not in str(raised.value)


class TestACell:
    @pytest.mark.parametrize("text", ["TRUE", "yes", "Y", "1", "t"])
    def test_that_says_yes_is_true(self, file: Path, text: str) -> None:
        assert cell(file, "doNotCall", text) is True

    @pytest.mark.parametrize("text", ["false", "No", "n", "0"])
    def test_that_says_no_is_false(self, file: Path, text: str) -> None:
        assert cell(file, "doNotCall", text) is False

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "  ",
            '=""',
            "'",
            "NULL",
            "null",
            "N/A",
            "n/a",
            "NA",
            "None",
            "nan",
            "-",
            "--",
            "\\N",
            "<null>",
            "(blank)",
        ],
    )
    @pytest.mark.parametrize("column", ["doNotCall", "city", "phoneNumber", "updatedAt"])
    def test_that_is_empty_or_says_so_says_nothing(self, file: Path, text: str, column: str) -> None:
        assert cell(file, column, text) == ()

    @pytest.mark.parametrize("text", ["NULL", "None", "Null"])
    def test_that_may_be_a_name_is_reported(self, file: Path, text: str) -> None:
        assert cell(file, "lastName", text) == ("a word for no value",)

    @pytest.mark.parametrize(
        ("column", "text", "value"),
        [
            ("phoneNumber", "'+15205550102", "+15205550102"),
            ("postalCode", "'02134", "02134"),
            ("firstName", "'Ann", "Ann"),
            ("lastName", "'t Hooft", "'t Hooft"),
            ("lastName", "O'Brien", "O'Brien"),
            ("preferredName", "'Bud'", "'Bud'"),
            ("lastName", "Nullman", "Nullman"),
        ],
    )
    def test_loses_the_apostrophe_by_which_spreadsheets_mark_text(
        self, file: Path, column: str, text: str, value: str
    ) -> None:
        assert cell(file, column, text) == value

    def test_of_a_consent_flag_that_says_something_else_is_unknown_and_counted(self, file: Path) -> None:
        assert cell(file, "doNotCall", "asked on Monday") == ("not true or false",)

    @pytest.mark.parametrize(
        ("column", "text", "value"),
        [
            ("dateOfBirth", "4/12/1958", "1958-04-12"),
            ("dateOfBirth", "04-12-1958 00:00", "1958-04-12"),
            ("dateOfBirth", "1958-04-12", "1958-04-12"),
            ("updatedAt", "6/17/2026 7:07:23 PM", "2026-06-17T19:07:23Z"),
            ("updatedAt", "2026-06-17T19:07:23.709Z", "2026-06-17T19:07:23.709Z"),
            ("updatedAt", "2026-06-17", "2026-06-17T00:00:00Z"),
            ("updatedAt", "2026-06-17 19:07:23+00", "2026-06-17T19:07:23+00:00"),
            ("updatedAt", "2026-06-17 19:07:23.709123-0700", "2026-06-17T19:07:23.709123-07:00"),
            ("updatedAt", "2026-06-17 19:07:23 UTC", "2026-06-17T19:07:23Z"),
            ("updatedAt", "2026-06-17 19:07:23 +00:00", "2026-06-17T19:07:23+00:00"),
            ("updatedAt", "2026-06-17T19:07Z", "2026-06-17T19:07:00Z"),
            ("updatedAt", "2026-06-17 19:07:23 z", "2026-06-17T19:07:23Z"),
            ("updatedAt", "6/17/2026 19:07 UTC", "2026-06-17T19:07:00Z"),
            ("annualIncome", "$42,000.00", 42000),
            ("postalCode", '="02134"', "02134"),
            ("agentNpn", "8419302.0", "8419302"),
            ("status", "lead", "Lead"),
            ("firstName", " Ramírez ", "Ramírez"),
        ],
    )
    def test_is_read_as_people_and_spreadsheets_write_it(self, file: Path, column: str, text: str, value: Any) -> None:
        assert cell(file, column, text) == value

    @pytest.mark.parametrize(
        ("column", "text", "why"),
        [
            ("phoneNumber", "1.5205550117E+10", "a number that a spreadsheet has shortened"),
            ("mbiNumber", "1E+12", "a number that a spreadsheet has shortened"),
            ("postalCode", "2134", "a number that has lost its leading zeros"),
            ("firstName", "=HYPERLINK(1)", "a formula"),
            ("city", "#N/A", "a spreadsheet's error"),
            ("dateOfBirth", "4/12/58", "a year of two digits"),
            ("dateOfBirth", "12-Apr-58", "a year of two digits"),
            ("updatedAt", "6/17/26 19:07", "a year of two digits"),
            ("updatedAt", "2026-06-17 19:07:23 EST", "not a time (ISO 8601)"),
            ("dateOfBirth", "13/04/1958", "not a date (YYYY-MM-DD)"),
            ("annualIncome", "42k", "not a whole number"),
        ],
    )
    def test_that_a_spreadsheet_spoiled_costs_its_field_alone(
        self, file: Path, column: str, text: str, why: str
    ) -> None:
        assert cell(file, column, text) == (why,)

    def test_in_another_encoding_costs_its_field_alone(self, file: Path) -> None:
        [row] = read(file, f"id,lastName,city\n{CUSTOMER},Ramírez,Mesa\n".encode("cp1252"))
        assert isinstance(row, Row)
        assert (row.payload.get("city"), row.unclear) == ("Mesa", [("customer.lastName", "text in another encoding")])

    def test_is_read_in_the_encoding_that_is_named(self, file: Path) -> None:
        rows = read(file, f"id,lastName\n{CUSTOMER},Ramírez\n".encode("cp1252"), "cp1252")
        assert payloads(rows)[0]["lastName"] == "Ramírez"


class TestARow:
    def test_without_an_id_of_carecycles_is_bad_and_stops_nothing(self, file: Path) -> None:
        rows = read(file, f"id,phone number\n,+15205550117\n48213,+15205550117\n{CUSTOMER.upper()},+15205550117\n")
        assert (bad(rows), payloads(rows)) == (
            [(2, NO_ID), (3, OTHER_ID)],
            [{"id": CUSTOMER, "phoneNumber": "+15205550117"}],
        )

    def test_with_another_number_of_columns_is_bad(self, file: Path) -> None:
        rows = read(file, f"id,city\n{CUSTOMER}\n{CUSTOMER},Mesa,AZ\n{OTHER},Mesa,,\n")
        assert bad(rows) == [(2, "wrong number of columns"), (3, "wrong number of columns")]
        assert payloads(rows) == [{"id": OTHER, "city": "Mesa"}]

    def test_may_have_line_breaks_in_quotes(self, file: Path) -> None:
        rows = read(file, f'\ufeffid,address\r\n{CUSTOMER},"12 Main St\r\n\r\n""Apt"" 3"\r\n{OTHER},x\r\n')
        assert [(row.line, row.payload["address"]) for row in rows if isinstance(row, Row)] == [
            (2, '12 Main St\n\n"Apt" 3'),
            (5, "x"),
        ]

    @pytest.mark.parametrize(
        "broken", [f'{CUSTOMER},"12 Main', f'{CUSTOMER},"12" Main', f'{CUSTOMER},"', f'{CUSTOMER},"12 Main""']
    )
    @pytest.mark.parametrize("good", [f"{OTHER},x", f'{OTHER},"x"', f'"{OTHER}",x', f'"{OTHER}","x"'])
    def test_with_broken_quotes_costs_itself_alone(self, file: Path, broken: str, good: str) -> None:
        rows = read(file, f"id,address\n{broken}\n{good}\n{THIRD},y\n")
        assert (bad(rows), [each["id"] for each in payloads(rows)]) == ([(2, "broken quotes")], [OTHER, THIRD])

    @pytest.mark.parametrize("place", [0, 1, 2])
    def test_is_not_swallowed_between_two_quotes_too_many(self, file: Path, place: int) -> None:
        def line(identity: str, *others: str) -> str:
            return ",".join([*others[:place], identity, *others[place:]])

        lines = [
            line("id", "firstName", "city"),
            line(CUSTOMER, '"Ann', "x"),
            line(OTHER, 'Bo"', "y"),
            line(THIRD, "C", "z"),
        ]
        rows = read(file, "\n".join(lines))
        assert bad(rows) == [(2, "broken quotes")]
        assert [each["id"] for each in payloads(rows)] == [OTHER, THIRD]
        assert [row.unclear for row in rows if isinstance(row, Row)] == [
            [("customer.firstName", "a quote too many")],
            [],
        ]

    @pytest.mark.parametrize("row", [f'{CUSTOMER},"a\nb",x', f'"a\nb",{CUSTOMER},x', f'"a\nb","c\nd",{CUSTOMER}'])
    def test_keeps_its_line_breaks_wherever_the_id_is(self, file: Path, row: str) -> None:
        names = ["id" if CUSTOMER in cell else f"c{number}" for number, cell in enumerate(row.split(","))]
        assert [each["id"] for each in payloads(read(file, f"{','.join(names)}\n{row}\n{row}\n"))] == [CUSTOMER] * 2

    def test_that_is_too_long_costs_itself_alone(self, file: Path) -> None:
        rows = read(file, f"id,city\n{'x' * 1_000_001}\n{CUSTOMER},Mesa\n")
        assert (bad(rows), len(payloads(rows))) == ([(2, "longer than any customer")], 1)

    def test_without_anything_is_no_row(self, file: Path) -> None:
        assert len(read(file, f"id,city\n\n,\n{CUSTOMER},Mesa\n\n")) == 1


class TestNdjson:
    def test_has_customers_as_the_api_has_them(self, file: Path) -> None:
        line = json.dumps({"id": CUSTOMER, "callerId": "+15205550117", "dependents": [{"ssn": "078-05-1120"}]})
        assert payloads(read(file, f"{line}\n")) == [{"id": CUSTOMER, "phoneNumber": "+15205550117"}]

    def test_has_webhooks_payloads(self, file: Path) -> None:
        sent = [a_customer(event_type="customer.created"), a_call(a_customer(), recordingId="x"), a_call(None)]
        rows = read(file, "\n".join(json.dumps(payload) for payload in sent))
        assert [row.payload["event_type"] for row in rows if isinstance(row, Row)] == [
            "customer.created",
            "call.completed",
            "call.completed",
        ]
        assert "recordingId" not in str(rows)

    @pytest.mark.parametrize("identity", ["0035e00000ABCDE", 12345, "c-1", CUSTOMER[:-1]])
    def test_an_id_of_another_system_is_none(self, file: Path, identity: Any) -> None:
        lines = [a_customer(id=identity), {"id": identity, "callerId": "x"}, a_call(a_customer(id=identity))]
        rows = read(file, "\n".join(map(json.dumps, [*lines, a_customer()])))
        assert (bad(rows), len(rows)) == ([(1, OTHER_ID), (2, OTHER_ID), (3, OTHER_ID)], 4)

    def test_an_id_in_capitals_is_the_same(self, file: Path) -> None:
        lines = [a_customer(id=CUSTOMER.upper()), a_call(a_customer(id=CUSTOMER.upper()))]
        first, second = payloads(read(file, "\n".join(map(json.dumps, lines))))
        assert first["id"] == second["customer"]["id"] == CUSTOMER

    def test_a_bad_line_is_reported_by_its_number_and_stops_nothing(self, file: Path) -> None:
        good = json.dumps(a_customer())
        lines = [good, "{", "7", '{"event_type": "customer.merged"}', '{"callerId": "x"}', "", good]
        rows = read(file, "\n".join(lines))
        assert [line for line, _ in bad(rows)] == [2, 3, 4, 5]
        assert [row.line for row in rows if isinstance(row, Row)] == [1, 7]

    def test_a_field_that_could_hold_anything_costs_itself_alone(self, file: Path) -> None:
        [row] = read(file, json.dumps({"id": CUSTOMER, "doNotCall": [True], "city": "Mesa"}))
        assert isinstance(row, Row)
        assert (row.payload["city"], row.unclear) == ("Mesa", [("customer.doNotCall", "a list")])

    def test_a_field_of_another_type_costs_itself_alone(self, file: Path) -> None:
        [row] = read(file, json.dumps(a_customer(doNotCall="perhaps", city="Mesa")))
        assert isinstance(row, Row)
        assert ("doNotCall" in row.payload, row.payload["city"], row.unclear) == (
            False,
            "Mesa",
            [("customer.doNotCall", "not true or false")],
        )


class TestSteps:
    @pytest.mark.parametrize(("after", "steps"), [("", [(101, 100), (201, 100)]), ("101", [(201, 100)]), ("201", [])])
    def test_go_on_after_a_line_and_none_is_empty(self, file: Path, after: str, steps: list[tuple[int, int]]) -> None:
        file.write_text("id\n" + f"{CUSTOMER}\n" * 200)
        assert [(step.reached, len(step)) for step in file_steps(open_source(file), after)] == steps


class TestAFile:
    @pytest.mark.parametrize(
        "begin",
        [
            b"PK\x03\x04",
            b"\xff\xfei\0",
            b"\x1f\x8b\x08",
            b'[{"id"',
            b"",
            b"\n\n",
            "id,city".encode("utf-16-le"),
            "id,city".encode("utf-16-be"),
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        ],
    )
    def test_of_another_kind_is_refused_with_what_to_do(self, file: Path, begin: bytes) -> None:
        with pytest.raises(FixConfiguration):
            read(file, begin)

    def test_that_is_a_pipe_is_refused(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(FixConfiguration, match="is a pipe"):
            open_source(tmp_path / "pipe")

    @settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        st.binary(max_size=60) | st.text('a",;\r\n\t\\{}é= 1', max_size=40).map(str.encode),
        st.sampled_from([f"{OTHER},x", f'"{OTHER}","x"']),
    )
    def test_whatever_is_in_it_a_good_row_is_read(self, tmp_path: Path, neighbour: bytes, good: str) -> None:
        rows = read(tmp_path / "any.csv", f"id,city\n{CUSTOMER},".encode() + neighbour + f"\n{good}\n".encode())
        assert [row.payload["id"] for row in rows if isinstance(row, Row)][-1:] == [OTHER]

    @settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.binary(max_size=60) | st.text('a",;\r\n{}[]:é= 1', max_size=40).map(str.encode), st.booleans())
    def test_that_is_any_bytes_raises_nothing_else(self, tmp_path: Path, content: bytes, ndjson: bool) -> None:
        try:
            read(tmp_path / "any.csv", b'{"id": "' + content if ndjson else content)
        except FixConfiguration:
            return

    @pytest.mark.slow
    def test_is_read_in_memory_that_does_not_grow_with_it(self, file: Path) -> None:
        with file.open("w") as out:
            out.write("id,city\n")
            out.writelines(f"{CUSTOMER},Mesa\n" for _ in range(20_000))
        tracemalloc.start()
        try:
            count = sum(1 for _ in open_source(file).rows())
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert (count, peak < 2_000_000) == (20_000, True)
