"""The process above the roles: none of them outlives it, and one that dies is soon back."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from connector.running.supervisor import YOUNG, _Role
from connector.store.tables import REVISION
from tests import processes
from tests.acceptance.product import Product
from tests.acceptance.test_run import a_visit
from tests.builders import DATA_KEY


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Product]:
    product = Product(tmp_path, f"sqlite:///{tmp_path}/connector.db")
    product.start()
    product.ready()
    yield product
    product.close()


class TestKilledSupervisor:
    @pytest.mark.slow
    def test_its_roles_end_with_it_and_the_next_one_takes_over(self, running: Product) -> None:
        assert running.process is not None
        left = running.children()
        assert left.keys() == {"receive", "work"}
        os.kill(running.process.pid, signal.SIGKILL)
        running.process.wait()
        running.until(lambda: all(map(processes.ended, left.values())))
        running.start()
        running.ready()
        assert running.post(a_visit(1)) == 204
        running.until(lambda: running.landed() == (1, 1, 1, 1))


class TestAheadOfTheRoles:
    def run(self, work: str, folder: Path) -> subprocess.CompletedProcess[str]:
        """Do this ahead of the roles, and say what the process that waited for it has of Alembic."""
        script = f"""
import sys, time
from connector.running.supervisor import Ahead
from connector.store import open_store
def make(name):
    open_store(f"sqlite:///{folder}/{{name}}.db", {{"CONNECTOR_DATA_KEY": "{DATA_KEY}"}}).close()
Ahead(lambda: {work}).wait(lambda: False, 60)
print([name for name in sys.modules if name.startswith("alembic")])
"""
        command = [sys.executable, "-c", script]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)

    def test_the_tables_are_made_and_what_made_them_is_in_no_other_process(self, tmp_path: Path) -> None:
        assert self.run('make("connector")', tmp_path).stdout == "[]\n"
        with closing(sqlite3.connect(tmp_path / "connector.db")) as made:
            assert made.execute("SELECT version_num FROM alembic_version").fetchone() == (REVISION,)

    def test_what_fails_there_is_left_for_the_roles_to_report(self, tmp_path: Path) -> None:
        done = self.run('make("no/such/folder")', tmp_path)
        assert (done.stdout, done.stderr) == ("[]\n", "")

    @pytest.mark.parametrize("until", ["lambda: True", "lambda: False, 0.1"], ids=["a signal", "its time is up"])
    def test_it_is_ended_on(self, until: str) -> None:
        script = f"import signal; from connector.running.supervisor import Ahead; Ahead(signal.pause).wait({until})"
        subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


class TestKilledRole:
    @pytest.mark.slow
    @pytest.mark.parametrize("role", ["receive", "work"])
    def test_it_is_soon_another_process(self, running: Product, role: str) -> None:
        before = running.children()[role]
        running.kill(role)
        running.until(lambda: running.children().get(role, before) != before)
        running.ready()

    def test_one_that_has_run_for_a_while_is_started_at_once(self) -> None:
        role = _Role("work")
        for now in (100.0, 200.0):
            self.ended(role, now, now + YOUNG)
            assert role.due(now + YOUNG)

    def test_one_that_keeps_dying_young_is_started_less_and_less_often(self) -> None:
        role, waits = _Role("work"), []
        for now in (100.0, 200.0, 300.0):
            self.ended(role, now, now + YOUNG / 2)
            waits.append(role.wait)
            assert not role.due(now + role.wait - 0.1)
            assert role.due(now + role.wait)
        assert waits == [1.0, 2.0, 4.0]

    @staticmethod
    def ended(role: _Role, began: float, now: float) -> None:
        """A process of this role that began then, and ends now."""
        with subprocess.Popen([sys.executable, "-c", "raise SystemExit(1)"]) as process:
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
            role.pid, role.began = process.pid, began
            assert role.ended(now) == 1
