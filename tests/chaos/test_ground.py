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


def restarted_twice(ground: Ground) -> None:
    for _ in range(2):
        ground.server.restart()
        ground.traffic.more(10)


def backends_killed(ground: Ground) -> None:
    killed = 0
    while killed < 100:
        killed += ground.server.kill_backends()
        ground.traffic.more(1)


def frozen(ground: Ground) -> None:
    ground.server.freeze()
    ground.lasts(15)
    ground.server.thaw()


def frozen_and_every_role_killed(ground: Ground) -> None:
    ground.server.freeze()
    ground.traffic.refused(1)
    for role in ("receive", "work"):
        ground.world.crash(role, again=False)
    ground.server.thaw()
    for role in ("receive", "work"):
        ground.world.role(role)


def read_only(ground: Ground) -> None:
    ground.server.read_only(True)
    ground.traffic.refused(5)
    ground.server.read_only(False)


def old_connections_mute(ground: Ground) -> None:
    ground.line.mute(new=False)


def cut(ground: Ground) -> None:
    for reset in (True, False, True):
        ground.line.cut(reset=reset)
        ground.traffic.more(5)


def bouncer_restarted(ground: Ground) -> None:
    ground.bouncer.restart()


def crms_down(ground: Ground) -> None:
    ground.both_crms(Proxy.refuse)
    ground.traffic.more(40)
    ground.both_crms(Proxy.accept)


def crms_mute(ground: Ground) -> None:
    ground.both_crms(Proxy.mute)
    ground.lasts(5)
    ground.both_crms(Proxy.speak)
    ground.both_crms(Proxy.cut)


def crms_cut_in_replies(ground: Ground) -> None:
    ground.both_crms(lambda proxy: proxy.cut_replies(6))
    ground.traffic.until(lambda: all(proxy.cuts_left == 0 for proxy in ground.world.crm.values()))


def disk_full(ground: Ground) -> None:
    ground.disk.fill()
    ground.traffic.refused(5)
    ground.disk.empty()


def every_role_killed(ground: Ground) -> None:
    for role in ("work", "receive", "work"):
        ground.world.crash(role)
        ground.traffic.more(10)


POSTGRES = {
    "PostgreSQL restarted twice": restarted_twice,
    "100 connections ended by the server": backends_killed,
    "PostgreSQL frozen for 15 s": frozen,
    "PostgreSQL frozen, each role killed": frozen_and_every_role_killed,
    "PostgreSQL read-only, then not": read_only,
    "old connections mute, new ones pass": old_connections_mute,
    "connections cut": cut,
}
SQLITE = {"disk full, then not": disk_full, "each role killed": every_role_killed}
CRMS = {"CRMs down": crms_down, "CRMs mute for 5 s": crms_mute, "CRMs cut in replies": crms_cut_in_replies}


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
            traffic.more(30)
            world.until(lambda: min(world.landed()) > 0)  # the worker has started, too
            act(Ground(world, traffic, **made))  # type: ignore[arg-type]
            world.repaired()
            traffic.more(30)
        differs = case.record(name, world)
        assert differs.clean, differs

    return goes_on


class TestTheGroundMoves:
    @pytest.mark.parametrize("name", POSTGRES)
    def test_under_postgresql(self, go: Callable[..., None], name: str) -> None:
        go(name, POSTGRES[name], "postgresql")

    @pytest.mark.parametrize("name", SQLITE)
    def test_under_sqlite(self, go: Callable[..., None], name: str) -> None:
        go(name, SQLITE[name], "sqlite")

    @pytest.mark.parametrize(("name", "engine"), [*zip(CRMS, ("sqlite", "postgresql", "sqlite"), strict=True)])
    def test_in_the_crms(self, go: Callable[..., None], name: str, engine: str) -> None:
        go(name, CRMS[name], engine)

    @pytest.mark.parametrize("mode", ["session", "transaction"])
    def test_in_pgbouncer(self, go: Callable[..., None], mode: str) -> None:
        go(f"PgBouncer restarted, {mode} mode", bouncer_restarted, "postgresql", bouncer=mode)
