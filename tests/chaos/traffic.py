"""What careCycle would send, sent as careCycle does, with a record of what was acknowledged."""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import requests

from tests.builders import a_call, a_customer, signed
from tests.patience import PATIENCE

FLAGS = ("doNotCall", "doNotSMS", "doNotMail", "doNotEmail")
AGAIN = 0.25
"""Seconds after which an event that was not acknowledged is sent again."""


def moment(number: int) -> str:
    """The source time of an event: each is a second later than the one before."""
    return (datetime(2026, 6, 18, 12, tzinfo=UTC) + timedelta(seconds=number)).strftime("%Y-%m-%dT%H:%M:%S.000Z")


class Story:
    """Which person each number is about, and what it says. Every event renames its person.

    Every third brings a city, every fifth is a call, every seventh opts the person out: of one flag, and in this
    event alone, so that nothing later makes up for its loss. calls: whether every event is one. extra: fields of each.
    """

    def __init__(self, people: int, *, calls: bool = False, extra: dict[str, Any] | None = None) -> None:
        self.people, self.calls, self.extra = people, calls, extra or {}

    def customer(self, number: int) -> str:
        return f"c-{number % self.people}"

    def city(self, number: int) -> str | None:
        return f"City {number}" if number % 3 == 0 else None

    def flag(self, number: int) -> str | None:
        return FLAGS[number // 7 % 4] if number % 7 == 3 else None

    def call(self, number: int) -> str | None:
        return f"call-{number}" if self.calls or number % 5 == 4 else None

    def payload(self, number: int) -> dict[str, Any]:
        person, flag, call = self.customer(number), self.flag(number), self.call(number)
        says: dict[str, Any] = {flag: True} if flag else {}
        at = moment(number)
        customer = a_customer(
            id=person,
            updatedAt=at,
            lastName=f"Name {number}",
            city=self.city(number),
            email=f"{person}@example.com",
            phoneNumber=f"+1312847{number % self.people:04d}",
            **says,
        )
        if call is None:
            return {**customer, **self.extra}
        return a_call(customer, id=call, createdAt=at, startTime=at, endTime=at, **self.extra)


class Traffic:
    """Sends a story from several threads, each event again until it is acknowledged. Use it as a context manager.

    At the end of the block no new event is begun, and those that were begun are sent until they are acknowledged.
    rate: new events a second. ports: where to send, in turn.
    """

    def __init__(
        self, story: Story, ports: Callable[[], list[int]], *, rate: float = 40, threads: int = 6, timeout: float = 5
    ) -> None:
        self.story, self.ports, self.rate, self.timeout = story, ports, rate, timeout
        self.acknowledged: dict[int, float] = {}
        self.sent: set[int] = set()
        self.answers: Counter[int] = Counter()
        self._lock, self._numbers, self._ending, self._given_up = threading.Lock(), itertools.count(), False, False
        self._moved = threading.Condition(self._lock)
        self._began = time.monotonic()
        self._threads = [threading.Thread(target=self._send, name=f"sender {number}") for number in range(threads)]

    def __enter__(self) -> Traffic:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._ending, self._given_up = True, kind is not None
        self.finish(patience=5 if kind else PATIENCE)

    def finish(self, patience: float = PATIENCE) -> None:
        """Begin no new event, and wait until those that were begun are acknowledged."""
        self._ending, deadline = True, time.monotonic() + patience
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        self._given_up = True
        for thread in self._threads:
            thread.join()

    def until(self, holds: Callable[[], bool], patience: float = PATIENCE) -> None:
        """Wait for a condition, looked at after each answer and now and then."""
        deadline = time.monotonic() + patience
        with self._moved:
            while not holds():
                assert time.monotonic() < deadline, f"{len(self.acknowledged)} acknowledged, {dict(self.answers)}"
                self._moved.wait(0.05)

    def more(self, count: int, patience: float = PATIENCE) -> None:
        """Wait until that many more are acknowledged."""
        wanted = len(self.acknowledged) + count
        self.until(lambda: len(self.acknowledged) >= wanted, patience)

    def refused(self, count: int = 1, patience: float = PATIENCE) -> None:
        """Wait until that many more are refused, or not answered."""
        before = self.not_acknowledged()
        self.until(lambda: self.not_acknowledged() >= before + count, patience)

    def not_acknowledged(self) -> int:
        return self.answers.total() - self.answers[204]

    def first_after(self, at: float) -> float | None:
        """When the first event after this moment was acknowledged."""
        with self._lock:
            return min((when for when in self.acknowledged.values() if when >= at), default=None)

    def _send(self) -> None:
        with requests.Session() as session:
            session.trust_env = False
            while not self._ending:
                with self._lock:
                    number = next(self._numbers)
                    due = self._began + number / self.rate
                    while (left := due - time.monotonic()) > 0 and not self._ending:
                        self._moved.wait(min(left, 0.2))
                    if self._ending:
                        return
                    self.sent.add(number)
                self._deliver(session, number)

    def _deliver(self, session: requests.Session, number: int) -> None:
        for attempt in itertools.count():
            status = self._post(session, number, attempt)
            with self._moved:
                self.answers[status] += 1
                if status == 204:
                    self.acknowledged[number] = time.monotonic()
                self._moved.notify_all()
                if status == 204 or self._given_up:
                    return
                self._moved.wait_for(lambda: self._given_up, AGAIN)

    def _post(self, session: requests.Session, number: int, attempt: int) -> int:
        ports = self.ports()
        body, headers = signed(self.story.payload(number), message_id=f"m{number}")
        url = f"http://127.0.0.1:{ports[(number + attempt) % len(ports)]}/hooks/sunrise"
        try:
            return session.post(url, data=body, headers=headers, timeout=self.timeout).status_code
        except requests.RequestException:
            return 0
