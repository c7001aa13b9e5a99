"""A clock that is wrong, for the processes that are started with its environment."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

SLEEP = """\
import select, time
time.sleep = lambda seconds: select.select([], [], [], seconds)
"""
"""Python's own sleeps until a moment of the monotonic clock, which libfaketime 0.9.10 refuses (EINVAL)."""


CACHED = 1
"""Seconds after which a process looks into the file again; one that is forked goes on with what its parent read."""


class FakeClock:
    """Off by `seconds`, until moved; monotonic time stays true, as on a real machine."""

    def __init__(self, folder: Path, seconds: float = 0) -> None:
        libraries = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
        if not libraries:
            pytest.skip("libfaketime is not installed: apt-get install faketime")
        place = folder / f"clock-{id(self)}"
        place.mkdir()
        (place / "sitecustomize.py").write_text(SLEEP)
        self.file = place / "offset"
        self.environment = {
            "LD_PRELOAD": str(libraries[0]),
            "FAKETIME_TIMESTAMP_FILE": str(self.file),
            "FAKETIME_CACHE_DURATION": str(CACHED),
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",  # its name in other releases
            "PYTHONPATH": str(place),
        }
        self.move(seconds)

    def move(self, seconds: float) -> None:
        """Set how far it is off: processes follow within about a second."""
        new = self.file.with_suffix(".new")
        new.write_text(f"{seconds:+}\n")
        new.replace(self.file)
        self._moved = time.monotonic()

    def is_known(self) -> bool:
        """Whether no process goes on with what it read before the last move."""
        return time.monotonic() - self._moved > 2 * CACHED
