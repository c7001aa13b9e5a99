"""Read what the page *Now* shows, for the agencies that somebody may see."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TypeVar

from connector.backoff import HOUR, SECOND
from connector.errors import UnreadableEvent
from connector.insight.accounts import Account
from connector.insight.alarm_watch import look
from connector.insight.alarms import Seen
from connector.insight.disk import free_space
from connector.insight.facts import Day, DeadFact, Facts, is_held
from connector.insight.left_out import LeftOut, find_left_out, to_act_on
from connector.insight.oddities import hides_an_opt_out
from connector.insight.overview import agencies_of
from connector.insight.problems import Cause, find_causes
from connector.settlement import UNOPENABLE, DeliveryState
from connector.settlement.listings import LaneStatus
from connector.settlement.oddities import Oddity
from connector.settlement.questions import Question
from connector.store import Store

Row = TypeVar("Row", LaneStatus, LeftOut, Cause, Question)
_UNREAD = frozenset({UnreadableEvent.code, UNOPENABLE})


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads how things are for somebody. sees: whether they may know of an agency.

    midnight: when an agency's day began (epoch ms). write: writes a time (epoch ms) in an agency's zone.
    """

    store: Store
    accounts: Sequence[Account]
    midnight: Callable[[str], int]
    sees: Callable[[str], bool]
    write: Callable[[int, str], str]

    def gather(self) -> Facts:
        """Read how things are. Raises StoreUnavailable."""
        store, lanes = self.store, self._own(self.store.desk.lanes())
        agencies = self._agencies(lanes)
        left_out = self._own(to_act_on(find_left_out(store, self.accounts)))
        return Facts(
            store.database.time(),
            {agency: self._seen(agency) for agency in agencies},
            {own.name: own.crm for own in self.accounts if own.crm},
            [_dead(cause) for cause in self._own(find_causes(store, self.accounts))],
            sum(own.is_open for own in self._own(store.questions.all())),
            sum(own.count for own in left_out),
            {agency: store.agencies.expiring().get(agency, 0) for agency in agencies},
            {agency: self._day(agency, lanes) for agency in agencies},
            [key for agency in agencies for key in store.watches.raised(agency)],
            free_space(store.database.folder()),
            self._ending(),
            store.backups.last(),
        )

    def _ending(self) -> dict[str, str]:
        today = datetime.fromtimestamp(self.store.database.time() / SECOND, UTC).date()
        own = [account for account in self.accounts if self.sees(account.agency)]
        return {account.name: notice for account in own if (notice := account.notice(today))}

    def _agencies(self, lanes: Sequence[LaneStatus]) -> list[str]:
        """Those with a lane; before any worker has started, those of the agency files."""
        known = agencies_of(lanes) or sorted({agency_of(own.name) for own in self.accounts})
        return [agency for agency in known if self.sees(agency)]

    def _own(self, rows: Sequence[Row]) -> list[Row]:
        return [row for row in rows if self.sees(agency_of(row.destination))]

    def _seen(self, agency: str) -> Seen:
        """What is checked for alarms, and every flag that could not be read, however long ago."""
        now, mine = self.store.database.time(), f"{agency}/"
        renewals = [
            (own.name.removeprefix(mine), own.renew_by)
            for own in self.accounts
            if own.renew_by and own.name.startswith(mine)
        ]
        odd = [own for own in self.store.oddities.all() if own.agency == agency and _is_news(own, now)]
        days = max((own.backup_days for own in self.accounts if own.agency == agency), default=0)
        seen = look(self.store, agency, now, renewals)
        return replace(seen, odd=odd, backup_days=days, write=lambda at: self.write(at, agency))

    def _day(self, agency: str, every: Sequence[LaneStatus]) -> Day:
        """Count an agency's day."""
        lanes, since = [own for own in every if agency_of(own.destination) == agency], self.midnight(agency)
        destinations = {lane.destination for lane in lanes}
        stopped = {lane.name for lane in lanes if is_held(lane)}
        states, held = Counter[DeliveryState](), 0
        for lane, state, count in self.store.figures.states(since, destinations):
            states[DeliveryState(state)] += count
            held += count if lane in stopped and state == DeliveryState.READY else 0
        return Day(self.store.figures.received(since, destinations), states, held)


def _is_news(oddity: Oddity, now: int) -> bool:
    return oddity.until >= now - HOUR or hides_an_opt_out(oddity)


def agency_of(destination: str) -> str:
    """The agency of a destination."""
    return destination.partition("/")[0]


def _dead(cause: Cause) -> DeadFact:
    unread = cause.code in _UNREAD
    return DeadFact(
        cause.id,
        cause.destination,
        cause.code,
        cause.what,
        cause.count,
        cause.customers,
        cause.opt_outs,
        unread,
        cause.muted is not None,
    )
