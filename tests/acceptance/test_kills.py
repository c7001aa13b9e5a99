"""kill -9 at random moments, under traffic, while the CRMs lose replies: nothing lost, nothing twice, nothing stale.

CONNECTOR_KILLS sets how many; 30 send 5,000 events. The same number tries the same moments.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

from connector.sandbox.wire import Fault, Wire
from tests.acceptance.product import Product
from tests.builders import a_call, a_customer, signed
from tests.conftest import POSTGRES_SLOW
from tests.promises.stage import minute

KILLS = int(os.environ.get("CONNECTOR_KILLS", "3"))
EVENTS = KILLS * 5_000 // 30
PEOPLE = max(1, EVENTS // 10)
LEASE = 2
SENDERS = 4
WRITES = ("/composite", "/batch/upsert")
CYCLE = ("work", "receive", "work", "receive", "work", "container")


def an_event(number: int) -> dict[str, Any]:
    """Every person is edited again and again; of ten events one is a call."""
    at = minute(number)
    customer = a_customer(id=f"c-{number % PEOPLE}", updatedAt=at, lastName=f"Name{number}", email=None)
    return a_call(customer, id=f"call-{number}", createdAt=at) if number % 10 == 9 else customer


class Storm:
    """A product under traffic; events are sent as the kills go on, so that none of either comes alone."""

    def __init__(self, product: Product) -> None:
        self.product, self.chance = product, random.Random(KILLS)
        self.killed: list[tuple[str, float]] = []
        self.numbers, self.gate, self.stopped = iter(range(EVENTS)), threading.Condition(), False

    def next_number(self) -> int | None:
        with self.gate:
            number = next(self.numbers, None)
            due = 0 if number is None else number * KILLS // EVENTS
            self.gate.wait_for(lambda: len(self.killed) >= due or self.stopped)
        return number

    def send(self) -> None:
        """As careCycle does: again until it is acknowledged, and now and then once more."""
        with requests.Session() as session:
            session.trust_env = False
            while (number := self.next_number()) is not None and not self.stopped:
                for _ in range(2 if number % 25 == 0 else 1):
                    self.product.until(lambda: self.post(session, number) == 204 or self.stopped)

    def post(self, session: requests.Session, number: int) -> int:
        body, headers = signed(an_event(number), message_id=f"m{number}")
        url = f"http://127.0.0.1:{self.product.port}/hooks/sunrise"
        try:
            return session.post(url, data=body, headers=headers, timeout=60).status_code
        except requests.RequestException:
            return 0

    def lose_replies(self, sandbox: Wire) -> None:
        """Of the writes, every tenth is committed and never answered, until so many were."""

        def unlucky(method: str, path: str) -> bool:
            return any(part in path for part in WRITES) and self.chance.random() < 0.1

        sandbox.faults.append(Fault(unlucky, sandbox.lose_reply, times=KILLS // 3))

    def strike(self, role: str) -> None:
        """Kill a role; a worker in the middle of a call, if it makes one soon."""
        before, patience = self.calls(), time.monotonic() + 2
        if role != "receive":
            self.product.until(lambda: self.calls() > before or time.monotonic() > patience)
        moment = time.monotonic() + self.chance.random() * (0.5 if role == "receive" else 0.05)
        self.product.until(lambda: time.monotonic() > moment)
        with self.gate:
            self.product.kill(role) if role != "container" else self.product.kill_all()
            self.killed.append((role, time.monotonic()))
            self.gate.notify_all()
        if role == "container":
            self.product.start()

    def calls(self) -> int:
        return len(self.product.salesforce.seen) + len(self.product.hubspot.seen)

    def run(self) -> None:
        for sandbox in (self.product.salesforce, self.product.hubspot):
            self.lose_replies(sandbox)
        with ThreadPoolExecutor(SENDERS) as pool:
            senders = [pool.submit(self.send) for _ in range(SENDERS)]
            try:
                for number in range(KILLS):
                    self.strike(CYCLE[number % len(CYCLE)])
                for sender in senders:
                    sender.result()
            finally:
                with self.gate:
                    self.stopped = True
                    self.gate.notify_all()


@pytest.fixture
def product(tmp_path: Path, database_address: str) -> Iterator[Product]:
    product = Product(tmp_path, database_address, latency=0.03)
    product.environment |= {"CONNECTOR_LEASE_SECONDS": str(LEASE), "CONNECTOR_LOG_LEVEL": "warning"}
    product.start()
    product.ready()
    yield product
    product.close()


def newest(of: Callable[[int], bool]) -> dict[str, str]:
    """Person -> the last name said last."""
    return {f"c-{number % PEOPLE}": f"Name{number}" for number in range(EVENTS) if of(number)}


@POSTGRES_SLOW
class TestKills:
    @pytest.mark.slow
    def test_nothing_is_lost_doubled_or_stale(self, product: Product) -> None:
        storm, names = Storm(product), newest(lambda _: True)
        calls = [f"call-{number}" for number in range(EVENTS) if number % 10 == 9]
        storm.run()
        ended = time.monotonic()

        def settled() -> bool:
            told = {one["careCycle_Id__c"]: one["LastName"] for one in product.salesforce.records("Contact")}
            also = {one["carecycle_id"]: one["lastname"] for one in product.hubspot.records("contacts")}
            landed = product.landed()
            return told == names == also and landed[1] >= len(calls) and landed[3] >= len(calls)

        product.until(settled)
        took = time.monotonic() - ended
        kinds = Counter(role for role, _ in storm.killed)
        print(f"\n{EVENTS} events, killed {dict(kinds)}, leases of {LEASE} s: all in both CRMs {took:.1f} s later")
        assert product.landed() == (PEOPLE, len(calls), PEOPLE, len(calls))
        assert sorted(one["careCycle_Call_Id__c"] for one in product.salesforce.records("Task")) == sorted(calls)
        assert sorted(one["carecycle_call_id"] for one in product.hubspot.records("calls")) == sorted(calls)


@POSTGRES_SLOW
class TestRecovery:
    @pytest.mark.slow
    def test_a_killed_workers_lane_goes_on_when_its_lease_is_over(self, product: Product) -> None:
        product.salesforce.latency = 1.0
        assert product.post(an_event(0)) == 204
        product.until(lambda: product.salesforce.calls("/composite/") != [])
        product.kill("work")
        first, killed, product.salesforce.latency = product.salesforce.calls("/composite/")[0].at, time.monotonic(), 0.0
        product.until(lambda: len(product.salesforce.calls("/composite/")) > 1)
        again = product.salesforce.calls("/composite/")[1].at
        print(f"\nwritten anew {again - killed:.1f} s after the kill, the lease being {LEASE} s")
        assert again - first > LEASE / 2
        product.until(lambda: product.landed()[0] == 1)
