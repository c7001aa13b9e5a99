"""An outage of the database, as one machine knows it: whom to send what. Pure: times in, messages out.

Its times are of the machine's monotonic clock, in ms, which all its processes share until its next start.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from connector.backoff import HOUR, SECOND
from connector.insight.alarms import MINUTE, Alarm, News, to_replay, written
from connector.insight.words import utc

PATIENCE: Final = MINUTE
"""An outage as short as a restart of the database alarms nobody."""

AGAIN: Final = 5
"""How many times as long an outage must last if one was reported less than a window ago."""


@dataclass(frozen=True, slots=True)
class Outage:
    """since: when the database could last be written. until: when it could again; None while it cannot.

    sent: when the alarm was last sent, for each agency and way; where it is over, those that do not know that yet.
    damaged: whether damage was met: it is over only when an intact database is there, which none but a write shows.
    """

    since: int
    until: int | None = None
    sent: Mapping[str, int] = field(default_factory=dict)
    damaged: bool = False

    def due(self, address: str, window: int, now: int) -> bool:
        """Whether the alarm is to be sent to an address, an agency's way: at first, and once in each window."""
        return address not in self.sent or now - self.sent[address] >= window

    def accepted(self, address: str, now: int) -> Outage:
        """After the alarm was sent to an address."""
        return replace(self, sent={**self.sent, address: now})

    def with_damage(self) -> Outage:
        """After damage was met: another alarm, for those as well who know that nothing can be written."""
        return replace(self, sent={}, damaged=True)


class _Kept(BaseModel):
    boot: str
    since: int
    until: int | None
    sent: dict[str, int]
    damaged: bool = False


def read_outage(content: Mapping[str, Any] | None, boot: str, now: int) -> Outage | None:
    """Read what a process of this machine wrote. boot: the machine's start; times of another one say little."""
    try:
        kept = _Kept.model_validate(content)
    except ValidationError:
        return None
    if kept.boot == boot and kept.since <= now:
        return Outage(kept.since, kept.until, kept.sent, kept.damaged)
    return Outage(now, None if kept.until is None else now, dict.fromkeys(kept.sent, now), kept.damaged)


def as_content(outage: Outage | None, boot: str) -> dict[str, Any]:
    """Write it for `read_outage`."""
    return {} if outage is None else {"boot": boot, **asdict(outage)}


def alarm(outage: Outage, where: str, problem: str, lasted: int, wall: int) -> Alarm:
    """The alarm while it lasts. where: the process; lasted in ms; wall: now, in epoch ms."""
    if outage.damaged:
        text = (
            f"{where}: the database {problem}. New events are answered with 503, and careCycle sends them again; "
            "deliveries and opt-outs wait. Copy the database's files to another place before you change anything, then "
            "follow 'A damaged database' in docs/operating.md; `connector doctor` reads every page."
        )
        return Alarm("database", "damaged", text + to_replay(wall - lasted, lasted))
    text = (
        f"{where} could not write to the database for {duration(lasted)}: {problem}. Until it can, new events are "
        "answered with 503, and careCycle sends them again; deliveries and opt-outs wait. No acknowledged event is "
        "lost. Check the database's server, its disk and the network; `connector doctor` says what it finds."
    )
    return Alarm("database", "cannot be written", text + to_replay(wall - lasted, lasted))


def raised(agency: str, current: Alarm) -> tuple[str, str]:
    """The subject and body of the alarm."""
    return written(agency, News([current], [], {}))


def over(agency: str, current: Alarm, lasted: int, ended: int) -> tuple[str, str]:
    """The subject and body of its end. ended in epoch ms."""
    subject, body = written(agency, News([], [current.key], {}))
    span = f"It lasted {duration(lasted)}, from {utc(ended - lasted)} to {utc(ended)}."
    return subject, f"{body}{span}{to_replay(ended - lasted, lasted)}\n"


def duration(ms: int) -> str:
    """Write a duration for people."""
    if ms < 2 * MINUTE:
        return f"{ms // SECOND} seconds"
    hours, minutes = divmod(ms // MINUTE, HOUR // MINUTE)
    return f"{hours} h {minutes} min" if hours else f"{minutes} minutes"
