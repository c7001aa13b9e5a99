"""What opt-outs each event raised, which of them are owed, and where each was written."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision: str | None = "0002"

_SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("consents", sa.Column("owed", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.execute("UPDATE consents SET owed = true WHERE value = true AND applied_at IS NULL")
    op.add_column("events", sa.Column("raised", sa.String(length=64), nullable=False, server_default=""))
    op.create_index(
        "ix_events_raised",
        "events",
        ["received_at", "id"],
        unique=False,
        sqlite_where=sa.text("raised <> ''"),
        postgresql_where=sa.text("raised <> ''"),
    )
    op.create_table(
        "raises",
        sa.Column("id", _SERIAL, nullable=False),
        sa.Column("destination", sa.String(length=130), nullable=False),
        sa.Column("customer_id", sa.String(length=64), nullable=False),
        sa.Column("flag", sa.String(length=16), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("object", sa.String(length=64), nullable=False),
        sa.Column("crm_id", sa.String(length=64), nullable=True),
        sa.Column("delivery_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_raises"),
    )
    op.create_index("ix_raises_customer_id_destination_flag", "raises", ["customer_id", "destination", "flag"])
