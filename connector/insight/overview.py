"""What the console and the commands show operators: the state of everything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from connector.backoff import DAY
from connector.errors import UnreadableEvent
from connector.insight.alarms import LATE_OPT_OUT, Silence, silence
from connector.insight.oddities import hides_an_opt_out
from connector.settlement import UNOPENABLE
from connector.settlement.clocks import STEADY, Hold, ProcessClock
from connector.settlement.gaps import Lost
from connector.settlement.listings import (
    CallsToday,
    DeadCause,
    LaneOptOuts,
    LaneStatus,
    MappingStatus,
    OpenField,
)
from connector.settlement.source import Compared
from connector.settlement.verification import Standing
from connector.store import Store
from connector.store.figures import Pace

_UNREAD: Final = frozenset({UnreadableEvent.code, UNOPENABLE})


@dataclass(frozen=True, slots=True)
class OptOutStanding:
    """A destination's opt-outs that are not in its CRM, by state. paused: why a lane is paused; empty if none is.

    lowered: confirmed by the CRM, and found lowered there since, last at lowered_at (epoch ms).
    """

    destination: str
    oldest_ms: int = 0
    paused: str = ""
    waiting: int = 0
    refused: int = 0
    no_record: int = 0
    not_mapped: int = 0
    lowered: int = 0
    lowered_at: int = 0

    def with_lane(self, lane: LaneOptOuts) -> OptOutStanding:
        """Add one of the destination's lanes."""
        return OptOutStanding(
            self.destination,
            max(self.oldest_ms, lane.oldest_ms),
            f"{lane.pause_code}: {lane.pause_reason}" if lane.paused else self.paused,
            self.waiting + lane.waiting,
            self.refused + lane.refused,
            self.no_record + lane.no_record,
            self.not_mapped + lane.not_mapped,
            self.lowered + lane.lowered,
            max(self.lowered_at, lane.lowered_at),
        )


def consent_standing(store: Store) -> list[OptOutStanding]:
    """List every destination with its opt-outs that are not in its CRM yet."""
    standing: dict[str, OptOutStanding] = {}
    for lane in store.opt_outs.standing():
        standing[lane.destination] = standing.get(lane.destination, OptOutStanding(lane.destination)).with_lane(lane)
    return list(standing.values())


@dataclass(frozen=True, slots=True)
class Overview:
    """The current state, for the console's overview page and `connector status`. Times in epoch ms, UTC; ages in ms.

    came_today: events received; today: their deliveries by state. waiting: deliveries ready. paces: by
    lane. causes: of dead letters, largest first. left_out: the fields the CRMs refuse, the most first.
    calls: by destination; None where none were counted. silences: by agency, for those that ever received anything.
    odd_flags: events with a customer or consent flag that could not be read. questions: those that wait for people.
    processes: those that run, with their clocks. hold: whether deletion waits.
    lost: what the database lacks since its history went back; None if nothing. compared: by agency, for those whose
    careCycle was asked. in_crm: what comparing the records with each CRM found.
    backup_at: when the last backup was made; None if none is noted.
    """

    now: int
    midnight: int
    came_today: int
    today: Mapping[str, int]
    waiting: int
    lanes: Sequence[LaneStatus]
    paces: Mapping[str, Pace]
    consent: Sequence[OptOutStanding]
    causes: Sequence[DeadCause]
    left_out: Sequence[OpenField]
    calls: Mapping[str, CallsToday | None]
    mappings: Sequence[MappingStatus]
    silences: Mapping[str, Silence]
    odd_flags: int
    questions: int
    processes: Sequence[ProcessClock] = ()
    hold: Hold = STEADY
    lost: Lost | None = None
    compared: Mapping[str, Compared] = field(default_factory=dict)
    in_crm: Sequence[Standing] = ()
    backup_at: int | None = None

    @property
    def agencies(self) -> list[str]:
        """The agencies that have a lane, sorted."""
        return agencies_of(self.lanes)

    @property
    def dead(self) -> int:
        """The number of dead letters."""
        return sum(group.count for group in self.causes)

    @property
    def open_items(self) -> int:
        """The number of fields left out."""
        return sum(group.count for group in self.left_out)

    @property
    def opt_outs(self) -> int:
        """Opt-outs that are not in their CRM yet, waiting or refused."""
        return sum(row.waiting + row.refused for row in self.consent)

    @property
    def no_record(self) -> int:
        """Opt-outs of customers their CRM has no record of."""
        return sum(row.no_record for row in self.consent)

    @property
    def lowered(self) -> int:
        """Opt-outs that were in their CRM, and were found lowered there since."""
        return sum(row.lowered for row in self.consent)

    @property
    def not_mapped(self) -> int:
        """Opt-outs whose flag the mapping waives, or whose customers it leaves out."""
        return sum(row.not_mapped for row in self.consent)

    @property
    def unread(self) -> int:
        """Messages nobody could read, with whatever opt-outs are in them. Each is dead in every destination."""
        unread: Counter[tuple[str, str]] = Counter()
        for cause in self.causes:
            if cause.code in _UNREAD:
                unread[cause.destination, cause.code] += cause.count
        most: Counter[tuple[str, str]] = Counter()
        for (destination, code), count in unread.items():
            most |= Counter({(destination.partition("/")[0], code): count})
        return most.total()

    @property
    def uncertain(self) -> bool:
        """Whether there may be opt-outs that are not in a CRM although none is waiting or refused."""
        elsewhere = self.no_record or self.not_mapped or self.lowered
        return bool(self.lost or self.unread or self.odd_flags or elsewhere)

    @property
    def oldest_opt_out(self) -> int:
        """The age of the oldest of them; 0 when there is none."""
        return max((row.oldest_ms for row in self.consent), default=0)

    @property
    def late(self) -> bool:
        """Whether an opt-out has waited long enough to raise an alarm."""
        return self.oldest_opt_out > LATE_OPT_OUT

    @property
    def last_ms(self) -> int | None:
        """How long ago the newest event arrived (ms); None if none ever did."""
        return min((silence.ms for silence in self.silences.values()), default=None)


def overview(store: Store, now: int) -> Overview:
    """Read the current state. now: epoch ms. Raises StoreUnavailable."""
    midnight, lanes = now - now % DAY, store.desk.lanes()
    usage = {row.destination: row for row in store.usage.all()}
    silences = {agency: silence(store.watches.arrivals(agency), now) for agency in agencies_of(lanes)}
    compared = {agency: store.runs.compared(agency) for agency in agencies_of(lanes)}
    return Overview(
        now=now,
        midnight=midnight,
        came_today=store.figures.events_since(midnight),
        today=store.desk.states(midnight),
        waiting=store.desk.waiting(),
        lanes=lanes,
        paces=store.figures.paces(),
        consent=consent_standing(store),
        causes=store.desk.dead(),
        left_out=store.open_items.fields(),
        calls={name: usage.get(name) for name in sorted({lane.destination for lane in lanes})},
        mappings=store.mappings.all(),
        silences={agency: quiet for agency, quiet in silences.items() if quiet},
        odd_flags=sum(oddity.count for oddity in store.oddities.all() if hides_an_opt_out(oddity)),
        questions=store.questions.count(),
        processes=store.processes.all(),
        hold=store.retention.hold(),
        lost=store.gaps.open(),
        compared={agency: known for agency, known in compared.items() if known},
        in_crm=store.verifications.standing(),
        backup_at=store.backups.last(),
    )


def agencies_of(lanes: Sequence[LaneStatus]) -> list[str]:
    """List the agencies of these lanes, sorted."""
    return sorted({lane.destination.partition("/")[0] for lane in lanes})
