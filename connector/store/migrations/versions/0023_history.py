"""What shows that the database's history went back, and how much of the ledger is in doubt since."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision: str | None = "0022"

_Serial = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "commits",
        sa.Column("process", sa.String(32), nullable=False),
        sa.Column("part", sa.String(140), nullable=False),
        sa.Column("made", sa.BigInteger(), nullable=False),
        sa.Column("events", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("process", "part", name="pk_commits"),
    )
    op.create_table(
        "gaps",
        sa.Column("id", _Serial, nullable=False),
        sa.Column("process", sa.String(32), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("noticed_at", sa.BigInteger(), nullable=False),
        sa.Column("lost_from", sa.BigInteger(), nullable=False),
        sa.Column("lost_until", sa.BigInteger(), nullable=False),
        sa.Column("events", sa.BigInteger(), nullable=False),
        sa.Column("resolved_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name="pk_gaps"),
    )
    op.create_table(
        "generations",
        sa.Column("id", _Serial, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("lost_until", sa.BigInteger(), nullable=False),
        sa.Column("who", sa.String(128), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_generations"),
    )
    op.add_column("ledger", sa.Column("generation", sa.BigInteger(), nullable=False, server_default="0"))
