"""What people did about causes of dead letters: replays with their results, and mutes."""

import sqlalchemy as sa
from alembic import op

revision = "0043"
down_revision: str | None = "0042"


def upgrade() -> None:
    op.add_column("deliveries", sa.Column("replay", sa.BigInteger(), nullable=False, server_default="0"))
    some = sa.text("replay <> 0")
    op.create_index("ix_deliveries_replay", "deliveries", ["replay", "state"], sqlite_where=some, postgresql_where=some)
    op.create_table(
        "replays",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True),
        sa.Column("cause", sa.String(12), nullable=False),
        sa.Column("destination", sa.String(130), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("who", sa.String(128), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
    )
    op.create_index(op.f("ix_replays_cause_id"), "replays", ["cause", "id"])
    op.create_table(
        "mutes",
        sa.Column("cause", sa.String(12), primary_key=True),
        sa.Column("destination", sa.String(130), nullable=False),
        sa.Column("who", sa.String(128), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
    )
