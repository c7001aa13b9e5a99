"""People learn that the database is away from the processes that are left, and that it is over, once."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from tests.chaos.conftest import Case
from tests.chaos.postgres import Postgres
from tests.chaos.world import World
from tests.contracts.test_watch import Chat

RAISED = "[sunrise] database cannot be written"
OVER = "[sunrise] over: database cannot be written"
PATIENCE = "3"


@pytest.fixture
def chat() -> Iterator[Chat]:
    chat = Chat()
    thread = threading.Thread(target=chat.server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield chat
    chat.server.shutdown()
    thread.join()
    chat.server.server_close()


@pytest.fixture
def server(case: Case) -> Postgres:
    return case.postgres()


@pytest.fixture
def world(case: Case, server: Postgres, chat: Chat) -> World:
    state = str(case.folder / "state")
    world = case.world(server.address, CONNECTOR_OUTAGE_SECONDS=PATIENCE, CONNECTOR_STATE_DIR=state)
    with world.agency.open("a") as file:
        file.write(f'alarms: {{webhook: "{chat.url}", heartbeat: "{chat.url.replace("/services", "/beat")}"}}\n')
    return world


def subjects(chat: Chat) -> list[str]:
    return [text.splitlines()[0] for text in chat.said]


class TestADatabaseThatIsAway:
    @pytest.mark.parametrize("fault", ["stopped", "frozen", "read-only"])
    def test_is_reported_by_a_receiver_alone_and_so_is_its_end(
        self, fault: str, world: World, server: Postgres, chat: Chat
    ) -> None:
        world.role("receive")
        world.ready()
        {"stopped": server.stop, "frozen": server.freeze, "read-only": lambda: server.read_only(True)}[fault]()
        world.until(lambda: RAISED in subjects(chat), 30)
        {"stopped": server.start, "frozen": server.thaw, "read-only": lambda: server.read_only(False)}[fault]()
        world.until(lambda: OVER in subjects(chat), 60)
        assert subjects(chat) == [RAISED, OVER]

    def test_is_reported_once_though_every_process_is_killed_meanwhile(
        self, world: World, server: Postgres, chat: Chat
    ) -> None:
        world.role("run")
        world.ready()
        server.stop()
        world.until(lambda: RAISED in subjects(chat), 30)
        world.crash("run")
        server.start()
        world.until(lambda: OVER in subjects(chat), 90)
        assert subjects(chat) == [RAISED, OVER]

    def test_at_the_start_is_reported_too(self, world: World, server: Postgres, chat: Chat) -> None:
        server.stop()
        world.role("run")
        world.until(lambda: RAISED in subjects(chat), 60)
        server.start()
        world.until(lambda: OVER in subjects(chat), 90)
        assert subjects(chat) == [RAISED, OVER]
