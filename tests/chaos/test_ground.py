"""Whatever moves under the product while it works: both CRMs end with what was acknowledged, and nothing else."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.chaos.conftest import Case
from tests.chaos.disks import SmallDisk
from tests.chaos.pgbouncer import PgBouncer
from tests.chaos.postgres import Postgres
from tests.chaos.proxy import Proxy
from tests.chaos.traffic import Traffic
from tests.chaos.world import World


@dataclass
class Ground:
    """What a case may break. line: the proxy between the product and its PostgreSQL server."""

    world: World
    traffic: Traffic
    server: Postgres
    line: Proxy
    bouncer: PgBouncer
    disk: SmallDisk

    def both_crms(self, act: Callable[[Proxy], object]) -> None:
        for proxy in self.world.crm.values():
            act(proxy)

    def lasts(self, seconds: float) -> None:
        """Let a fault last, while traffic goes on."""
        ends = time.monotonic() + seconds
        self.traffic.until(lambda: time.monotonic() >= ends, seconds + 10)


def frozen_and_every_role_killed(ground: Ground) -> None:
    ground.server.freeze()
    ground.traffic.refused(1, 60)
    ground.world.crash("receive")
    ground.world.crash("work")
    ground.server.thaw()


def read_only(ground: Ground) -> None:
    ground.server.read_only(True)
    ground.traffic.refused(5, 60)
    ground.server.read_only(False)


def old_connections_mute(ground: Ground) -> None:
    ground.line.mute(new=False)


def cut(ground: Ground) -> None:
    for reset in (True, False, True):
        ground.line.cut(reset=reset)
        ground.traffic.more(5, 60)


POSTGRES = {
    "PostgreSQL frozen, each role killed": frozen_and_every_role_killed,
    "PostgreSQL read-only, then not": read_only,
    "old connections mute, new ones pass": old_connections_mute,
    "connections cut": cut,
}


@pytest.fixture
def go(case: Case) -> Callable[..., None]:
    """Send, break, repair, send more, compare."""

    def goes_on(name: str, act: Callable[[Ground], None], engine: str, *, bouncer: str = "") -> None:
        made: dict[str, object] = dict.fromkeys(("server", "line", "bouncer", "disk"))
        if engine == "sqlite":
            made["disk"] = disk = case.keep(SmallDisk(case.folder / "disk"))
            address = f"sqlite:///{disk.folder}/connector.db"
        else:
            made["server"] = server = case.postgres()
            made["line"] = line = case.keep(Proxy(server.port))
            address = Postgres.address_at(line.port)
        if bouncer:
            made["bouncer"] = case.keep(PgBouncer(server, bouncer))
            made["bouncer"].start()  # type: ignore[attr-defined]
            address = made["bouncer"].address  # type: ignore[attr-defined]
        world = case.world(address, latency=0.02)
        world.role("receive")
        world.role("work")
        world.ready()
        with world.send(rate=30) as traffic:
            traffic.more(30, 60)
            world.until(lambda: min(world.landed()) > 0, 90)  # the worker has started, too
            act(Ground(world, traffic, **made))  # type: ignore[arg-type]
            world.repaired()
            traffic.more(30, 60)
        differs = case.record(name, world, 100)
        assert differs.clean, differs

    return goes_on


class TestTheGroundMoves:
    @pytest.mark.parametrize("name", POSTGRES)
    def test_under_postgresql(self, go: Callable[..., None], name: str) -> None:
        go(name, POSTGRES[name], "postgresql")
