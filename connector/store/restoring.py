"""Declare that the database was restored: what the ledger knew from before is in doubt, whatever runs meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import func, or_, select, update

from connector.backoff import DAY
from connector.settlement import DeliveryState
from connector.settlement.gaps import Lost
from connector.store.audit import Audit
from connector.store.consent_tables import obligations
from connector.store.database import Database
from connector.store.gaps import Gaps, take_lanes
from connector.store.history_tables import gaps, generations
from connector.store.obligations import IN_FORCE, Obligations
from connector.store.tables import STATE, attempts, deliveries, lanes, ledger

_STEP: Final = 500
"""Deliveries made due in one transaction: traffic goes on."""

_SETTLED: Final = (DeliveryState.DELIVERED, DeliveryState.SUPERSEDED, DeliveryState.SKIPPED)


@dataclass(frozen=True, slots=True)
class Restore:
    """What declaring a restore changes. gap: what was noticed before; None if nothing was.

    since: deliveries settled after this time (epoch ms) are delivered again: they were compared with an old ledger.
    records: of the ledger, put in doubt. again: deliveries. opt_outs: checked in the CRM again.
    """

    gap: Lost | None
    since: int
    records: int
    again: int
    opt_outs: int


class Restoring:
    """Puts a restored database in order. Every step may be repeated."""

    def __init__(self, database: Database, gaps: Gaps, audit: Audit, obligations: Obligations) -> None:
        self._db, self._gaps, self._audit, self._obligations = database, gaps, audit, obligations

    def plan(self, since: int | None = None) -> Restore:
        """Count what would change. since: None for the beginning of what was lost, else for the last day."""
        gap = self._gaps.open()
        if since is None:
            since = gap.since if gap else self._db.moment() - DAY
        again = select(func.count(func.distinct(attempts.c.delivery_id))).join_from(attempts, deliveries)
        in_force = select(func.count()).select_from(obligations).where(_TO_CHECK)
        with self._db.reading() as connection:
            return Restore(
                gap,
                since,
                connection.execute(select(func.count()).select_from(ledger)).scalar_one(),
                connection.execute(again.where(attempts.c.at >= since, *_again())).scalar_one(),
                connection.execute(in_force).scalar_one(),
            )

    def run(self, plan: Restore, who: str, progress: Callable[[int], None] = lambda count: None) -> Restore:
        """Do it; return what was done. progress: called with the deliveries made due so far.

        First, in one commit: every lane is taken from its worker, and every entry of the ledger is in doubt from then
        on. Last, the gap is resolved. Interrupted in between, it is run again.
        """
        at = self._new_generation(plan, who)
        again = self._deliver_again(plan.since, at, progress)
        for destination in self._accounts():
            with self._db.waking() as connection:
                self._obligations.wake_all(connection, destination)
        with self._db.waking() as connection:
            resolved = update(gaps).where(gaps.c.resolved.is_(None), gaps.c.noticed_at <= at)
            connection.execute(resolved.values(resolved=self._db.now()))
            words = f"{plan.records} records in doubt, {again} deliveries and {plan.opt_outs} opt-outs again"
            self._audit.write_down(connection, who, "restored", words)
        return Restore(plan.gap, plan.since, plan.records, again, plan.opt_outs)

    def _new_generation(self, plan: Restore, who: str) -> int:
        now = self._db.now()
        with self._db.waking() as connection:
            take_lanes(connection, self._db)
            lost_until = plan.gap.until if plan.gap else now
            made = generations.insert().values(at=now, lost_until=lost_until, who=who).returning(generations.c.at)
            return int(connection.execute(made).scalar_one())

    def _deliver_again(self, since: int, until: int, progress: Callable[[int], None]) -> int:
        """Make due what was settled in this time. The lanes still rest where a gap is open."""
        count, after = 0, 0
        while True:
            step = (
                select(attempts.c.delivery_id)
                .where(attempts.c.at >= since, attempts.c.at <= until, attempts.c.delivery_id > after)
                .distinct()
                .order_by(attempts.c.delivery_id)
                .limit(_STEP)
            )
            with self._db.reading() as connection:
                ids = list(connection.execute(step).scalars())
            if not ids:
                return count
            with self._db.waking() as connection:
                due = update(deliveries).where(deliveries.c.id.in_(ids), *_again())
                ready = {"state": DeliveryState.READY, "due_at": self._db.now()}
                count += connection.execute(due.values(ready)).rowcount
            progress(count)
            after = ids[-1]

    def _accounts(self) -> list[str]:
        with self._db.reading() as connection:
            return list(
                connection.execute(select(lanes.c.destination).distinct().order_by(lanes.c.destination)).scalars()
            )


_TO_CHECK: Final = or_(obligations.c.state != "applied", IN_FORCE)


def _again() -> tuple[Any, ...]:
    """Settled by the connector: not given up, and not discarded by an operator."""
    return STATE.in_(_SETTLED), deliveries.c.reason.not_like("discarded by %")
