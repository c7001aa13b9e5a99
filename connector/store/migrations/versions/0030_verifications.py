"""When each record was last compared with what its CRM has, and what differed."""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision: str | None = "0029"


def upgrade() -> None:
    op.create_table(
        "verifications",
        sa.Column("destination", sa.String(length=130), primary_key=True),
        sa.Column("object", sa.String(length=64), primary_key=True),
        sa.Column("key", sa.String(length=32), primary_key=True),
        sa.Column("customer_id", sa.String(length=64)),
        sa.Column("verified_at", sa.BigInteger, nullable=False),
        sa.Column("delivery_id", sa.BigInteger, nullable=False),
        sa.Column("differences", sa.Text, nullable=False),
        sa.Column("raised", sa.String(length=64), nullable=False),
        sa.Column("lowered", sa.String(length=64), nullable=False),
    )
    op.create_index("ix_verifications_customer_id", "verifications", ["customer_id"])
    only = sa.text("differences <> '{}'")
    op.create_index(
        "ix_verifications_differing", "verifications", ["destination"], sqlite_where=only, postgresql_where=only
    )
    op.create_table(
        "verification_passes",
        sa.Column("destination", sa.String(length=130), primary_key=True),
        sa.Column("complete_at", sa.BigInteger),
        sa.Column("next_at", sa.BigInteger, nullable=False),
    )
