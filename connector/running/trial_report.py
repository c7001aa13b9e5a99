"""The file with all that a trial exchanges with the CRM, every value replaced."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from io import FileIO
from pathlib import Path
from typing import Any, Final

from connector.destinations.overheard import Exchange, listening
from connector.errors import FixConfiguration
from connector.insight.trial.masked import Masking
from connector.mapping import Mapping

# No link is followed to another file, which would be overwritten, and no reader of a pipe is waited for.
_FLAGS: Final = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK


@dataclass(slots=True)
class Report:
    """problem: why something is missing in it; empty if nothing is. Without it the trial goes on, and cleans up."""

    file: FileIO
    problem: str = ""

    def add(self, entry: dict[str, Any]) -> None:
        """Write an entry, on a line of its own."""
        line = json.dumps(entry, ensure_ascii=False) + "\n"
        try:
            self.file.write(line.encode("utf-8", "replace"))
        except OSError as error:
            self.problem = f"it is not complete: {error.strerror}"


@contextmanager
def reported(path: Path, mapping: Mapping) -> Iterator[Report]:
    """Write all that is exchanged meanwhile to a file. Raises FixConfiguration."""
    names = {*mapping.writes, *mapping.looks_up, *(name for own in mapping.writes.values() for name in own)}
    masking = Masking(names)
    with _opened(path) as file:
        report = Report(file)
        report.add(
            {
                "about": "connector trial: requests and replies, with every value replaced",
                "connector": version("carecycle-crm-connector"),
                "crm": mapping.crm.name,
            }
        )

        def write(exchange: Exchange) -> None:
            report.add(masking.exchange(exchange))

        with listening(write):
            yield report


def _opened(path: Path) -> FileIO:
    try:
        file = FileIO(os.open(path, _FLAGS, 0o666), "w")
    except OSError as error:
        raise _unwritable(path, error.strerror or "") from None
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise _unwritable(path, "it is not a file")
    file.truncate()
    return file


def _unwritable(path: Path, why: str) -> FixConfiguration:
    return FixConfiguration(
        str(path), f"the report cannot be written: {why}", "remove what is there, or name another folder with --report"
    )
