"""While the database says nothing, monitors get their answers in time, and people a page that says why."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass

import pytest
import requests

from tests.chaos.conftest import Case
from tests.chaos.postgres import Postgres
from tests.chaos.proxy import Proxy
from tests.chaos.world import World
from tests.patience import PATIENCE, one_in_three
from tests.web.conftest import HASH, PASSWORD
from tests.web.test_ready import BOUND

MONITORED = ("/livez", "/readyz", "/metrics")
CROWD = 100
PAGE_BOUND = 10.0
"""Seconds within which a page is answered."""

FIRST_BOUND = 30.0
"""Seconds within which one is that is being made when the database goes mute, on a machine that stands still
for a while; one that waited as commands do would take 36.
"""


@dataclass
class Ground:
    """A console on a server that it reaches through a proxy, and somebody logged in."""

    server: Postgres
    line: Proxy
    world: World
    cookies: dict[str, str]

    def asked(self, path: str) -> tuple[requests.Response, float]:
        """The answer, and how many seconds it took."""
        began = time.monotonic()
        answer = requests.get(address(self.world, path), cookies=self.cookies, timeout=PATIENCE)
        return answer, time.monotonic() - began


def address(world: World, path: str) -> str:
    return f"http://127.0.0.1:{world.admin_port}{path}"


def log_in(world: World) -> dict[str, str]:
    with requests.Session() as person:
        form = person.get(address(world, "/console/login"), timeout=PATIENCE).text
        token = re.search(r'name="token" value="([^"]+)"', form)
        assert token is not None
        sent = {"token": token[1], "password": PASSWORD}
        assert person.post(address(world, "/console/login"), data=sent, timeout=PATIENCE).status_code == 200
        return {name: value for name, value in person.cookies.items() if name == "connector_session"}


@pytest.fixture(params=["run", "console"])
def ground(request: pytest.FixtureRequest, case: Case) -> Ground:
    server = case.postgres()
    line = case.keep(Proxy(server.port))
    world = case.world(Postgres.address_at(line.port), CONNECTOR_CONSOLE_PASSWORD_HASH=HASH)
    world.role(request.param)
    world.ready()
    return Ground(server, line, world, log_in(world))


FAULTS: dict[str, tuple[Callable[[Ground], None], Callable[[Ground], None]]] = {
    "mute": (lambda ground: ground.line.mute(), lambda ground: ground.line.speak()),
    "frozen": (lambda ground: ground.server.freeze(), lambda ground: ground.server.thaw()),
    "gone": (lambda ground: ground.line.refuse(), lambda ground: ground.line.accept()),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_monitors_are_answered_while_a_hundred_pages_hang(ground: Ground, fault: str) -> None:
    breaks, mends = FAULTS[fault]
    with ThreadPoolExecutor(CROWD) as people:
        pages = [people.submit(ground.asked, "/console") for _ in range(CROWD)]
        wait(pages, PATIENCE, FIRST_COMPLETED)
        breaks(ground)

        def crowded() -> None:
            late = [people.submit(ground.asked, "/console") for _ in range(CROWD)]
            monitored = [(page, ground.asked(page)[1]) for _ in range(5) for page in MONITORED]
            answers = [page.result() for page in late]
            assert [seen for seen in monitored if seen[1] >= BOUND] == []
            assert max(seconds for _, seconds in answers) < PAGE_BOUND
            assert {answer.status_code for answer, _ in answers} == {503}

        one_in_three(crowded)
        assert max(page.result()[1] for page in pages) < FIRST_BOUND
    page, _ = ground.asked("/console")
    assert "<title>The database has not answered since" in page.text
    assert "No acknowledged event is lost" in page.text
    assert min(ground.asked("/console")[1] for _ in range(3)) < BOUND
    mends(ground)
    ground.world.until(lambda: ground.asked("/console")[0].status_code == 200)


def test_pages_are_shown_by_a_receiver_that_starts_on_a_read_only_database(case: Case) -> None:
    server = case.postgres()
    world = case.world(server.address, CONNECTOR_CONSOLE_PASSWORD_HASH=HASH)
    world.role("run")
    world.ready()
    world.crash("run", again=False)
    server.read_only(True)
    world.role("run")
    world.until(lambda: world.get("/console/login") == 200)
    cookies = log_in(world)
    assert requests.get(address(world, "/console/events"), cookies=cookies, timeout=PATIENCE).status_code == 200
    ready = requests.get(address(world, "/readyz"), timeout=PATIENCE)
    assert (ready.status_code, "read-only" in ready.json()["database"]) == (503, True)
    server.read_only(False)
    world.ready()


def test_a_console_that_starts_without_its_database_says_so_until_it_is_there(case: Case) -> None:
    server = case.postgres()
    server.stop()
    world = case.world(server.address, CONNECTOR_CONSOLE_PASSWORD_HASH=HASH)
    world.role("console")
    world.until(lambda: world.get("/console") == 503)
    text = requests.get(address(world, "/console"), timeout=PATIENCE).text
    assert "has not answered since the connector was started" in text
    server.start()
    world.until(lambda: world.get("/console") == 200)
