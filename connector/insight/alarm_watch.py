"""Check each agency once a minute and send its people what got worse or is over."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, TypeVar

from connector import telemetry
from connector.backoff import HOUR
from connector.errors import AlarmNotSent, StoreUnavailable
from connector.insight.alarms import MINUTE, News, Seen, news, raised, silence, written
from connector.settlement.listings import LaneOptOuts, LaneStatus, MappingStatus, RecentDead
from connector.store import Store

_TURN: Final = MINUTE - MINUTE // 12
"""Slightly less than the minute between two checks, because clocks are not exact."""

Way = Callable[[str, str], None]
"""Sends a subject and a body somewhere. Raises AlarmNotSent."""


_Row = TypeVar("_Row", LaneStatus, LaneOptOuts, RecentDead, MappingStatus)


@dataclass(frozen=True, slots=True)
class Subscriber:
    """An agency whose people receive alarms. window in ms; renewals: (destination, deadline)."""

    agency: str
    ways: Sequence[Way]
    window: int
    renewals: Sequence[tuple[str, date]] = ()


class Watch:
    """Checks every agency, at most once a minute however often it is called. clock: epoch seconds."""

    def __init__(self, store: Store, agencies: Sequence[Subscriber], clock: Callable[[], float]) -> None:
        self._store, self._agencies, self._clock = store, agencies, clock
        self._next = 0.0

    def __call__(self) -> None:
        """Check every agency if a minute has passed."""
        if self._clock() < self._next:
            return
        self._next = self._clock() + MINUTE / 1000
        try:
            for subscriber in self._agencies:
                self._check(subscriber)
        except StoreUnavailable as error:
            telemetry.store_unavailable("watch", error.problem)

    def _check(self, subscriber: Subscriber) -> None:
        turn = self._store.watches.take(subscriber.agency, _TURN)
        if turn is None:
            return
        seen = look(self._store, subscriber.agency, turn.now, turn.looked_at, subscriber.renewals)
        message = news(raised(seen), turn.sent, turn.now, subscriber.window)
        if message and not _send(subscriber, message):
            return  # retried in a minute
        if message.sent != turn.sent:
            self._store.watches.remember(subscriber.agency, message.sent)


def look(store: Store, agency: str, now: int, looked_at: int = 0, renewals: Sequence[tuple[str, date]] = ()) -> Seen:
    """Read one agency's state. Raises StoreUnavailable."""
    return Seen(
        now,
        _own(agency, store.desk.lanes()),
        _own(agency, store.opt_outs.standing()),
        _own(agency, store.watches.died_lately()),
        _own(agency, store.mappings.all()),
        silence(store.watches.arrivals(agency), now),
        looked_at,
        [(f"{agency}/{name}", by) for name, by in renewals],
        [oddity for oddity in store.oddities.all() if oddity.agency == agency and oddity.until >= now - HOUR],
        store.processes.all(),
        store.retention.hold(),
        store.gaps.open(),
    )


def _own(agency: str, rows: Sequence[_Row]) -> list[_Row]:
    return [row for row in rows if row.destination.startswith(f"{agency}/")]


def _send(subscriber: Subscriber, message: News) -> bool:
    """Send a message every way the agency wants; return whether at least one worked."""
    subject, body = written(subscriber.agency, message)
    worked = []
    for way in subscriber.ways:
        try:
            way(subject, body)
        except AlarmNotSent as error:
            telemetry.alarm_failed(subscriber.agency, str(error))
            worked.append(False)
        else:
            telemetry.alarm_sent(subscriber.agency, [alarm.key for alarm in message.raised], list(message.over))
            worked.append(True)
    return any(worked)
