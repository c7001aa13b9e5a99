"""What people are found by: keyed digests of numbers and addresses, and the ledger by the CRM's ids."""

import sqlalchemy as sa
from alembic import op

revision = "0038"
down_revision: str | None = "0037"


def upgrade() -> None:
    op.create_table(
        "handles",
        sa.Column("agency", sa.String(64), primary_key=True),
        sa.Column("customer_id", sa.String(64), primary_key=True),
        sa.Column("handle", sa.String(12), primary_key=True),
        sa.Column("digest", sa.String(32), primary_key=True),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
    )
    op.create_index(op.f("ix_handles_digest"), "handles", ["digest"])
    op.create_index(op.f("ix_handles_customer_id"), "handles", ["customer_id"])
    op.create_table(
        "handles_read",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("event_id", sa.BigInteger(), nullable=False),
    )
    only = sa.text("crm_id IS NOT NULL")
    op.create_index("ix_ledger_crm_id", "ledger", ["crm_id"], sqlite_where=only, postgresql_where=only)
