"""What people see of a long command that does not run on a terminal."""

from __future__ import annotations

import pytest

from connector.cli.progress import progress, stoppable


class TestLines:
    def test_come_every_half_minute_with_what_is_left(self, capsys: pytest.CaptureFixture[str]) -> None:
        now = [0.0]
        with progress("reading", 5000, lambda: None, lambda: now[0]) as show:
            for count in range(1, 101):
                now[0] = 2.0 * count
                show(count, 5_000)
        said = capsys.readouterr().err.splitlines()
        assert said[:2] == ["15 of 5,000 so far, about 2 hours left", "30 of 5,000 so far, about 2 hours left"]
        assert len(said) == 6

    def test_come_for_each_step_where_nothing_takes_long(self, capsys: pytest.CaptureFixture[str]) -> None:
        with progress("reading", 500, lambda: None, lambda: 0.0) as show:
            for count in range(0, 1100, 100):
                show(count)
        assert capsys.readouterr().err == "500 so far\n1000 so far\n"


def test_an_interruption_says_what_becomes_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as raised, stoppable("the same command goes on"):
        raise KeyboardInterrupt
    assert (raised.value.code, capsys.readouterr().err) == (130, "the same command goes on\n")
