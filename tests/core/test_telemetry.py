"""What is logged of the unexpected: its kind and place, never its text."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from connector.telemetry import Seldom

PROGRAM = """
import asyncio, atexit, flask, logging, threading, warnings
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
async def forgotten():
    asyncio.create_task(failing())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
async def failing():
    raise IndexError("canary")
asyncio.run(forgotten())
app = flask.Flask("pages")
app.get("/")(fail)
app.test_client().get("/")
atexit.register(lambda: {}["canary"])
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
        assert told.count("ValueError at <string>:6") == 4
        assert '"where": "lane"' in told
        assert '"library": "py.warnings"' in told
        assert "KeyError at <string>:17" in told

    def test_each_is_one_line_of_json(self) -> None:
        """A library's log, a thread, a warning, what is collected, asyncio, Flask, the program and its end."""
        lines = [json.loads(line) for line in self.told().splitlines()]
        assert [line["where"] for line in lines if "where" in line] == ["lane", "cleanup", "process", "cleanup"]
        assert [line["library"] for line in lines if "library" in line] == [
            "library",
            "py.warnings",
            "asyncio",
            "pages",
        ]

    def test_the_same_again_and_again_is_logged_once_a_minute(self) -> None:
        program = (
            "import logging\nfrom connector import telemetry\ntelemetry.configure()\n"
            "for _ in range(100):\n    telemetry.fault('door', None)\n    logging.getLogger('library').error('x')\n"
        )
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
        assert done.stderr.count(b"\n") == 2
