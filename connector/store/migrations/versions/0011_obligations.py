"""Opt-outs as obligations: one row per customer, flag and destination."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision: str | None = "0010"

_FLAGS = ("doNotCall", "doNotSMS", "doNotEmail", "doNotMail")


def upgrade() -> None:
    op.create_table(
        "obligations",
        sa.Column("destination", sa.String(length=130), nullable=False),
        sa.Column("customer_id", sa.String(length=64), nullable=False),
        sa.Column("flag", sa.String(length=16), nullable=False),
        sa.Column("lane", sa.String(length=140), nullable=False),
        sa.Column("event_id", sa.BigInteger(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False, server_default="owed"),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("code", sa.String(length=80), nullable=False, server_default=""),
        sa.Column("reason", sa.Text(), nullable=False, server_default=""),
        sa.Column("action", sa.Text(), nullable=False, server_default=""),
        sa.Column("fields", sa.Text(), nullable=False, server_default="[]"),
        sa.Column("applied_at", sa.BigInteger(), nullable=True),
        sa.Column("object", sa.String(length=64), nullable=False, server_default=""),
        sa.Column("crm_id", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("destination", "customer_id", "flag", name="pk_obligations"),
    )
    op.create_index("ix_obligations_customer_id", "obligations", ["customer_id"])
    op.create_index("ix_obligations_event_id", "obligations", ["event_id"])
    for name, columns, where in (
        ("ix_obligations_due", ["lane", "due_at"], "due_at IS NOT NULL"),
        ("ix_obligations_open", ["lane", "state", "since"], "state <> 'applied'"),
    ):
        only = sa.text(where)
        op.create_index(name, "obligations", columns, sqlite_where=only, postgresql_where=only)
    for flag in _FLAGS:
        op.execute(sa.text(_KNOWN).bindparams(flag=flag, raised=f"%{flag}%"))


# All of them are due at once: what the CRM has already is found to be so without a call.
_KNOWN = """
INSERT INTO obligations (destination, customer_id, flag, lane, event_id, since, state, due_at, applied_at)
SELECT d.destination, e.customer_id, :flag, max(d.lane), max(e.id), max(e.received_at),
       CASE WHEN max(c.applied_at) IS NULL OR max(CASE WHEN c.value = false THEN 1 ELSE 0 END) = 1
            THEN 'owed' ELSE 'applied' END, 0, max(c.applied_at)
FROM events e
JOIN deliveries d ON d.event_id = e.id
LEFT JOIN consents c
  ON c.destination = d.destination AND c.customer_id = e.customer_id AND c.flag = :flag AND NOT c.owed
WHERE e.customer_id IS NOT NULL AND e.raised LIKE :raised
GROUP BY d.destination, e.customer_id
"""
