"""People learn that the database is away from the processes that are left, and that it is over, once."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.builders import a_customer
from tests.chaos.conftest import Case
from tests.chaos.postgres import Postgres
from tests.chaos.world import World
from tests.contracts.test_damage import Embedded
from tests.contracts.test_watch import Chat

RAISED = "[sunrise] database cannot be written"
OVER = "[sunrise] over: database cannot be written"
DAMAGED = "[sunrise] database damaged"
NO_DAMAGE = "[sunrise] over: database damaged"
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
    return a_world(case, server.address, chat, PATIENCE)


def a_world(case: Case, database: str, chat: Chat, patience: str) -> World:
    """One whose agency has alarms. patience: seconds until an outage is reported."""
    state = str(case.folder / "state")
    world = case.world(database, CONNECTOR_OUTAGE_SECONDS=patience, CONNECTOR_STATE_DIR=state)
    with world.agency.open("a") as file:
        file.write(f'alarms: {{webhook: "{chat.url}", heartbeat: "{chat.url.replace("/services", "/beat")}"}}\n')
    return world


def subjects(chat: Chat) -> list[str]:
    return [text.splitlines()[0] for text in chat.said]


def remembered(world: World, chat: Chat, subject: str) -> bool:
    """Whether people were told, and the process that told them has kept that it did.

    One that is killed between the two leaves another to tell them again: better twice than never.
    """
    return subject in subjects(chat) and any(
        json.loads(file.read_text()).get("sent")
        for file in Path(world.environment["CONNECTOR_STATE_DIR"]).glob("*.outage-*.json")
    )


def metrics(world: World) -> str:
    return requests.get(f"http://127.0.0.1:{world.admin_port}/metrics", timeout=120).text


class TestADatabaseThatIsDamaged:
    def test_is_reported_at_once_and_over_once_an_intact_one_is_there(self, case: Case, chat: Chat) -> None:
        embedded = Embedded(f"sqlite:///{case.folder}/connector.db")
        world = a_world(case, embedded.address, chat, "60")
        world.role("receive")
        world.ready()
        world.crash("receive", again=False)
        for number in embedded.pages("ix_events_message_id"):
            embedded.blank(number)
        world.role("receive")
        world.until(lambda: remembered(world, chat, DAMAGED))
        assert world.post(a_customer()) == 503
        assert "connector_database_damaged 1.0" in metrics(world)
        world.crash("receive", again=False)
        for beside in case.folder.glob("connector.db-*"):
            beside.unlink()
        shutil.copy(embedded.backup, embedded.file)
        world.role("receive")
        world.until(lambda: NO_DAMAGE in subjects(chat))
        assert subjects(chat) == [DAMAGED, NO_DAMAGE]
        assert world.post(a_customer()) == 204


class TestADatabaseThatIsAway:
    @pytest.mark.parametrize("fault", ["stopped", "frozen", "read-only"])
    def test_is_reported_by_a_receiver_alone_and_so_is_its_end(
        self, fault: str, world: World, server: Postgres, chat: Chat
    ) -> None:
        world.role("receive")
        world.ready()
        {"stopped": server.stop, "frozen": server.freeze, "read-only": lambda: server.read_only(True)}[fault]()
        world.until(lambda: RAISED in subjects(chat))
        {"stopped": server.start, "frozen": server.thaw, "read-only": lambda: server.read_only(False)}[fault]()
        world.until(lambda: OVER in subjects(chat))
        assert subjects(chat) == [RAISED, OVER]

    def test_is_reported_once_though_every_process_is_killed_meanwhile(
        self, world: World, server: Postgres, chat: Chat
    ) -> None:
        world.role("run")
        world.ready()
        server.stop()
        world.until(lambda: remembered(world, chat, RAISED))
        world.crash("run")
        server.start()
        world.until(lambda: OVER in subjects(chat))
        assert subjects(chat) == [RAISED, OVER]

    def test_at_the_start_is_reported_too(self, world: World, server: Postgres, chat: Chat) -> None:
        server.stop()
        world.role("run")
        world.until(lambda: RAISED in subjects(chat))
        server.start()
        world.until(lambda: OVER in subjects(chat))
        assert subjects(chat) == [RAISED, OVER]
