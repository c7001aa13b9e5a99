"""Delete the records that a version of the mapping, or a run, created, where nothing else has happened to them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from connector.delivery.authors import version_of
from connector.delivery.route import Pace, Route
from connector.delivery.undo_guards import consents_of
from connector.delivery.undoing import ELSEWHERE, MEANWHILE, NEWER, OTHER, End, What
from connector.destinations.bench import Touched
from connector.model import Mark
from connector.settlement.previous import Former, author
from connector.store import Store
from connector.store.lanes import Lease
from connector.store.previous import Whose

BATCH: Final = 100
"""Records deleted in one call."""

OPTED_OUT: Final = "the customer has opted out of something"
EXPECTED: Final = "an event of the customer waits to be delivered, or is a dead letter"
KNOWN: Final = "careCycle has sent something else of the customer"
SHARED: Final = "it is, or may be, another customer's or destination's record too"
UNCONFIRMED: Final = "the CRM did not confirm that it was created"
CHANGED: Final = "somebody or something changed it in the CRM since"
ATTACHED: Final = "other records in the CRM belong to it"
UNSEEN: Final = "the CRM did not say what has happened to it since"
NOBODY: Final = "it is not known which customer's it is"
BEGUN: Final = "an earlier deletion of it was interrupted: if nobody has restored it, delete it in the CRM"
GONE: Final = "it was gone already"


def created(former: Former) -> bool:
    """Whether a record was created, as far as it was noted, and is not deleted yet."""
    made = [kept for kept in former.kept if kept.before.created]
    return bool(made) and not any(kept.done for kept in made)


def written_since(former: Former) -> str:
    """Return what else has written to a record that was created, by the ledger; empty if nothing has."""
    entry = former.entry
    made = {kept.made for kept in former.kept} - {None}
    if not made:
        return UNCONFIRMED
    if not all(kept.before.created for kept in former.kept):
        return NEWER
    if entry is None or entry.merged or entry.crm_id not in made:
        return ELSEWHERE
    if entry.unsubscribed is not None:
        return OPTED_OUT
    return next(filter(None, _changes(former, entry.fields)), "")


def _changes(former: Former, marks: Mapping[str, Mark]) -> Iterator[str]:
    times = {name: stamp.at for kept in former.kept for name, stamp in kept.before.fields.items()}
    by = {kept.before.by for kept in former.kept}
    return (_changed(mark, times.get(name), by) for name, mark in marks.items())


def _changed(mark: Mark, at: int | None, by: Collection[str]) -> str:
    if mark.by not in by:
        return NEWER if version_of(mark) in {version_of(Mark(mark.stamp, "", own)) for own in by} else OTHER
    return NEWER if mark.turn or mark.stamp.at != at else ""


def stays(touched: Touched | None, ours: Collection[tuple[str, str]]) -> str:
    """Return why a record stays, by what the CRM shows. ours: records that are deleted before it."""
    if touched is None:
        return UNSEEN
    if touched.changed:
        return CHANGED
    if touched.attached.difference(ours):
        return ATTACHED
    return touched.unknown


@dataclass(slots=True)
class Deleting:
    """Deletes records of one destination, those of one object at a time: first what belongs to others.

    deleted: what was deleted, or would be: object and id.
    """

    store: Store
    route: Route
    pace: Pace
    whose: Whose
    deleted: set[tuple[str, str]] = field(default_factory=set)

    def planned(self, formers: Sequence[Former]) -> Iterator[list[End]]:
        """Say what would become of these records."""
        mine = [former for former in formers if created(former)]
        for start in range(0, len(mine), BATCH):
            held, free = self._by_store(mine[start : start + BATCH])
            changed, able = self._by_crm(free)
            self.deleted |= {(former.object, _id(former)) for former, _ in able}
            yield [*held, *changed, *(self._end(former, What.DELETED, why) for former, why in able)]

    def run(self, records: Sequence[tuple[str, str]], lease: Lease) -> Iterator[list[End]]:
        """Delete records (object, key); yield what became of each, a batch at a time.

        Raises LeaseLost, DestinationUnusable.
        """
        for start in range(0, len(records), BATCH):
            yield list(self._delete(records[start : start + BATCH], lease))

    def _delete(self, records: Sequence[tuple[str, str]], lease: Lease) -> Iterator[End]:
        """Delete records of which neither the store nor the CRM, nor then again the store, has a reason to keep."""
        at = self.store.database.moment()  # what is accepted from now on, whether it is seen below or not, is new
        held, free = self._by_store(self._read(records))
        changed, able = self._by_crm(free)
        self.store.lanes.note_undo(lease, [], self.pace.hold_ms)  # a worker that has lost the lane must not delete
        why = {former.key: why for former, why in able}
        late, still = self._by_store(self._read([(former.object, former.key) for former, _ in able]))
        yield from (*held, *changed, *late)
        begun = self.store.created.begin(lease.destination, still, self._by, at)
        yield from (self._end(former, What.KEPT, MEANWHILE) for former in still if former.key not in begun)
        rest = [former for former in still if former.key in begun]
        yield from self._settled(rest, why, self._deleted([own for own in rest if not why[own.key]]), at)

    def _settled(
        self, records: Sequence[Former], why: Mapping[str, str], refused: Mapping[str, str], at: int
    ) -> Iterator[End]:
        """Note what became of records that were to be deleted."""
        gone = [former for former in records if not refused.get(_id(former))]
        self.store.created.forget(self.route.name, gone, self._by, at)
        self.store.created.leave(self.route.name, [former for former in records if former not in gone])
        self.deleted |= {(former.object, _id(former)) for former in gone}
        for former in records:
            refusal = refused.get(_id(former), "")
            yield self._end(former, What.REFUSED if refusal else What.DELETED, refusal or why[former.key])

    def _read(self, records: Sequence[tuple[str, str]]) -> list[Former]:
        """Read what is known of these records now."""
        return [own for own in self.store.lanes.previous.of(self.route.name, self.whose, records) if created(own)]

    def _by_store(self, formers: Sequence[Former]) -> tuple[list[End], list[Former]]:
        """Part those that stay, by what the store knows, from the others."""
        reasons = self._reasons(formers) if formers else {}
        held = [self._end(former, What.KEPT, reasons[former.key]) for former in formers if reasons[former.key]]
        return held, [former for former in formers if not reasons[former.key]]

    def _by_crm(self, formers: Sequence[Former]) -> tuple[list[End], list[tuple[Former, str]]]:
        """Part those that stay, by what the CRM shows, from the others, each with what is to be said of it."""
        seen = self._touched(formers)
        gone = {own for own, touched in seen.items() if touched.gone}
        reasons = {former.key: "" if _id(former) in gone else self._stays(former, seen) for former in formers}
        held = [self._end(former, What.KEPT, reasons[former.key]) for former in formers if reasons[former.key]]
        able = [former for former in formers if not reasons[former.key]]
        return held, [(former, GONE if _id(former) in gone else "") for former in able]

    def _stays(self, former: Former, seen: Mapping[str, Touched]) -> str:
        if former.entry and former.entry.undone and former.entry.undone[0] == self._by:
            return BEGUN
        return stays(seen.get(_id(former)), self.deleted)

    def _reasons(self, formers: Sequence[Former]) -> dict[str, str]:
        """Return why each stays, by what the store knows; empty if it may be deleted."""
        customers = {former.customer_id for former in formers if former.customer_id}
        held_by: list[tuple[str, Collection[str | None]]] = [
            (NOBODY, {None, ""}),
            (OPTED_OUT, self._opted_out(customers)),
            (EXPECTED, self.store.created.expected(self.route.name, customers)),
            (KNOWN, self.store.created.known_otherwise(self.route.name, customers, self.whose)),
        ]
        shared = self.store.created.shared(self.route.name, formers)
        return {
            former.key: next((why for why, held in held_by if former.customer_id in held), "")
            or (SHARED if former.key in shared else written_since(former))
            for former in formers
        }

    def _opted_out(self, customers: Collection[str]) -> set[str]:
        """The customers who have opted out of anything, whether that has reached the CRM or not."""
        return {
            customer
            for customer, flags in consents_of(self.store, self.route.name, customers).items()
            if any(flag.value or flag.spoken or flag.owed or flag.applied for flag in flags.values())
        }

    def _touched(self, formers: Sequence[Former]) -> Mapping[str, Touched]:
        if not formers:
            return {}
        self.route.budget.check(self.route.destination.usage, self.route.time(self.store.database))
        return self.route.destination.bench().touched(formers[0].object, [_id(former) for former in formers])

    def _deleted(self, formers: Sequence[Former]) -> Mapping[str, str]:
        """Delete records, all of one object; return why each is still there."""
        if not formers:
            return {}
        return self.route.destination.bench().delete_all(formers[0].object, [_id(former) for former in formers])

    @property
    def _by(self) -> str:
        return author(self.whose.version, self.whose.run)

    @staticmethod
    def _end(former: Former, what: What, why: str) -> End:
        return End(former.object, _id(former), "", what, why)


def _id(former: Former) -> str:
    """The CRM's id of a record that was created."""
    made = next((kept.made for kept in former.kept if kept.made), "") or ""
    return (former.entry.crm_id if former.entry else None) or made
