"""What a destination that was added later has to know of consent: what the agency's other destinations know."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from sqlalchemy import Connection, literal, null, or_, select

from connector.store.consent_tables import consents
from connector.store.database import Database
from connector.store.dialect import insert

_KEPT: Final = ("customer_id", "flag", "at", "tie", "value", "spoken", "lowered_at")

SHOWN: Final = or_(
    consents.c.owed,
    consents.c.spoken,
    consents.c.value.is_(True),
    consents.c.value.is_(None) & consents.c.applied_at.is_not(None),
)
"""The opt-outs that a CRM must show: one that turned unknown since it was written stays raised."""


def take_over(
    connection: Connection, database: Database, destination: str, customers: Collection[str]
) -> set[tuple[str, str, str]]:
    """Take over what is known of these customers' consent, where this destination knows nothing of it yet.

    Returns destination, customer and flag of each opt-out that is in force and was taken over.
    """
    agency = destination.partition("/")[0]
    others = (consents.c.destination.startswith(f"{agency}/", autoescape=True), consents.c.destination != destination)
    known = select(literal(destination), *(consents.c[name] for name in _KEPT), null(), SHOWN)
    names = ["destination", *_KEPT, "applied_at", "owed"]
    # Of several that know it, the one that has it in force comes first, and the newest of those.
    rows = known.where(*others, consents.c.customer_id.in_(customers)).order_by(SHOWN.desc(), consents.c.at.desc())
    put = insert(database.engine, consents).from_select(names, rows).on_conflict_do_nothing()
    made = connection.execute(put.returning(consents.c.customer_id, consents.c.flag, consents.c.owed)).all()
    return {(destination, row.customer_id, row.flag) for row in made if row.owed}
