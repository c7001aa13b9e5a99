"""The process above the roles: none of them outlives it, and one that dies is soon back."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from connector.running.supervisor import YOUNG, _Role
from tests import processes
from tests.acceptance.product import Product
from tests.acceptance.test_run import a_visit


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
