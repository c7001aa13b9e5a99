"""Check each agency once a minute and send its people what got worse or is over."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from typing import Final, TypeVar

from connector import telemetry
from connector.backoff import HOUR, SECOND
from connector.errors import AlarmNotSent, StoreUnavailable
from connector.insight.alarm_memory import Memory
from connector.insight.alarms import MINUTE, News, Seen, Sent, news, raised, silence, written
from connector.insight.sending import Keeper, Letter, Subscriber, at_once, send_all
from connector.settlement.listings import LaneOptOuts, LaneStatus, MappingStatus, RecentDead
from connector.settlement.verification import Standing
from connector.store import Store
from connector.store.watches import Turn

_TURN: Final = MINUTE - MINUTE // 12
"""Slightly less than the minute between two checks, because clocks are not exact."""

_RECEIVING: Final = 2 * MINUTE
"""A receiver that has not written for so long cannot."""


_Row = TypeVar("_Row", LaneStatus, LaneOptOuts, RecentDead, MappingStatus, Standing)


@dataclass(frozen=True, slots=True)
class _Check:
    """A check of one agency, and what there is to send each way."""

    subscriber: Subscriber
    turn: Turn
    sent: Mapping[str, Sent]
    news: Mapping[str, News]


class Watch:
    """Checks every agency, at most once a minute however often it is called. tick: monotonic seconds."""

    def __init__(self, store: Store, agencies: Sequence[Subscriber], keeper: Keeper, tick: Callable[[], float]) -> None:
        self._store, self._agencies, self._tick = store, agencies, tick
        self._memory, self._steady = Memory(keeper, tick), _Steady(tick)
        self._next = self._called_at = self._awake_since = tick()
        self._away_since: dict[str, int] = {}
        self._silent: set[str] = set()

    def __call__(self) -> None:
        """Check every agency if a minute has passed."""
        now = self._tick()
        if now - self._called_at >= HOUR / SECOND:  # this process was frozen
            self._awake_since = now
            self._away_since.clear()
        self._called_at = now
        if now < self._next:
            return
        self._next = now + MINUTE / SECOND
        checks: list[_Check] = []
        try:
            for subscriber in self._agencies:
                if turn := self._store.watches.take(subscriber.agency, _TURN):
                    checks.append(self._check(subscriber, turn))
        except StoreUnavailable as error:
            telemetry.store_unavailable("watch", error.problem)
        self._tell(checks)

    def _check(self, subscriber: Subscriber, turn: Turn) -> _Check:
        agency = subscriber.agency
        seen = replace(
            look(self._store, agency, turn.now, subscriber.renewals, self._steady.since(turn.now)),
            backup_days=subscriber.backup_days,
            looked_at=self._away_since.setdefault(agency, turn.looked_at),
            awake_at=turn.now - int((self._tick() - self._awake_since) * SECOND),
        )
        alarms, window = raised(seen), subscriber.window
        sent = {way: self._memory.sent(agency, way, turn) for way in subscriber.ways}
        return _Check(subscriber, turn, sent, {way: news(alarms, sent[way], turn.now, window) for way in sent})

    def _tell(self, checks: Sequence[_Check]) -> None:
        """Send what there is to say, and remember what was accepted."""
        letters = [(check, way, _letter(check, way)) for check in checks for way, new in check.news.items() if new]
        accepted = send_all([letter for _, _, letter in letters])
        failed = {(id(check), way) for (check, way, _), worked in zip(letters, accepted, strict=True) if not worked}
        well = [check for check in checks if self._remember(check, failed)]
        at_once([partial(self._beat, check.subscriber) for check in well if check.subscriber.heartbeat])

    def _remember(self, check: _Check, failed: Container[tuple[int, str]]) -> bool:
        """Remember what was sent; return whether this check shows that the connector works."""
        agency, turn = check.subscriber.agency, check.turn
        kept = [way for way in check.news if (id(check), way) not in failed]
        sent = {way: check.news[way].sent if way in kept else check.sent[way] for way in check.news}
        if len(kept) == len(sent):
            self._away_since[agency] = 0
        self._memory.keep(agency, turn, sent)
        if sent != turn.sent:
            try:
                self._store.watches.remember(agency, sent)
            except StoreUnavailable as error:
                telemetry.store_unavailable("watch", error.problem)
                return False
        return turn.now - turn.received_at <= _RECEIVING

    def _beat(self, subscriber: Subscriber) -> None:
        """Tell the monitoring service that all is well. A failure is logged once, until it works again."""
        assert subscriber.heartbeat is not None
        try:
            subscriber.heartbeat()
        except AlarmNotSent as error:
            if subscriber.agency not in self._silent:
                telemetry.heartbeat_failed(subscriber.agency, str(error))
            self._silent.add(subscriber.agency)
        else:
            self._silent.discard(subscriber.agency)


class _Steady:
    """Notices when the database's clock jumps ahead: what seems to have passed has not."""

    def __init__(self, tick: Callable[[], float]) -> None:
        self._tick = tick
        self._last: tuple[int, float] | None = None
        self._since = 0

    def since(self, now: int) -> int:
        """Since when it has not jumped ahead (epoch ms); 0: since before this process."""
        tick = self._tick()
        if self._last and (now - self._last[0]) - (tick - self._last[1]) * SECOND > MINUTE:
            self._since = now
        self._last = now, tick
        return self._since


def _letter(check: _Check, way: str) -> Letter:
    agency, new = check.subscriber.agency, check.news[way]
    subject, body = written(agency, new, check.subscriber.console_url)
    return Letter(agency, check.subscriber.ways[way], subject, body, [alarm.key for alarm in new.raised], new.over)


def look(store: Store, agency: str, now: int, renewals: Sequence[tuple[str, date]] = (), steady_since: int = 0) -> Seen:
    """Read one agency's state. Raises StoreUnavailable."""
    return Seen(
        now,
        _own(agency, store.desk.lanes()),
        _own(agency, store.opt_outs.standing()),
        _own(agency, store.watches.died_lately()),
        _own(agency, store.mappings.all()),
        silence(store.watches.arrivals(agency), now, steady_since),
        renewals=[(f"{agency}/{name}", by) for name, by in renewals],
        odd=[oddity for oddity in store.oddities.all() if oddity.agency == agency and oddity.until >= now - HOUR],
        processes=store.processes.all(),
        hold=store.retention.hold(),
        lost=store.gaps.open(),
        compared=_own(agency, store.verifications.standing()),
        source=store.runs.compared(agency),
        backup_at=store.backups.last(),
    )


def _own(agency: str, rows: Sequence[_Row]) -> list[_Row]:
    return [row for row in rows if row.destination.startswith(f"{agency}/")]
