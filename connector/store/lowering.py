"""Lower a spoken opt-out: only an operator can, and must give a reason."""

from __future__ import annotations

from sqlalchemy import delete, false, select, true, update

from connector.errors import StateChanged
from connector.store.audit import Audit
from connector.store.consent_tables import consents, obligations
from connector.store.database import Database


class Lowering:
    """What an operator does after a customer who opted out in a call has agreed to be contacted again."""

    def __init__(self, database: Database, audit: Audit) -> None:
        self._db, self._audit = database, audit

    def lower(self, customer_id: str, flag: str, who: str, reason: str) -> list[str]:
        """Cancel a spoken opt-out. Returns the destinations it counted for. careCycle's own flag is unchanged.

        Calls up to now no longer raise it, even if replayed. Raises StateChanged when there is no such spoken opt-out.
        """
        mine = (consents.c.customer_id == customer_id, consents.c.flag == flag)
        still_true = consents.c.value.is_(True)
        with self._db.transaction() as connection:
            spoken = select(consents.c.destination).where(*mine, consents.c.spoken.is_(true()))
            destinations = sorted(connection.execute(spoken).scalars())
            if not destinations:
                raise StateChanged(
                    customer_id, f"no {flag} spoken in a call", "if careCycle's own flag is true, change it there"
                )
            now = self._db.now()
            connection.execute(update(consents).where(*mine).values(spoken=false(), lowered_at=now))
            connection.execute(update(consents).where(*mine, ~still_true).values(owed=false()))
            raised_by_snapshot = select(consents.c.destination).where(*mine, still_true)
            connection.execute(
                delete(obligations).where(
                    obligations.c.customer_id == customer_id,
                    obligations.c.flag == flag,
                    obligations.c.destination.in_(destinations),
                    obligations.c.destination.not_in(raised_by_snapshot),
                )
            )
            agencies = {destination.partition("/")[0] for destination in destinations}
            about = {"customer_id": customer_id, "agency": agencies.pop() if len(agencies) == 1 else ""}
            self._audit.write_down(connection, who, "lower consent", flag, reason, **about)
        return destinations
