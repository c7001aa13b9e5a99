"""What a backfill reads from."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from connector.settlement.newest import Origin
from connector.source.columns import Column
from connector.source.files import open_source, reading
from connector.source.steps import Step, file_steps
from connector.store import Store


@dataclass(frozen=True, slots=True)
class Source:
    """Where customers come from.

    content: names what is in it, and is another where that is another. unit: what a cursor counts. total: of what a
    step's `reached` counts, if it is known.
    """

    origin: Origin
    content: str
    unit: str
    steps: Callable[[str], Iterator[Step]]
    total: int | None = None
    columns: Sequence[Column] = ()


def file_source(path: Path, encoding: str, store: Store) -> Source:
    """Open a file. Raises FixConfiguration."""
    file = open_source(path, encoding)
    content, lines = hashlib.sha256(), 0
    with reading(path) as opened:
        while block := opened.read(1 << 20):
            content.update(block)
            lines += block.count(b"\n")
    named = store.database.digest(f"{content.hexdigest()} {encoding}")
    return Source(Origin.FILE, named, "line", lambda cursor: file_steps(file, cursor), lines, file.columns)
