"""Look at each agency once a minute and tell its people what changed for the worse, or is over."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from connector import telemetry
from connector.errors import NotTold, StoreUnavailable
from connector.insight.alarms import MINUTE, News, Seen, news, raised, silence, written
from connector.store import Store

_TURN: Final = MINUTE - MINUTE // 12
"""A little less than the minute that lies between two looks: clocks are not exact."""

Way = Callable[[str, str], None]
"""Sends a subject and a body somewhere. Raises NotTold."""


@dataclass(frozen=True, slots=True)
class Subscriber:
    """An agency whose people want to know. window in ms; renewals: (destination, by when)."""

    agency: str
    ways: Sequence[Way]
    window: int
    renewals: Sequence[tuple[str, date]] = ()


class Watch:
    """Call it as often as you like: it looks once a minute. clock: epoch seconds."""

    def __init__(self, store: Store, agencies: Sequence[Subscriber], clock: Callable[[], float]) -> None:
        self._store, self._agencies, self._clock = store, agencies, clock
        self._next = 0.0

    def __call__(self) -> None:
        """Look, where it is time."""
        if self._clock() < self._next:
            return
        self._next = self._clock() + MINUTE / 1000
        try:
            for one in self._agencies:
                self._look(one)
        except StoreUnavailable as error:
            telemetry.store_unavailable("watch", error.problem)

    def _look(self, one: Subscriber) -> None:
        turn = self._store.watches.take(one.agency, _TURN)
        if turn is None:
            return
        seen = look(self._store, one.agency, turn.now, turn.looked_at, one.renewals)
        found = news(raised(seen), turn.told, turn.now, one.window)
        if found and not _tell(one, found):
            return  # tried again in a minute
        if found.told != turn.told:
            self._store.watches.told(one.agency, found.told)


def look(store: Store, agency: str, now: int, looked_at: int = 0, renewals: Sequence[tuple[str, date]] = ()) -> Seen:
    """What is to be seen of one agency. Raises StoreUnavailable."""
    return Seen(
        now,
        _own(agency, store.desk.lanes()),
        _own(agency, store.opt_outs.standing()),
        _own(agency, store.watches.died_lately()),
        _own(agency, store.mappings.all()),
        silence(store.watches.arrivals(agency), now),
        looked_at,
        [(f"{agency}/{name}", by) for name, by in renewals],
    )


def _own(agency: str, rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [row for row in rows if row["destination"].startswith(f"{agency}/")]


def _tell(one: Subscriber, found: News) -> bool:
    """Whether at least one way worked."""
    subject, body = written(one.agency, found)
    worked = []
    for way in one.ways:
        try:
            way(subject, body)
        except NotTold as error:
            telemetry.alarm_not_told(one.agency, str(error))
            worked.append(False)
        else:
            telemetry.alarm_told(one.agency, [alarm.key for alarm in found.raised], list(found.over))
            worked.append(True)
    return any(worked)
