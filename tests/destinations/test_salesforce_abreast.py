"""Calls side by side."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import structlog

from connector.destinations.salesforce.abreast import Abreast


@pytest.fixture
def abreast() -> Iterator[Abreast]:
    three = Abreast(3)
    yield three
    three.close()


class TestAbreast:
    def test_calls_are_under_way_at_once(self, abreast: Abreast) -> None:
        all_here = threading.Barrier(3, timeout=60)
        assert sorted(abreast([all_here.wait] * 3)) == [0, 1, 2]

    def test_no_more_than_its_width_are(self, abreast: Abreast) -> None:
        all_here = threading.Barrier(4, timeout=0.2)
        with pytest.raises(threading.BrokenBarrierError):
            abreast([all_here.wait] * 4)

    def test_a_width_of_one_is_one_after_the_other(self) -> None:
        here = threading.get_ident()
        assert Abreast(1)([threading.get_ident] * 3) == [here] * 3

    def test_answers_come_in_order(self, abreast: Abreast) -> None:
        second_done = threading.Event()

        def first() -> str:
            second_done.wait(60)
            return "first"

        def second() -> str:
            second_done.set()
            return "second"

        assert abreast([first, second]) == ["first", "second"]

    def test_a_failure_waits_for_what_is_under_way(self, abreast: Abreast) -> None:
        failed, done = threading.Event(), []

        def fails() -> None:
            failed.set()
            raise KeyError("one")

        def goes_on() -> None:
            failed.wait(60)
            done.append(True)

        with pytest.raises(KeyError, match="one"):
            abreast([fails, goes_on])
        assert done == [True]

    def test_logs_keep_the_name_of_the_batch(self, abreast: Abreast) -> None:
        with structlog.contextvars.bound_contextvars(batch="b1"):
            told = abreast([structlog.contextvars.get_contextvars] * 2)
        assert [one["batch"] for one in told] == ["b1", "b1"]
