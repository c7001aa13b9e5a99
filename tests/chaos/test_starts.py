"""What was wrong when a process started leaves no trace in it once it is right."""

from __future__ import annotations

import re

import requests

from connector.store import open_store
from tests.builders import DATA_KEY
from tests.chaos.conftest import Case
from tests.chaos.disks import SmallDisk
from tests.chaos.world import World
from tests.patience import PATIENCE


def receivers(world: World) -> int:
    """Receivers that show signs of life in the database."""
    text = requests.get(f"http://127.0.0.1:{world.admin_port}/metrics", timeout=PATIENCE).text
    return len(re.findall(r'^connector_clock_offset_seconds{[^}]*role="receive"', text, re.M))


def test_a_disk_that_was_read_only(case: Case) -> None:
    disk = case.keep(SmallDisk(case.folder / "disk", 32))
    world = case.world(f"sqlite:///{disk.folder}/connector.db")
    open_store(world.environment["CONNECTOR_DATABASE_URL"], {"CONNECTOR_DATA_KEY": DATA_KEY}).close()
    assert disk.read_only(True)
    world.role("receive")
    world.until(lambda: world.get("/readyz") == 503 and "read-only" in world.log.read_text())
    assert disk.read_only(False)
    world.ready()
    world.until(lambda: receivers(world) == 1)
