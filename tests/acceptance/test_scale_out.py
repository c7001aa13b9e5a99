"""Several processes of a role on one PostgreSQL, as the commands start them."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Response

from connector.store import Store
from connector.store.database import open_database
from connector.store.desk import Filter
from tests.acceptance.product import Product
from tests.acceptance.test_run import a_visit
from tests.builders import DATA_KEY, a_customer
from tests.ports import free_port
from tests.promises.stage import minute

LEASE = 3


@pytest.fixture
def product(tmp_path: Path, postgres_address: str) -> Iterator[Product]:
    product = Product(tmp_path, postgres_address)
    product.agency.write_text(product.agency.read_text().replace("    mapping:", "    partitions: 3\n    mapping:"))
    product.environment["CONNECTOR_LEASE_SECONDS"] = str(LEASE)
    product.start("receive")
    product.ready()
    yield product
    product.close()


class Held:
    """A fault: the CRM takes a request, and does not begin with it before it is told to."""

    def __init__(self) -> None:
        self.taken, self.go = threading.Event(), threading.Event()

    def __call__(self, serve: Callable[[], Response]) -> Response:
        self.taken.set()
        self.go.wait(120)
        return serve()


def named(product: Product) -> list[str]:
    return [one["LastName"] for one in product.salesforce.records("Contact")]


class TestPausedWorker:
    @pytest.mark.slow
    def test_one_whose_write_comes_late_rolls_nothing_back(self, product: Product) -> None:
        late = product.beside("work", CONNECTOR_ADMIN_LISTEN="off")
        assert product.post(a_customer(id="c-1", updatedAt=minute(0), lastName="Oldest")) == 204
        product.until(lambda: named(product) == ["Oldest"])
        held = Held()
        product.salesforce.fault("/composite/sobjects", held)
        assert product.post(a_customer(id="c-1", updatedAt=minute(1), lastName="Older")) == 204
        product.until(held.taken.is_set)
        late.send_signal(signal.SIGSTOP)
        product.beside("work", CONNECTOR_ADMIN_LISTEN="off")
        assert product.post(a_customer(id="c-1", updatedAt=minute(2), lastName="Newer")) == 204
        product.until(lambda: named(product) == ["Newer"])
        held.go.set()
        product.until(lambda: named(product) == ["Older"])  # the CRM did what the paused one had asked for
        late.send_signal(signal.SIGCONT)
        product.until(lambda: named(product) == ["Newer"])
        product.until(lambda: '"lease lost"' in product.log.read_text())


class TestSeveralOfARole:
    @pytest.mark.slow
    def test_all_share_one_inbox_and_one_killed_is_missed_for_a_lease_only(self, product: Product) -> None:
        second = free_port()
        product.beside("receive", CONNECTOR_LISTEN=f"127.0.0.1:{second}", CONNECTOR_ADMIN_LISTEN="off")
        workers = [product.beside("work", CONNECTOR_ADMIN_LISTEN="off") for _ in range(2)]
        product.until(lambda: product.post(a_visit(0), port=second) == 204)
        for number in range(1, 40):
            port = (product.port, second)[number % 2]
            assert product.post(a_visit(number), message_id=f"m{number}", port=port) == 204
            assert product.post(a_visit(number), message_id=f"m{number}", port=second) == 204  # again
            if number == 20:
                workers[0].kill()
        product.until(lambda: product.landed() == (40, 40, 40, 40))
        store = Store(open_database(product.environment["CONNECTOR_DATABASE_URL"], {"CONNECTOR_DATA_KEY": DATA_KEY}))
        lanes = {one.name for one in store.desk.lanes()}
        used = {one.lane for one in store.desk.deliveries(Filter(), limit=200)}
        store.close()
        assert len(used) > 4
        assert used <= lanes
