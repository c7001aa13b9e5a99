"""Who is signed in to the console, and how often it was tried."""

import sqlalchemy as sa
from alembic import op

revision = "0044"
down_revision: str | None = "0043"


def upgrade() -> None:
    serial = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "sessions",
        sa.Column("id", serial, primary_key=True),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("proof", sa.String(64), nullable=False),
        sa.Column("address", sa.String(64), nullable=False),
        sa.Column("began_at", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.UniqueConstraint("digest", name="uq_sessions_digest"),
    )
    op.create_table(
        "guesses",
        sa.Column("whose", sa.String(80), primary_key=True),
        sa.Column("until", sa.BigInteger(), nullable=False),
    )
