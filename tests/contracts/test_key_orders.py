"""The data key changed in two steps while events arrive, with the processes restarted in every order."""

from __future__ import annotations

import base64
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from connector.delivery.route import Pace, Route, Running
from connector.delivery.turn import deliver
from connector.mapping import shipped_folder
from connector.running.bootstrap import load_mapping
from connector.sandbox.salesforce import SalesforceSandbox
from connector.store import Store
from connector.store.database import open_database
from connector.store.inbox import Owed
from tests.builders import DATA_KEY, a_customer, an_arrival
from tests.conftest import Clock
from tests.contracts.test_pipeline import DESTINATION, LANE
from tests.destinations import salesforce_fixtures

NEW_KEY = base64.b64encode(b"n" * 32).decode()
OLD_AND_NEW, NEW_AND_OLD = f"{DATA_KEY},{NEW_KEY}", f"{NEW_KEY},{DATA_KEY}"
PROCESSES = ("receiver", "another receiver", "worker")


@dataclass
class Installation:
    """Receivers and a worker, each with its own list of keys, over one database."""

    address: str
    clock: Clock
    sandbox: SalesforceSandbox
    route: Route
    stores: dict[str, Store] = field(default_factory=dict)
    accepted: list[str] = field(default_factory=list)

    def restart(self, process: str, keys: str) -> None:
        if process in self.stores:
            self.stores[process].close()
        store = Store(open_database(self.address, {"CONNECTOR_DATA_KEY": keys}, self.clock))
        self.stores[process] = store
        if process == "worker":
            store.lanes.open({LANE: DESTINATION})
        self.receive_and_deliver()

    def receive_and_deliver(self) -> None:
        for receiver in PROCESSES[:2]:
            if receiver in self.stores:
                message_id = f"msg_{len(self.accepted)}"
                payload = a_customer(id=message_id, email=f"{message_id}@example.com")
                owed = (Owed(DESTINATION, LANE),)
                self.stores[receiver].inbox.accept([an_arrival(message_id, payload, customer_id=message_id, owed=owed)])
                self.accepted.append(message_id)
        if worker := self.stores.get("worker"):
            self.drain(worker)

    def drain(self, worker: Store) -> None:
        pace = Pace(roll=lambda: 0.5)
        while lease := worker.lanes.lease("worker", [LANE], 60_000):
            while deliver(worker, self.route, lease, pace):
                continue
            worker.lanes.release(lease)

    def close(self) -> None:
        for store in self.stores.values():
            store.close()


@pytest.fixture
def installation(database_address: str, clock: Clock) -> Iterator[Installation]:
    with salesforce_fixtures.sandbox_and_destination() as (sandbox, destination):
        mapping = load_mapping(shipped_folder() / "salesforce-contact.yaml")
        made = Installation(database_address, clock, sandbox, Route(DESTINATION, destination, Running(mapping), "UTC"))
        for process in PROCESSES:
            made.restart(process, DATA_KEY)
        yield made
        made.close()


def everything_is_written(installation: Installation) -> bool:
    states = installation.stores["worker"].desk.states(0)
    return len(installation.sandbox.records("Contact")) == len(installation.accepted) and set(states) == {"delivered"}


class TestChangingTheDataKey:
    @pytest.mark.slow
    @pytest.mark.parametrize("order", list(itertools.permutations(PROCESSES)), ids=", ".join)
    def test_in_two_steps_every_event_is_written_at_once(
        self, installation: Installation, order: tuple[str, ...]
    ) -> None:
        for process in order:
            installation.restart(process, OLD_AND_NEW)
            assert everything_is_written(installation)
        for process in reversed(order):
            installation.restart(process, NEW_AND_OLD)
            assert everything_is_written(installation)
        for step in installation.stores[order[0]].rotation.steps():
            assert step.left == 0
        for process in order:
            installation.restart(process, NEW_KEY)
            assert everything_is_written(installation)

    def test_in_one_step_what_the_worker_cannot_decrypt_waits_until_it_is_restarted(
        self, installation: Installation
    ) -> None:
        installation.restart("receiver", NEW_AND_OLD)
        assert not everything_is_written(installation)
        installation.restart("another receiver", NEW_AND_OLD)
        list(installation.stores["receiver"].rotation.steps())
        installation.receive_and_deliver()
        installation.restart("worker", NEW_AND_OLD)
        assert everything_is_written(installation)
