"""What is logged of the unexpected: its kind and place, never its text."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import logging, threading, warnings
from connector import telemetry
telemetry.configure("debug")
def fail():
    raise ValueError("canary")
try:
    fail()
except ValueError:
    logging.getLogger("library").exception("canary")
thread = threading.Thread(target=fail, name="lane")
thread.start()
thread.join()
warnings.warn("canary")
class Cleared:
    def __del__(self):
        raise KeyError("canary")
Cleared()
fail()
"""


class TestALogNobodyCanWrite:
    def test_stops_nothing(self) -> None:
        program = "from connector import telemetry; telemetry.configure(); telemetry.store_unavailable('door', 'x')"
        with Path("/dev/full").open("wb") as full:
            assert subprocess.run([sys.executable, "-uc", program], stderr=full, check=False).returncode == 0


class TestTheUnexpected:
    def told(self) -> str:
        done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, check=False)
        return (done.stdout + done.stderr).decode()

    def test_no_text_of_an_exception_or_a_library_is_told(self) -> None:
        assert "canary" not in self.told()

    def test_its_kind_and_place_are(self) -> None:
        told = self.told()
        assert told.count("ValueError at <string>:6") == 3
        assert '"where": "lane"' in told
        assert "WARNING py.warnings" in told
        assert "KeyError at <string>" in told
