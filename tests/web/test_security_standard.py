"""What a security standard asks for and no other test shows (docs/asvs.md)."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from connector.insight import notify

CODE = Path(notify.__file__).parent.parent
EVALUATING = {"eval", "exec", "compile", "__import__"}
STARTING = {"subprocess", "pickle", "marshal", "shelve", "ctypes"}
STARTS = {
    "cli/stage.py": "the demo starts the connector itself",
    "running/memory.py": "tells the C library to give memory back",
}
RAW_SQL = {"store/dialect.py", "store/durable.py", "store/line.py"}
"""They put settings into statements: numbers and names of their own."""


def calls() -> Iterator[tuple[str, ast.Call]]:
    for path in CODE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                yield path.relative_to(CODE).as_posix(), node


class TestTheCode:
    def test_evaluates_no_text_but_one_that_has_nothing_of_its_input(self) -> None:
        """It depends on how fields are read and written, and on nothing else: tests/core/test_field_reader.py."""
        called = [(name, call.func.id) for name, call in calls() if isinstance(call.func, ast.Name)]
        assert [place for place in called if place[1] in EVALUATING] == [("mapping/field_reader.py", "compile")]

    def test_starts_no_program_and_reads_no_objects(self) -> None:
        imported = {
            (path.relative_to(CODE).as_posix(), alias.name)
            for path in CODE.rglob("*.py")
            for node in ast.walk(ast.parse(path.read_text("utf-8")))
            if isinstance(node, ast.Import)
            for alias in node.names
        }
        assert {name for name, module in imported if module in STARTING} == set(STARTS)

    def test_puts_nothing_into_a_statement_but_settings_of_its_own(self) -> None:
        raw = {
            name
            for name, call in calls()
            if ast.unparse(call.func).rpartition(".")[2] in ("text", "exec_driver_sql")
            and any(isinstance(given, ast.JoinedStr | ast.BinOp) for given in call.args)
            and name.startswith("store/")
            and "migrations" not in name
        }
        assert raw <= RAW_SQL


class TestTheConsole:
    @pytest.mark.parametrize("page", ["/console/login", "/console", "/livez", "/metrics"])
    def test_answers_no_trace(self, app: Flask, page: str) -> None:
        answer = app.test_client().open(page, method="TRACE", headers={"X-Secret": "canary"})
        assert (answer.status_code in (404, 405), b"canary" in answer.data) == (True, False)

    def test_lets_no_other_origin_read(self, operator: FlaskClient) -> None:
        answer = operator.get("/console", headers={"Origin": "https://evil.example"})
        assert [name for name, _ in answer.headers if name.lower().startswith("access-control")] == []

    def test_asks_for_a_password_as_managers_expect_it(self, stranger: FlaskClient) -> None:
        page = stranger.get("/console/login").text
        (field,) = re.findall(r"<input[^>]*name=\"password\"[^>]*>", page)
        assert 'type="password"' in field
        assert 'autocomplete="current-password"' in field
        assert "onpaste" not in page

    @pytest.mark.parametrize("page", ["", "/events", "/problems", "/consent", "/log"])
    def test_offers_to_log_out_on_every_page(self, operator: FlaskClient, page: str) -> None:
        assert 'action="/console/logout"' in operator.get(f"/console{page}").text

    def test_escapes_what_is_in_an_address(self, operator: FlaskClient) -> None:
        typed = "<script>alert(1)</script>\"'><img src=x>"
        for page in ("/events", "/why", "/log", "/people"):
            for name in ("q", "thing", "message_id", "customer", "who", "text"):
                answer = operator.get(f"/console{page}", query_string={name: typed})
                assert "<script>alert" not in answer.text
                assert "<img src=x>" not in answer.text


class TestMail:
    def test_no_line_break_becomes_a_header(self) -> None:
        mail = notify.Mail(["a@x.example"], "c@x.example", "127.0.0.1", 1, "none")
        with pytest.raises(ValueError, match="linefeed or carriage return"):
            notify.send(mail, "hot\r\nBcc: d@x.example", "body")
