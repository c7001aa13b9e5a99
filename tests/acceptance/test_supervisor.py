"""The process above the roles: none of them outlives it, and one that dies is soon back."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from connector.running.supervisor import YOUNG, _Role
from tests.acceptance.product import Product, alive
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
        running.until(lambda: not any(map(alive, left.values())), patience=20)
        running.start()
        running.ready()
        assert running.post(a_visit(1)) == 204
        running.until(lambda: running.landed() == (1, 1, 1, 1))


class TestKilledRole:
    @pytest.mark.slow
    @pytest.mark.parametrize("role", ["receive", "work"])
    def test_it_is_another_process_within_a_moment(self, running: Product, role: str) -> None:
        began = time.monotonic()
        running.until(lambda: time.monotonic() - began > YOUNG)
        before = running.children()[role]
        running.kill(role)
        began = time.monotonic()
        running.until(lambda: running.children().get(role, before) != before, patience=10)
        assert time.monotonic() - began < 1.0
        running.ready()

    def test_one_that_keeps_dying_young_is_started_less_and_less_often(self) -> None:
        role, waits = _Role("work"), []
        for now in (100.0, 200.0, 300.0):
            with subprocess.Popen([sys.executable, "-c", "raise SystemExit(1)"]) as process:
                os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
                role.pid, role.began = process.pid, now
                assert role.ended(now + YOUNG / 2) == 1
            waits.append(role.wait)
            assert not role.due(now + role.wait - 0.1)
            assert role.due(now + role.wait)
        assert waits == [1.0, 2.0, 4.0]
