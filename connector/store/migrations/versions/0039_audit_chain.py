"""A chain of digests over the audit log, and the parts of its entries as columns.

The digests need the data key, which a migration does not have: the first start of the program makes them.
"""

import sqlalchemy as sa
from alembic import op

revision = "0039"
down_revision: str | None = "0038"

_NEW = (("reason", sa.Text()), ("agency", sa.String(64)), ("customer_id", sa.String(64)), ("crm_ids", sa.Text()))


def upgrade() -> None:
    for name, kind in (*_NEW, ("digest", sa.String(32))):
        op.add_column("audit", sa.Column(name, kind, nullable=False, server_default=""))
    op.add_column("audit", sa.Column("number", sa.BigInteger()))
    op.create_index("uq_audit_number", "audit", ["number"], unique=True)
    op.create_index(op.f("ix_audit_at"), "audit", ["at"])
    for name in ("who", "action", "agency", "customer_id"):
        op.create_index(op.f(f"ix_audit_{name}_id"), "audit", [name, "id"])
    op.create_table(
        "audit_head",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.String(32), nullable=False),
        sa.Column("proof", sa.String(32), nullable=False),
    )
    _take_apart(op.get_bind())


def _take_apart(connection: sa.Connection) -> None:
    """Move the customers out of the sentences: forgetting one replaces the id, and leaves the sentence as it is."""
    names = ("id", "action", "thing", *(name for name, _ in _NEW))
    audit = sa.table("audit", *map(sa.column, names))
    named = sa.select(audit).where(audit.c.action.in_(("decide identity", "lower consent", "forget", "reveal")))
    for row in connection.execute(named).all():
        if parts := _parts(row.action, row.thing):
            connection.execute(audit.update().where(audit.c.id == row.id).values(**parts))


def _parts(action: str, thing: str) -> dict[str, str] | None:
    """The parts of a sentence as the program worded it before; None for any other."""
    before, mark, after = thing.partition(": ")
    if not mark:
        return None
    if action == "forget":  # ALIAS: 3 events, 2 ledger entries
        return {"customer_id": before, "thing": after}
    if action == "reveal":  # AGENCY/MESSAGE: why
        return {"thing": before, "agency": before.partition("/")[0], "reason": after}
    if action == "lower consent":  # FLAG of CUSTOMER: why
        flag, _, customer_id = before.partition(" of ")
        return {"thing": flag, "customer_id": customer_id, "reason": after}
    record, _, customer_id = before.partition(" of customer ")  # DESTINATION OBJECT of customer CUSTOMER: decision: IDS
    decision, _, crm_ids = after.partition(": ")
    return {
        "thing": f"{record}: {decision}",
        "agency": record.partition("/")[0],
        "customer_id": "" if customer_id == "unknown" else customer_id,
        "crm_ids": crm_ids,
    }
