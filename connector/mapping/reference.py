"""The parts of docs/mapping.md made from the code: `python -m connector.mapping.reference docs/mapping.md`."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from connector.carecycle.catalogue import FIELDS, Field, Kind
from connector.mapping.formats import FORMATS, Format

_PART = re.compile(r"(<!-- generated: (\w+) -->\n).*?(?=\n<!-- end -->)", re.DOTALL)


def formats() -> str:
    """Every format: what it takes and what it does, in its docstring's words."""
    return _table(("format", "takes", "gives", "what it does"), map(_format, FORMATS.values()))


def _format(one: Format) -> Sequence[str]:
    told = (inspect.getdoc(one.apply) or "").partition(">>>")[0]
    every = len(one.takes) == len(Kind) - 1  # an object is never a value
    takes = "anything" if every else ", ".join(kind for kind in Kind if kind in one.takes)
    return (f"`{one.name}`", takes, one.gives, " ".join(told.split()))


def fields() -> str:
    """Every field of the vocabulary with its type, its class and its closed values."""
    return _table(("field", "type", "class", "what it is, or its closed values"), map(_field, FIELDS.values()))


def _field(one: Field) -> Sequence[str]:
    return (f"`{one.path}`", one.kind, one.privacy, ", ".join(one.options) or one.about)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def put_in_place(page: str) -> str:
    """A page with its generated parts made anew."""
    made = {"formats": formats, "fields": fields}
    return _PART.sub(lambda found: found[1] + made[found[2]](), page)


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(put_in_place(path.read_text(encoding="utf-8")), encoding="utf-8")
