"""Take a forgotten customer's id out of the audit log."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, select, update

from connector.store.tables import audit

_NAMING: Final = ("decide identity", "lower consent")
"""The actions whose lines name a customer: '... of ID: ...'."""


def unname_customer(connection: Connection, customer_id: str, alias: str) -> None:
    """Put the alias in the place of a customer's id, and remove the ids of their CRM records."""
    named = f" of {customer_id}: ", f" of customer {customer_id}: "
    rows = connection.execute(select(audit).where(audit.c.action.in_(_NAMING))).all()
    for row in rows:
        mark = next((mark for mark in named if mark in row.thing), None)
        if mark is None:
            continue
        before, _, after = row.thing.partition(mark)
        words = after.partition(": ")[0] if row.action == "decide identity" else after
        thing = f"{before}{mark.replace(customer_id, alias)}{words}"
        connection.execute(update(audit).where(audit.c.id == row.id).values(thing=thing))
