"""A source in steps of some customers, each with the place where to go on after it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from connector.source.client import PAGE, CareCycle
from connector.source.files import NO_ID, Row, SourceFile
from connector.source.quoting import BadRow

STEP: Final = 100
LACKING: Final = "fewer customers on the page than careCycle says"

Payload = Mapping[str, Any]


@dataclass(slots=True)
class Step:
    """Some customers and calls, in the shape of webhooks.

    cursor: names the step, to go on after it. reached, total: how much of the source is read, of how much if known.
    bad: what could not be used: where, and why. unclear: the fields left out, and why.
    """

    cursor: str = ""
    reached: int = 0
    total: int | None = None
    payloads: list[Payload] = field(default_factory=list)
    bad: list[tuple[str, str]] = field(default_factory=list)
    unclear: list[tuple[str, str]] = field(default_factory=list)

    def add(self, row: Row | BadRow) -> None:
        """Add a row of a file."""
        self.reached, self.cursor = row.line, str(row.line)
        if isinstance(row, BadRow):
            self.bad.append((f"line {row.line}", row.why))
        else:
            self.payloads.append(row.payload)
            self.unclear.extend(row.unclear)

    def __len__(self) -> int:
        return len(self.payloads) + len(self.bad)


def file_steps(file: SourceFile, cursor: str) -> Iterator[Step]:
    """Yield a file's rows after the line that the cursor names."""
    done, step = int(cursor or 0), Step()
    for row in file.rows():
        if row.line > done:
            step.add(row)
        if len(step) >= STEP:
            yield step
            step = Step()
    if len(step):
        yield step


def api_steps(api: CareCycle, cursor: str) -> Iterator[Step]:
    """Yield careCycle's customers from the page that the cursor names, by pages. Raises SourceUnusable.

    That page is read once more: those on the next one may have moved up to it.
    """
    first = int(cursor or 1)
    reached = PAGE * (first - 1)
    for page in api.pages(first):
        reached += len(page.customers) + page.unreadable
        bad = [(f"page {page.number}, item {place}", NO_ID) for place in page.places]
        bad += [(f"page {page.number}", LACKING)] * bool(page.lacking)
        yield Step(str(page.number), reached, page.total, [*page.customers], bad, [*page.unclear])
