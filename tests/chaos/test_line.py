"""The way to PostgreSQL fails in every manner a network knows; what was acknowledged arrives once."""

from __future__ import annotations

import pytest

from tests.chaos.conftest import Case
from tests.chaos.pgbouncer import PgBouncer
from tests.chaos.postgres import Postgres
from tests.chaos.proxy import Proxy
from tests.chaos.world import World

RESUMED = 60.0
"""Seconds, at most, from new connections being possible to events being acknowledged and delivered."""


def behind_proxy(case: Case) -> tuple[Proxy, World]:
    """The product in one process, which reaches its database through a proxy."""
    proxy = case.keep(Proxy(case.postgres().port))
    world = case.world(Postgres.address_at(proxy.port))
    world.role("run")
    world.ready()
    return proxy, world


def test_old_connections_stay_open_and_mute(case: Case) -> None:
    server = case.postgres()
    proxy = case.keep(Proxy(server.port))
    world = case.world(Postgres.address_at(proxy.port))
    world.role("receive")
    world.role("work")
    world.ready()
    with world.send(rate=8) as traffic:
        traffic.more(30)
        world.repaired()  # new connections are possible all the time
        proxy.mute(new=False)
        traffic.more(20)
    assert case.record("old connections mute", world).clean
    resumed = (world.receiving_again(), world.delivering_again())
    assert all(seconds is not None and seconds < RESUMED for seconds in resumed), resumed


def test_everything_is_mute_for_a_while(case: Case) -> None:
    proxy, world = behind_proxy(case)
    with world.send(rate=8) as traffic:
        traffic.more(30)
        proxy.mute()
        traffic.refused(12)
        world.repaired()
        proxy.speak()
        traffic.more(30)
    assert case.record("all connections mute", world).clean
    resumed = (world.receiving_again(), world.delivering_again())
    assert all(seconds is not None and seconds < RESUMED for seconds in resumed), resumed


def test_replies_are_cut_in_the_middle_of_commits(case: Case) -> None:
    proxy, world = behind_proxy(case)
    with world.send(rate=8) as traffic:
        for _ in range(4):
            traffic.more(10)
            proxy.cut_replies(10)
            traffic.until(lambda: proxy.cuts_left == 0)
        traffic.more(20)
    assert case.record("replies cut in half", world).clean


@pytest.mark.parametrize("mode", ["session", "transaction"])
def test_pgbouncer_is_restarted(case: Case, mode: str) -> None:
    pooler = case.keep(PgBouncer(case.postgres(), mode))
    pooler.start()
    world = case.world(pooler.address)
    world.role("run")
    world.ready()
    with world.send(rate=8) as traffic:
        traffic.more(30)
        pooler.kill()
        traffic.refused(5)
        world.repaired()
        pooler.start()
        traffic.more(20)
    assert case.record(f"pgbouncer restarted, {mode} mode", world).clean
    resumed = (world.receiving_again(), world.delivering_again())
    assert all(seconds is not None and seconds < RESUMED for seconds in resumed), resumed
