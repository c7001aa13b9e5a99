"""Show diagnostics: as text with source lines, as JSON, and as SARIF."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import PurePath
from typing import Any

from connector.mapping.diagnostics import Diagnostic, Severity
from connector.mapping.secrecy import masked_line

_SHOWN = 160  # characters of a source line worth showing


def render(diagnostics: Iterable[Diagnostic], texts: Mapping[str, str]) -> str:
    """Show findings as text: each with its source line and a caret, then a count for each file."""
    findings = list(diagnostics)
    lines = {file: texts[file].splitlines() for file in {d.file for d in findings} if file in texts}
    shown = [line for d in findings for line in _shown(d, lines.get(d.file, []))]
    return "\n".join([*shown, *(f"{file}: {count}" for file, count in _counts(findings))])


def _shown(diagnostic: Diagnostic, lines: Sequence[str]) -> Iterable[str]:
    yield str(diagnostic)
    if 0 < diagnostic.line <= len(lines):
        source = lines[diagnostic.line - 1]
        shown = masked_line(source)
        start = max(0, diagnostic.col - _SHOWN // 2) if len(source) > _SHOWN and shown == source else 0
        window = shown[start : start + _SHOWN]
        yield "    | " + "".join(char if char.isprintable() else " " for char in window)
        if shown[: diagnostic.col] == source[: diagnostic.col]:  # else the place is not where it was
            yield "    | " + " " * (diagnostic.col - 1 - start) + "^"
    if diagnostic.hint:
        yield f"    = hint: {diagnostic.hint}"


def _counts(findings: Sequence[Diagnostic]) -> Iterable[tuple[str, str]]:
    for file in dict.fromkeys(d.file for d in findings):
        numbers = [(kind, sum(d.file == file and d.severity is kind for d in findings)) for kind in Severity]
        yield file, ", ".join(f"{count} {kind}{'' if count == 1 else 's'}" for kind, count in numbers if count)


def to_json(diagnostics: Iterable[Diagnostic]) -> list[dict[str, Any]]:
    """Return findings as plain values for `--json`."""
    return [asdict(d) for d in diagnostics]


def to_sarif(diagnostics: Iterable[Diagnostic]) -> dict[str, Any]:
    """Return findings as a SARIF 2.1.0 log: https://docs.oasis-open.org/sarif/sarif/v2.1.0/"""
    findings = list(diagnostics)
    rules = [{"id": code} for code in sorted({d.code for d in findings})]
    tool = {"driver": {"name": "connector", "rules": rules}}
    run = {"tool": tool, "columnKind": "unicodeCodePoints", "results": [_sarif_result(d) for d in findings]}
    schema = "https://json.schemastore.org/sarif-2.1.0.json"
    return {"$schema": schema, "version": "2.1.0", "runs": [run]}


def _sarif_result(diagnostic: Diagnostic) -> dict[str, Any]:
    location = {
        "artifactLocation": {"uri": _uri(diagnostic.file)},
        "region": {"startLine": diagnostic.line, "startColumn": diagnostic.col},
    }
    return {
        "ruleId": diagnostic.code,
        "level": str(diagnostic.severity),
        "message": {"text": diagnostic.message + (f" ({diagnostic.hint})" if diagnostic.hint else "")},
        "locations": [{"physicalLocation": location}],
    }


def _uri(file: str) -> str:
    """Return a file's name as a URI reference.

    >>> _uri("our maps/é.yaml")
    'our%20maps/%C3%A9.yaml'
    """
    name = PurePath(file).as_posix().encode("utf-8", "surrogatepass")
    return re.sub(rb"[^\w./~-]", lambda match: b"%%%02X" % match[0][0], name).decode()
