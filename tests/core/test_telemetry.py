"""What is logged of the unexpected: its kind and place, never its text."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from connector.telemetry import Seldom

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


class TestALineThatComesAgainAndAgain:
    def test_is_let_through_once_a_minute_and_tells_how_often_it_was_held_back(self) -> None:
        now = [0.0]
        seldom = Seldom(lambda: now[0])
        let_through = []
        for now[0] in range(0, 150, 10):
            let_through.append(seldom("door", f"no commit within {now[0]} s"))
        assert let_through == [0, *[None] * 5, 5, *[None] * 5, 5, None, None]

    def test_holds_back_no_other(self) -> None:
        seldom = Seldom(lambda: 0.0)
        assert [seldom("door", "the disk is full"), seldom("worker", "the disk is full"), seldom("door", "x")] == [
            0
        ] * 3

    def test_takes_no_memory_however_many_there_are(self) -> None:
        seldom = Seldom(lambda: 0.0)
        assert {seldom("door", "x" * number) for number in range(2_000)} == {0}
        assert seldom("door", "x") == 0  # the oldest were forgotten


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
