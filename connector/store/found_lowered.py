"""The opt-outs that the CRM had confirmed, and that a comparison with it has found lowered since."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from sqlalchemy import Select, and_, distinct, func, literal_column, select

from connector.settlement import ObligationState
from connector.settlement.verification import LoweredOptOut
from connector.store.accounts import is_served
from connector.store.consent_tables import obligations, raises
from connector.store.database import Database
from connector.store.obligations import IN_FORCE
from connector.store.tables import ledger
from connector.store.verification_tables import verifications

_KEY: Final = ("destination", "object", "key")
_FLAG: Final = obligations.c.customer_id.concat("/").concat(obligations.c.flag)


class FoundLowered:
    """The one definition of an opt-out that is no longer in the CRM: whatever counts or lists them asks here.

    One that is owed again, or has been raised on its record since it was looked at, is none any more.
    """

    def __init__(self, database: Database) -> None:
        self._db = database

    def by_lane(self) -> dict[str, tuple[int, int]]:
        """Lane -> how many opt-outs, and when one was last found lowered, in epoch ms."""
        counted = (func.count(distinct(_FLAG)), func.max(verifications.c.verified_at))
        statement = _found(obligations.c.lane, *counted).group_by(obligations.c.lane)
        with self._db.reading() as connection:
            return {lane: (int(count), int(at)) for lane, count, at in connection.execute(statement)}

    def all(self, destination: str, limit: int) -> list[LoweredOptOut]:
        """Each record of a destination that lacks one, the newest found first."""
        newest_first = (verifications.c.verified_at.desc(), obligations.c.customer_id, obligations.c.flag)
        mine = _found(*_COLUMNS).where(verifications.c.destination == destination)
        return self._rows(mine.order_by(*newest_first), limit)

    def of(self, customers: Collection[str]) -> list[LoweredOptOut]:
        """Each record of these customers that lacks one."""
        theirs = _found(*_COLUMNS).where(verifications.c.customer_id.in_(customers))
        return self._rows(theirs.order_by(obligations.c.flag)) if customers else []

    def _rows(self, statement: Select[Any], limit: int | None = None) -> list[LoweredOptOut]:
        with self._db.reading() as connection:
            return [LoweredOptOut(*row) for row in connection.execute(statement.limit(limit))]


_COLUMNS: Final = (
    obligations.c.destination,
    obligations.c.customer_id,
    obligations.c.flag,
    ledger.c.object,
    ledger.c.crm_id,
    verifications.c.verified_at,
)


def _found(*columns: Any) -> Select[Any]:
    record = and_(*(ledger.c[name] == verifications.c[name] for name in _KEY))
    whose = and_(*(obligations.c[name] == verifications.c[name] for name in ("destination", "customer_id")))
    raised_since = select(raises.c.id).where(
        *(raises.c[name] == obligations.c[name] for name in ("customer_id", "destination", "flag")),
        raises.c.object == ledger.c.object,
        raises.c.crm_id == ledger.c.crm_id,
        raises.c.at > verifications.c.verified_at,
    )
    return (
        select(*columns)
        .select_from(verifications)
        .join(ledger, record)
        .join(obligations, whose)
        .where(
            verifications.c.differences != literal_column("'{}'"),  # a literal, so that the partial index serves it
            verifications.c.lowered != "",  # before anything is joined
            verifications.c.lowered.contains(obligations.c.flag),
            verifications.c.verified_at >= func.coalesce(obligations.c.applied_at, 0),
            obligations.c.state == ObligationState.APPLIED,
            ledger.c.crm_id.is_not(None),
            is_served(verifications.c.destination),
            IN_FORCE,
            ~raised_since.exists(),
        )
    )
