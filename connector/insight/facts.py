"""What the page *Now* is made of, as values. Pure. Times in epoch ms, ages in ms."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import TypeVar

from connector.errors import PauseReason
from connector.insight.alarms import Seen
from connector.settlement import DeliveryState
from connector.settlement.clocks import ProcessClock
from connector.settlement.gaps import Lost
from connector.settlement.listings import LaneOptOuts, LaneStatus

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Day:
    """What came of an agency's events since its midnight. events: received; states: their deliveries by state.

    held: of those that wait, the ones in a lane that is paused or whose CRM fails.
    """

    events: int = 0
    states: Mapping[DeliveryState, int] = field(default_factory=dict)
    held: int = 0

    @property
    def total(self) -> int:
        """All deliveries: each event once for every CRM account it goes to."""
        return sum(self.states.values())

    @property
    def waiting(self) -> int:
        """Those that wait for their turn only."""
        return self.states.get(DeliveryState.READY, 0) - self.held

    def count(self, state: DeliveryState) -> int:
        """Those in one state."""
        return self.states.get(state, 0)

    def __add__(self, other: Day) -> Day:
        states = {state: self.count(state) + other.count(state) for state in {*self.states, *other.states}}
        return Day(self.events + other.events, states, self.held + other.held)


@dataclass(frozen=True, slots=True)
class DeadFact:
    """Dead letters of one cause. opt_outs: of their customers, those that this destination's CRM does not have.

    unread: nobody could read the messages. muted: somebody looks after it, so that nobody else has to.
    """

    id: str
    destination: str
    code: str
    what: str
    count: int
    customers: int
    opt_outs: int = 0
    unread: bool = False
    muted: bool = False


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything the product knows of how things are. seen: by agency. titles: of CRMs, by destination.

    expiring: dead letters that will be discarded soon, by agency. left_out: fields to act on. today: by agency.
    lingering: keys of alarms that were sent, are not over, and of which nothing else here speaks.
    space: bytes free on an embedded database's disk. ending: what to do about versions of APIs, by destination.
    backup_at: when the last backup was made, if one is noted.
    """

    now: int
    seen: Mapping[str, Seen] = field(default_factory=dict)
    titles: Mapping[str, str] = field(default_factory=dict)
    dead: Sequence[DeadFact] = ()
    questions: int = 0
    left_out: int = 0
    expiring: Mapping[str, int] = field(default_factory=dict)
    today: Mapping[str, Day] = field(default_factory=dict)
    lingering: Sequence[str] = ()
    space: int | None = None
    ending: Mapping[str, str] = field(default_factory=dict)
    backup_at: int | None = None

    @property
    def lanes(self) -> list[LaneStatus]:
        """Every agency's lanes."""
        return _all(seen.lanes for seen in self.seen.values())

    @property
    def opt_outs(self) -> list[LaneOptOuts]:
        """Every lane's opt-outs that are not in its CRM."""
        return _all(seen.opt_outs for seen in self.seen.values())

    @property
    def open_opt_outs(self) -> int:
        """Opt-outs owed or refused."""
        return sum(lane.waiting + lane.refused for lane in self.opt_outs)

    @property
    def processes(self) -> Sequence[ProcessClock]:
        """The processes that run."""
        return next((seen.processes for seen in self.seen.values()), ())

    @property
    def lost(self) -> Lost | None:
        """What the database lacks."""
        return next((seen.lost for seen in self.seen.values()), None)

    @property
    def day(self) -> Day:
        """All agencies' day."""
        return sum(self.today.values(), Day())

    def title(self, destination: str) -> str:
        """Name a destination's CRM; with the agency where there are several."""
        agency, _, name = destination.partition("/")
        title = self.titles.get(destination, name or destination)
        return f"{title} ({agency})" if len(self.seen) > 1 else title


def by_hand(lane: LaneStatus) -> bool:
    """Whether a person paused a lane."""
    return lane.paused and lane.pause_code == PauseReason.OPERATOR


def is_held(lane: LaneStatus) -> bool:
    """Whether nothing gets through: it is paused, or its CRM fails."""
    return lane.paused or lane.fails


def _all(rows: Iterable[Sequence[Row]]) -> list[Row]:
    return list(chain.from_iterable(rows))
