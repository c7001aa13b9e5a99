"""What an account said once is known to every lane, and to the worker that is started again."""

from __future__ import annotations

from collections.abc import Callable

from flask import Response

from connector.sandbox.wire import Fault
from tests.builders import a_customer
from tests.chaos.world import World

LONG = "Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogoch"
"""A city of 58 characters; Salesforce's field holds 40."""
PEOPLE, LANES = 40, 8


def backlog(world: World, first: int) -> None:
    """Events that wait before a worker starts, for as many lanes as there are."""
    for number in range(first, first + PEOPLE):
        person = {"id": f"c-{number}", "lastName": f"Ng {number}", "email": f"p{number}@example.com", "city": LONG}
        assert world.post(a_customer(**person, assignedUser={"email": "priya@youragency.com"})) == 204


def cities(world: World) -> list[str | None]:
    return [held.get("MailingCity") for held in world.salesforce.records("Contact")]


def asked(world: World, *parts: str) -> int:
    """Requests to Salesforce so far with one of these in their path or body."""
    return sum(any(part in f"{seen.path} {seen.body}" for part in parts) for seen in world.salesforce.seen)


def test_a_backlog_of_long_texts_is_cut_at_the_first_start_and_at_the_next(open_world: Callable[..., World]) -> None:
    world = open_world(partitions=LANES)
    world.role("receive")
    world.ready()
    backlog(world, 0)
    world.role("work")
    world.until(lambda: cities(world) == [LONG[:40]] * PEOPLE and world.idle())
    figures = {"describe": asked(world, "/describe"), "login": asked(world, "/oauth2/token"), "owner": owners(world)}
    assert figures == {"describe": 1, "login": 1, "owner": 1}
    world.crash("work", again=False)
    backlog(world, PEOPLE)
    refused = Response('[{"errorCode": "INSUFFICIENT_ACCESS", "message": "no"}]', 403, content_type="application/json")
    asks = (("/composite", "/describe"), lambda _: refused)
    world.salesforce.faults.append(Fault(lambda _, path: path.endswith(asks[0]), asks[1], 10**6))
    world.role("work")
    world.until(lambda: cities(world) == [LONG[:40]] * 2 * PEOPLE and world.idle())
    assert asked(world, "/describe") == 1


def owners(world: World) -> int:
    """Searches for the agent's user."""
    return asked(world, "FROM User", "FROM+User", "FROM%20User")
