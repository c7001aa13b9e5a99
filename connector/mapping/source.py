"""Read YAML text into a tree, reporting everything that is not YAML or that the language does not allow."""

from __future__ import annotations

from typing import Any, Final

import yaml

from connector.mapping.diagnostics import Place, Report, Severity
from connector.mapping.slip_lines import Slip, lines_of
from connector.mapping.slips import SPACE_SLIP, corrected, slip_in, slips
from connector.mapping.tree import Node, plain
from connector.mapping.tree_builder import RefusedError, TreeBuilder

MAX_BYTES: Final = 1_000_000


_Parser: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml where PyYAML was built with it


def read(content: bytes, file: str, report: Report) -> tuple[str, Node | None]:
    """Return the text of a mapping file and its tree; no tree if the text is not YAML or was refused."""
    top = Place(file, 1, 1)
    if len(content) > MAX_BYTES:
        report.add(
            top, "Y004", "the file is larger than 1 MB", "a mapping is a few hundred lines: split it with extends:"
        )
        return "", None
    try:
        text = content.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        place = Place(file, before.count(b"\n") + 1, error.start - before.rfind(b"\n"))
        report.add(place, "Y001", "the file is not UTF-8", "save it as UTF-8")
        return "", None
    return text, _tree(text, file, report)


def value(text: str) -> Any:
    """Return one value as a mapping would have it. Raises ValueError where it is not YAML, or not allowed in one."""
    report = Report()
    try:
        root = _built(text, "", report).root
    except (RefusedError, yaml.YAMLError):
        root = None
    if root is None or report.failed:
        raise ValueError("not a value of a mapping")
    return plain(root)


def _tree(text: str, file: str, report: Report) -> Node | None:
    try:
        builder = _built(text, file, report)
    except RefusedError:
        return None
    except yaml.YAMLError as error:
        for slip in _reasons(text, error):
            report.add(Place(file, slip.line, slip.col), "Y001", slip.message, slip.hint)
        return None
    for place, written in builder.slips:
        problem, whole = slip_in(written), lines_of(text)[place.line - 1]
        severity = Severity.WARNING if problem == SPACE_SLIP else None  # it may be meant
        report.add(place, "Y005", problem, f"write  {corrected(whole)}", severity)
    if builder.root is None or not isinstance(builder.root.value, dict):
        place = builder.root.place if builder.root else Place(file, 1, 1)
        report.add(place, "Y001", "this is not a mapping file", "it starts with  version: 1")
        return None
    return builder.root


def _reasons(text: str, error: yaml.YAMLError) -> list[Slip]:
    """Return why a text is not YAML."""
    if isinstance(error, yaml.MarkedYAMLError) and (mark := error.problem_mark or error.context_mark):
        unknown = Slip(mark.line + 1, mark.column + 1, f"not YAML: {error.problem or error.context}")
        return slips(text, unknown.line) or [unknown]
    line = text.count("\n", 0, getattr(error, "position", 0)) + 1
    return [Slip(line, 1, "not YAML: it contains a character that YAML does not allow")]


def _built(text: str, file: str, report: Report) -> TreeBuilder:
    """Build the tree. Raises RefusedError and yaml.YAMLError.

    Some versions of the C parser read ahead and stop at a nesting limit of their own, before our limit is reached. The
    Python parser then tells a file that nests too deeply from one that is not YAML.
    """
    builder = TreeBuilder(file, report)
    try:
        builder.build(yaml.parse(text, Loader=_Parser))
    except yaml.scanner.ScannerError:
        TreeBuilder(file, report).check_depth(yaml.parse(text, Loader=yaml.SafeLoader))
        raise
    return builder
