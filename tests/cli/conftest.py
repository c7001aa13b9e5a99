"""Whatever a test here prints with `--json` is as the JSON Schema says."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest
from click.testing import CliRunner, Result
from jsonschema import Draft202012Validator

from connector.cli import cli
from connector.cli.json_schema import output_schema


@pytest.fixture(autouse=True)
def _held_to_the_schema(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compare what commands print with the schema, in whatever situation a test puts them."""
    invoke = CliRunner.invoke

    def compared(self: CliRunner, command: Any, args: Any = None, *more: Any, **named: Any) -> Result:
        result = invoke(self, command, args, *more, **named)
        if command is cli and "--json" in (args or ()):
            hold_to_the_schema(list(args), result.stdout)
        return result

    monkeypatch.setattr(CliRunner, "invoke", compared)


def hold_to_the_schema(arguments: list[str], output: str) -> Any:
    """Raise AssertionError if a command printed JSON that its schema does not describe. Returns the JSON."""
    try:
        data = json.loads(output)
    except ValueError:  # it failed, or asked something first
        return None
    faults = [f"{fault.json_path}: {fault.message}" for fault in validator(words_of(arguments)).iter_errors(data)]
    assert faults == [], arguments
    return data


@cache
def validator(words: str) -> Draft202012Validator:
    schema = every_schema()["$defs"][words]
    Draft202012Validator.check_schema(schema)  # of this command alone: of all together it takes longer than most tests
    return Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)


@cache
def every_schema() -> dict[str, Any]:
    return output_schema(cli)


def words_of(arguments: list[str]) -> str:
    """The command in its arguments; `audit` alone lists."""
    own = [name for name in every_schema()["$defs"] if arguments[: len(name.split())] == name.split()]
    return max(own, default="audit list", key=len)
