"""Generate parts of docs/mapping.md from the code: `python -m connector.mapping.reference docs/mapping.md`."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from connector.carecycle.catalogue import FIELDS, Field
from connector.mapping.formats import FORMATS
from connector.mapping.steps.step import SINGLE, TEXTUAL, Example, Step

_PART = re.compile(r"(<!-- generated: (\w+) -->\n).*?(?=\n<!-- end -->)", re.DOTALL)


def formats() -> str:
    """List every format: what it takes and, in its docstring's words, what it gives."""
    return _table(("format", "takes", "gives", "result", "example"), map(_format, FORMATS.values()))


def _format(step: Step) -> Sequence[str]:
    shown = step.shown
    names = {SINGLE: "anything", TEXTUAL: "any text"}
    takes = names.get(shown.takes) or ", ".join(sorted(shown.takes))
    return (f"`{step.spelled}`", takes, shown.gives or "the same", step.about, f"`{_shown(step.example)}`")


def _shown(example: Example) -> str:
    return f"{json.dumps(example.value, ensure_ascii=False)} → {json.dumps(example.result, ensure_ascii=False)}"


def fields() -> str:
    """List every event field with its type, its class and its fixed values."""
    return _table(("field", "type", "class", "description, or its fixed values"), map(_field, FIELDS.values()))


def _field(field: Field) -> Sequence[str]:
    return (f"`{field.path}`", field.kind, field.privacy, ", ".join(field.options) or field.about)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def put_in_place(page: str) -> str:
    """Regenerate the generated parts of a page."""
    generators = {"formats": formats, "fields": fields}
    return _PART.sub(lambda part: part[1] + generators[part[2]](), page)


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(put_in_place(path.read_text(encoding="utf-8")), encoding="utf-8")
