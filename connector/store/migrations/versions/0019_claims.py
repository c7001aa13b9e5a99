"""Whose each CRM record is. Where two entries have one record, the one written to less recently keeps it."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision: str | None = "0018"

_FILL = """
INSERT INTO claims (destination, object, crm_id, key, field, customer_id)
SELECT destination, object, crm_id, key, '', customer_id FROM ledger
WHERE crm_id IS NOT NULL AND marks NOT IN ('{}', '{"v": 2, "fields": {}}')
ORDER BY delivery_id, key
ON CONFLICT DO NOTHING
"""
"""An entry without marks only remembers the former id of a record."""


def upgrade() -> None:
    op.create_table(
        "claims",
        sa.Column("destination", sa.String(130), nullable=False),
        sa.Column("object", sa.String(64), nullable=False),
        sa.Column("crm_id", sa.String(64), nullable=False),
        sa.Column("key", sa.String(32), nullable=False),
        sa.Column("field", sa.String(255), nullable=False),
        sa.Column("customer_id", sa.String(64)),
        sa.PrimaryKeyConstraint("destination", "object", "crm_id", name="pk_claims"),
    )
    op.create_index("ix_claims_customer_id", "claims", ["customer_id"])
    op.get_bind().exec_driver_sql(_FILL)
