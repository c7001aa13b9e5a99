"""The inbox writer when a commit does not end."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest

from connector.errors import StoreUnavailable
from connector.store.inbox import Arrival, Owed
from connector.store.writer import STUCK, Writer


def arrival(message_id: str) -> Arrival:
    return Arrival("sunrise", message_id, "customer.updated", message_id, 1, 1, b"{}", (Owed("sunrise/crm", "lane"),))


class Disk:
    """Accepts arrivals, and hangs when told to."""

    def __init__(self) -> None:
        self.groups: list[int] = []
        self.began, self.answers = threading.Event(), threading.Event()

    def accept(self, arrivals: Sequence[Arrival]) -> list[bool]:
        self.groups.append(len(arrivals))
        self.began.set()
        assert self.answers.wait(60)
        return [True] * len(arrivals)


class TestStuck:
    def test_events_are_refused_at_once_while_a_commit_does_not_end_and_kept_after_it(self) -> None:
        disk, now = Disk(), [100.0]
        writer = Writer(disk.accept, clock=lambda: now[0])
        assert writer.stuck_for(now[0]) == 0.0
        first = writer(arrival("first"))
        assert disk.began.wait(60)
        now[0] += STUCK + 1
        assert writer.stuck_for(now[0]) == STUCK + 1
        with pytest.raises(StoreUnavailable, match="has not ended for 13 s"):
            writer(arrival("refused")).result(60)
        disk.answers.set()
        assert first.result(60) is True
        assert writer(arrival("second")).result(60) is True
        assert writer.stuck_for(now[0] + 100) == 0.0
        writer.close()

    def test_requests_given_up_meanwhile_make_no_commit(self) -> None:
        disk = Disk()
        writer = Writer(disk.accept)
        first = writer(arrival("first"))
        assert disk.began.wait(60)
        given_up = [writer(arrival(f"given-up-{number}")) for number in range(600)]
        assert all(kept.cancel() for kept in given_up)
        last = writer(arrival("last"))
        disk.answers.set()
        assert first.result(60) is last.result(60) is True
        assert disk.groups == [1, 1]
        writer.close()
