"""Odd fields: which an event has, and how often each came."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision: str | None = "0012"


def upgrade() -> None:
    op.add_column("events", sa.Column("odd", sa.Text(), nullable=False, server_default=""))
    op.create_table(
        "oddities",
        sa.Column("agency", sa.String(64), primary_key=True),
        sa.Column("destination", sa.String(130), primary_key=True),
        sa.Column("field", sa.String(64), primary_key=True),
        sa.Column("target", sa.Text(), primary_key=True),
        sa.Column("got", sa.String(40), primary_key=True),
        sa.Column("used", sa.Boolean(), primary_key=True),
        sa.Column("expected", sa.String(40), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("message_id", sa.String(256), nullable=False),
    )
