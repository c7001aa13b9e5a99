"""Send several messages at once: a way that fails or hangs keeps no other from being tried."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any, Final, Protocol, TypeVar

from connector import telemetry
from connector.errors import AlarmNotSent

AT_ONCE: Final = 16
"""Each takes no longer than its deadline, so that this many broken ways cost no more time than one."""

Way = Callable[[str, str], None]
"""Sends a subject and a body somewhere. Raises AlarmNotSent."""

Result = TypeVar("Result")


class Keeper(Protocol):
    """Keeps small JSON objects by name, outside the database."""

    def read(self, name: str) -> dict[str, Any] | None:
        """What was last written under this name."""

    def write(self, name: str, content: Mapping[str, Any]) -> None:
        """Keep a JSON object under this name."""


@dataclass(frozen=True, slots=True)
class Subscriber:
    """An agency whose people receive alarms, each way by itself. window in ms; renewals: (destination, deadline).

    heartbeat: tells a monitoring service that all is well. Raises AlarmNotSent. console_url: where people see more.
    backup_days: how old the last backup may be; 0: as old as it likes.
    """

    agency: str
    ways: Mapping[str, Way]
    window: int
    renewals: Sequence[tuple[str, date]] = ()
    heartbeat: Callable[[], None] | None = None
    console_url: str = ""
    backup_days: int = 0


@dataclass(frozen=True, slots=True)
class Letter:
    """A message for one way of an agency. raised, over: the keys of the alarms in it."""

    agency: str
    way: Way
    subject: str
    body: str
    raised: Sequence[str] = ()
    over: Sequence[str] = ()


def send_all(letters: Sequence[Letter]) -> list[bool]:
    """Send them, and return for each whether it was accepted."""
    return at_once([partial(_send, letter) for letter in letters])


def at_once(tasks: Sequence[Callable[[], Result]]) -> list[Result]:
    """Run them side by side; return their results in order."""
    if not tasks:
        return []
    with ThreadPoolExecutor(min(AT_ONCE, len(tasks)), "alarms") as pool:
        return [doing.result() for doing in [pool.submit(task) for task in tasks]]


def _send(letter: Letter) -> bool:
    try:
        letter.way(letter.subject, letter.body)
    except AlarmNotSent as error:
        telemetry.alarm_failed(letter.agency, str(error))
        return False
    telemetry.alarm_sent(letter.agency, list(letter.raised), list(letter.over))
    return True
