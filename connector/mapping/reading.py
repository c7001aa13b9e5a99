"""Read a file's tree into the format's model; whatever does not fit is reported at its place and left out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any, Final, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from connector.crm import Crm
from connector.mapping.diagnostics import Report
from connector.mapping.schema import File
from connector.mapping.schema_conditions import Comparison, Condition
from connector.mapping.schema_sources import SEVERAL
from connector.mapping.tree import Loc, Node, find, find_key, plain
from connector.model import Rule

_PASSES = 12  # each pass removes what the previous one reported; no file nests deeper
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


def model(root: Node, report: Report, crms: Mapping[str, Crm]) -> File | None:
    """Read as much of the file as possible; None if its first lines are missing."""
    written: Any = plain(root)
    removed: set[Loc] = set()
    for _ in range(_PASSES):
        try:
            return File.model_validate(written, context={"crms": crms})
        except ValidationError as error:
            problems = error.errors(include_url=False, include_input=False)
        by_loc = _by_loc(root, problems)
        for loc, at_loc in by_loc.items():
            # Once something inside was reported and removed, what is wrong around it follows from that.
            if at_loc[0]["type"] == SEVERAL or loc not in removed:
                _report(root, loc, at_loc, report)
        if () in by_loc:
            return None
        for loc in by_loc:
            _remove(written, loc)
            removed |= {loc[:depth] for depth in range(len(loc) + 1)}
    return None


def _by_loc(root: Node, problems: Iterable[ErrorDetails]) -> dict[Loc, list[ErrorDetails]]:
    """Group the problems by their place in the file; pydantic's locations also name the branches it tried."""
    grouped: dict[Loc, list[ErrorDetails]] = {}
    for problem in problems:
        missing = problem["type"] == "missing"
        loc = _written(root, problem["loc"][:-1] if missing else problem["loc"])
        grouped.setdefault(loc, []).append(problem)
    return grouped


def _written(root: Node, loc: Loc) -> Loc:
    """Drop the parts of a location that are not in the file."""
    path: list[str | int] = []
    node = root
    for part in loc:
        below = find(node, (part,))
        if below is not node:
            path.append(part)
            node = below
    return tuple(path)


def _remove(written: Any, loc: Loc) -> None:
    """Remove the entry at a location; for a list item, the entry that holds the list."""
    while loc and isinstance(loc[-1], int):
        loc = loc[:-1]
    for part in loc[:-1]:
        try:
            written = written[part]
        except (KeyError, IndexError, TypeError):
            return  # something around it is already gone
    written.pop(loc[-1], None)


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
    block = _model_at(loc[:-1])
    known = _keys(block) if block else ()
    message = f"unknown key '{word}' in {_NAMES.get(block.__name__, 'this block') if block else 'this block'}"
    hint = report.suggest(word, known) or (f"known here: {', '.join(known)}" if known else "")
    report.add(find_key(root, loc).place, "M110", message, hint)


@cache
def _keys(block: type[BaseModel]) -> tuple[str, ...]:
    return tuple(declared.alias or name for name, declared in block.model_fields.items())


def _model_at(loc: Loc) -> type[BaseModel] | None:
    """Return the model that reads the block at a location."""
    current: Any = File
    for part in loc:
        if isinstance(current, type) and issubclass(current, BaseModel):
            current = _annotation(current, str(part))
        else:
            current = next(_inside(current), None)
        if current is None:
            return None
    return current if isinstance(current, type) and issubclass(current, BaseModel) else None


def _annotation(block: type[BaseModel], key: str) -> Any:
    for name, declared in block.model_fields.items():
        if key == (declared.alias or name):
            return _plain_type(declared.annotation)
    return Comparison if block is Condition else None


def _plain_type(annotation: Any) -> Any:
    """Return the block of a union, or the container itself."""
    options = [option for option in get_args(annotation) if option is not type(None)]
    is_container = getattr(annotation, "__origin__", None) in (list, dict)
    return annotation if is_container or not options else options[0]


def _inside(container: Any) -> Iterator[Any]:
    """Yield the type that a list or a dictionary holds."""
    arguments = get_args(container)
    if arguments:
        yield _plain_type(arguments[-1])
