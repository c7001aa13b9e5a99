"""Report what does not fit the format, in the language of the file."""

from __future__ import annotations

from typing import Final

from pydantic_core import ErrorDetails

from connector.mapping.diagnostics import Report
from connector.mapping.schema_blocks import keys_of, model_at
from connector.mapping.tree import Loc, Node, find, find_key
from connector.model import Rule

_EXPECTED: Final = {
    "string_type": "text",
    "bool_type": "true or false",
    "int_type": "a whole number",
    "float_type": "a number",
    "list_type": "a list",
    "dict_type": "a block",
    "model_type": "a block",
    "model_attributes_type": "a block",
    "too_short": "at least one entry",
    "too_long": "exactly one entry",
}
_NAMES: Final = {
    "File": "a mapping file",
    "Record": "a record",
    "MappedField": "a field",
    "Source": "a source",
    "Key": "a key",
    "Comparison": "a condition",
    "Lookup": "a lookup",
    "Case": "a case",
    "Consent": "the consent section",
    "Raise": "a rule under raise:",
    "Test": "a test",
}


def report_problems(root: Node, loc: Loc, problems: list[ErrorDetails], report: Report) -> None:
    """Report the problems at one location."""
    first = problems[0]
    context = first.get("ctx", {})
    node = find(root, loc)
    match first["type"]:
        case "extra_forbidden":
            _report_unknown_key(root, loc, report)
        case "missing":
            _report_missing_keys(root, loc, problems, report)
        case "enum" if loc[-1] == "write":
            word = str(node.value)
            report.add(node.place, "M160", f"unknown write rule '{word}'", report.suggest(word, list(Rule)))
        case "M121":
            report.add(node.place, "M121", first["msg"], report.suggest(context["word"], context["known"]))
        case "M111" | "several_sources":
            report.add(node.place, "M111", first["msg"], context.get("hint", ""))
        case _:
            report.add(node.place, "M110", f"{_expected(problems)}, got {_got(node)}")


def _report_missing_keys(root: Node, loc: Loc, problems: list[ErrorDetails], report: Report) -> None:
    place = (find_key(root, loc) if loc else root).place
    for problem in problems:
        report.add(place, "M110", f"'{problem['loc'][-1]}' is missing here")


def _expected(problems: list[ErrorDetails]) -> str:
    first = problems[0]
    if len({problem["type"] for problem in problems}) > 1:
        return "expected a single value"
    expected = _EXPECTED.get(first["type"]) or first.get("ctx", {}).get("expected")
    return f"expected {expected}" if expected else first["msg"]


def _got(node: Node) -> str:
    match node.value:
        case dict():
            return "a block" if node.value else "an empty block"
        case list():
            return "a list" if node.value else "an empty list"
        case None:
            return "nothing"
        case str():
            return f"the text '{node.value[:40]}'"
        case value:
            return str(value).lower()


def _report_unknown_key(root: Node, loc: Loc, report: Report) -> None:
    word = str(loc[-1])
    block = model_at(loc[:-1])
    known = keys_of(block) if block else ()
    message = f"unknown key '{word}' in {_NAMES.get(block.__name__, 'this block') if block else 'this block'}"
    hint = report.suggest(word, known) or (f"known here: {', '.join(known)}" if known else "")
    report.add(find_key(root, loc).place, "M110", message, hint)
