"""Queue again what a CRM has lost: the lane writes it, as it writes everything else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, delete, null, or_, select, update

from connector.model import Entry, Mark, Stamp
from connector.settlement import DeliveryState
from connector.settlement.claiming import LEFT
from connector.settlement.previous import KEPT
from connector.settlement.verification import Held, Repair, Repaired
from connector.store.audit import Audit
from connector.store.cover import Cover
from connector.store.database import Database
from connector.store.entries import entry_as_text, read_entry
from connector.store.obligations import Obligations
from connector.store.problem_tables import open_items
from connector.store.tables import READY, STATE, claims, deliveries, events, lanes, ledger
from connector.store.verification_tables import verifications

_STEP: Final = 50
"""Records queued in one commit: each is queued wholly or not at all."""

_DONE: Final = STATE.in_((DeliveryState.DELIVERED, DeliveryState.SUPERSEDED))


class Repairing:
    """Changes the ledger only where it is still as it was compared, so that a repair may be repeated at any time."""

    def __init__(self, database: Database, obligations: Obligations, audit: Audit) -> None:
        self._db, self._obligations, self._audit = database, obligations, audit

    def plan(self, destination: str, repairs: Sequence[Repair]) -> Repaired:
        """Count what would be queued."""
        planned = Repaired()
        with self._db.reading() as connection:
            for repair in repairs:
                possible = not repair.rewrites or self._is_stored(connection, destination, repair)
                _count(planned, repair, possible=possible)
        return planned

    def run(self, destination: str, repairs: Sequence[Repair]) -> Repaired:
        """Queue it. A worker that has read the old entries loses its lease, and settles nothing by them."""
        repaired = Repaired()
        for start in range(0, len(repairs), _STEP):
            with self._db.waking() as connection:
                for repair in repairs[start : start + _STEP]:
                    self._queue(connection, destination, repair, repaired)
        return repaired

    def write_down(self, who: str, destination: str, counts: str) -> None:
        """Note in the audit log what was queued."""
        agency = destination.partition("/")[0]
        self._audit.note(who, "reconcile", f"{destination}: {counts}", agency=agency)

    def _queue(self, connection: Connection, destination: str, repair: Repair, repaired: Repaired) -> None:
        theirs, held = _events_of(destination, repair), repair.held
        working = select(deliveries.c.lane).where(deliveries.c.id.in_(theirs), deliveries.c.state == READY)
        connection.execute(update(lanes).where(lanes.c.name.in_(working)).values(token=""))
        possible = not repair.rewrites or self._is_stored(connection, destination, repair)
        queued = repair if possible else replace(repair, again=False, fields=(), links=())  # opt-outs need no event
        if not _forget_marks(connection, destination, queued, self._db.cover):
            repaired.meanwhile += 1
            return
        _count(repaired, repair, possible=possible)
        if queued.rewrites:
            again = update(deliveries).where(deliveries.c.id.in_(theirs), _DONE)
            ready = {"state": DeliveryState.READY, "attempts": 0, "due_at": self._db.now()}
            connection.execute(again.values(ready))
        if held.customer_id is not None and (queued.owed or queued.again):
            self._obligations.reopen(connection, destination, [held.customer_id])
        if queued.rewrites or queued.owed:
            _compare_again(connection, destination, held)

    def _is_stored(self, connection: Connection, destination: str, repair: Repair) -> bool:
        wanted = _events_of(destination, repair).where(or_(_DONE, deliveries.c.state == READY))
        return connection.execute(wanted.limit(1)).first() is not None


def _count(counts: Repaired, repair: Repair, *, possible: bool) -> None:
    if repair.owed:
        counts.opt_outs += 1
    if repair.rewrites and not possible:
        counts.impossible += 1
    elif repair.again:
        counts.records += 1
    else:
        counts.fields += len(repair.fields) + len(repair.links)


def _events_of(destination: str, repair: Repair) -> Select[Any]:
    """Select the deliveries of the record's customer that can write it again, as far as their events are stored."""
    held = repair.held
    stored = events.c.payload.is_not(None)
    marks = [held.entry.fields[name] for name in repair.fields if name in held.entry.fields]
    marks += [held.entry.links[name] for name in repair.links]
    theirs = events.c.customer_id == held.customer_id if held.customer_id else deliveries.c.id == held.delivery_id
    # What was undone is marked as 1 ms newer than the very event that wrote it.
    since = 0 if repair.again else min((mark.stamp.moment - 1 for mark in marks), default=0)
    mine = (deliveries.c.destination == destination, stored, theirs, events.c.source_time >= since)
    return select(deliveries.c.id).join_from(deliveries, events).where(*mine)


def _forget_marks(connection: Connection, destination: str, repair: Repair, cover: Cover) -> bool:
    """Let the ledger no longer know what the record has; False if the record was written meanwhile.

    A record that is made again is looked for first: somebody may have made one with its key.
    """
    held = repair.held
    as_seen = (*_entry(destination, held), ledger.c.crm_id == held.crm_id, ledger.c.marks == held.text)
    values: dict[str, Any] = {"crm_id": null(), "marks": entry_as_text(LEFT)}
    if not repair.again:
        if not (repair.fields or repair.links or repair.flags):
            return True
        values = {"marks": entry_as_text(_without(read_entry(held.crm_id, held.text, cover), repair), cover)}
    if connection.execute(update(ledger).where(*as_seen).values(values)).rowcount != 1:
        return False
    if repair.again:
        mine = (claims.c.destination == destination, claims.c.object == held.object, claims.c.crm_id == held.crm_id)
        connection.execute(delete(claims).where(*mine, claims.c.key == held.key))
        refused = (open_items.c.destination == destination, open_items.c.object == held.object)
        connection.execute(update(open_items).where(*refused, open_items.c.key == held.key).values(digest=""))
    return True


def _without(entry: Entry, repair: Repair) -> Entry:
    """An entry in which the fields' values are unknown, and the links were not made."""
    unknown = {*repair.fields, *repair.flags}
    fields = {name: _unknown(mark) if name in unknown else mark for name, mark in entry.fields.items()}
    links = {name: mark for name, mark in entry.links.items() if name not in repair.links}
    return replace(entry, fields=fields, links=links)


def _unknown(mark: Mark) -> Mark:
    """A mark whose value is unknown: also of what an undo had left to people, because they had changed it."""
    return Mark(Stamp(mark.stamp.at - 1, ""), "", timing=mark.timing) if mark.turn == KEPT else mark._replace(digest="")


def _entry(destination: str, held: Held) -> tuple[ColumnElement[bool], ...]:
    return ledger.c.destination == destination, ledger.c.object == held.object, ledger.c.key == held.key


def _compare_again(connection: Connection, destination: str, held: Held) -> None:
    """Forget what was found of a record: it is compared again once it is written."""
    same = (verifications.c.object == held.object, verifications.c.key == held.key)
    connection.execute(delete(verifications).where(verifications.c.destination == destination, *same))
