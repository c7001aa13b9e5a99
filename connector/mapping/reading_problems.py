"""Report what does not fit the format, in the language of the file."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from pydantic_core import ErrorDetails

from connector.mapping import formulas, meant, misplaced
from connector.mapping.diagnostics import Report
from connector.mapping.formats import FORMATS
from connector.mapping.schema_blocks import keys_of, model_at
from connector.mapping.tree import Loc, Node, find, find_key
from connector.model import Rule

_LONGEST: Final = 80
_BLOCKS: Final = frozenset({"dict_type", "model_type", "model_attributes_type"})
_MEANT: Final[Mapping[str, Callable[[str], str]]] = {
    "list_type": lambda text: f"[{text}]",
    "bool_type": meant.boolean,
    "int_type": meant.number,
    "float_type": meant.number,
}
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
    "Within": "within:",
    "Lookup": "a lookup",
    "Otherwise": "else:",
    "Case": "a case",
    "Consent": "the consent section",
    "Raise": "a rule under raise:",
    "Test": "a test",
}


def report_problems(root: Node, loc: Loc, problems: list[ErrorDetails], report: Report) -> None:
    """Report the problems at one location."""
    if not misplaced.report(root, loc, report):
        _report(root, loc, problems, report)


def _report(root: Node, loc: Loc, problems: list[ErrorDetails], report: Report) -> None:
    first = problems[0]
    context = first.get("ctx", {})
    node = find(root, loc)
    match first["type"]:
        case "extra_forbidden":
            _report_unknown_key(root, loc, report)
        case "missing":
            _report_missing_keys(root, loc, problems, report)
        case "enum" if loc[-1] == "write":
            _report_write_rule(node, report)
        case "M121":
            hint = context["hint"] or report.suggest(context["word"], context["known"])
            report.add(node.place, "M121", first["msg"], hint)
        case "M111" | "several_sources":
            hint = _without_dashes(node) or misplaced.dash(root, loc) or context.get("hint", "")
            report.add(node.place, "M111", first["msg"], hint)
        case "M123":
            _report_argument(node, first["msg"], context["hint"], report)
        case _:
            _report_type(root, loc, problems, report)


def _report_type(root: Node, loc: Loc, problems: list[ErrorDetails], report: Report) -> None:
    """Report a value of another type. A format may have the name of a key whose value is text: `first: 3`."""
    node, message = find(root, loc), f"{_expected(problems)}, got {_got(find(root, loc))}"
    if problems[0]["type"] == "string_type" and loc and (hint := _as_step(str(loc[-1]), ["format"])):
        report.add(find_key(root, loc).place, "M110", message, hint)
    else:
        report.add(node.place, "M110", message, misplaced.instead(root, loc) or _hint(loc, problems, node))


def _hint(loc: Loc, problems: list[ErrorDetails], node: Node) -> str:
    if loc[-2:-1] == ("match",):
        return f"it takes a field of the event; for a fixed value write  where: {{ {loc[-1]}: ... }}"
    return _right(problems, node)


def _report_write_rule(node: Node, report: Report) -> None:
    word = str(node.value)[:_LONGEST]
    near = meant.word(word, list(Rule))
    hint = f"did you mean '{near}'?" if near else f"it is one of: {', '.join(Rule)}"
    report.add(node.place, "M160", f"unknown write rule '{word}'", hint)


def _report_argument(step: Node, message: str, hint: str, report: Report) -> None:
    written = next(iter(step.items.values()))[1] if len(step.items) == 1 else step
    report.add(written.place, "M123", f"{message}, got {_got(written)}", hint)


def _report_missing_keys(root: Node, loc: Loc, problems: list[ErrorDetails], report: Report) -> None:
    place = (find_key(root, loc) if loc else root).place
    for problem in problems:
        report.add(place, "M110", f"'{problem['loc'][-1]}' is missing here", misplaced.inherited(root, loc))


def _expected(problems: list[ErrorDetails]) -> str:
    first = problems[0]
    if len({problem["type"] for problem in problems}) > 1:
        return "expected a single value"
    expected = _EXPECTED.get(first["type"]) or first.get("ctx", {}).get("expected")
    return f"expected {expected}" if expected else first["msg"]


def _right(problems: list[ErrorDetails], node: Node) -> str:
    """What to write in place of a value of another type; empty if that is not clear."""
    kinds, text = {problem["type"] for problem in problems}, node.text[:_LONGEST]
    if kinds & _BLOCKS:
        compared = formulas.comparison(text)
        return f"write  {{ {compared} }}" if compared else _without_dashes(node)
    for kind, means in _MEANT.items():
        if kind in kinds and text and (right := means(text)):
            return f"write  {right}"
    options = re.findall(r"'([^']*)'", str(problems[0].get("ctx", {}).get("expected", "")))
    near = meant.word(text, options) if text else ""
    return f"did you mean '{near}'?" if near else ""


def _without_dashes(node: Node) -> str:
    """What to do with a list each of whose entries is a line of a block; empty if it is none."""
    items = node.value if isinstance(node.value, list) else []
    return "remove the dash from each of these lines" if items and all(len(item.items) == 1 for item in items) else ""


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


def _as_step(word: str, known: Sequence[str]) -> str:
    """How a format is written that was taken for a key of its own."""
    if word not in FORMATS or "format" not in known:
        return ""
    return (
        f"it is a format: write  format: {{ {FORMATS[word].spelled} }}"
        if FORMATS[word].argument
        else f"write  format: {word}"
    )


def _report_unknown_key(root: Node, loc: Loc, report: Report) -> None:
    word = str(loc[-1])
    block = model_at(loc[:-1])
    known = keys_of(block) if block else ()
    message = f"unknown key '{word}' in {_NAMES.get(block.__name__, 'this block') if block else 'this block'}"
    written = find(root, loc)
    if word == "remove" and written.text:
        report.add(find_key(root, loc).place, "M110", "remove: takes a list", f"write  remove: [{written.text}]")
        return
    hint = misplaced.key(root, loc, known) or _as_step(word, known) or report.suggest(word, known)
    hint = hint or (f"known here: {', '.join(known)}" if known else "")
    report.add(find_key(root, loc).place, "M110", message, hint)
