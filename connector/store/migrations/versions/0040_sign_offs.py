"""Who looked at the opt-outs of a month, and an index of when opt-outs were asked for."""

import sqlalchemy as sa
from alembic import op

revision = "0040"
down_revision: str | None = "0039"


def upgrade() -> None:
    op.create_table(
        "sign_offs",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("who", sa.String(128), nullable=False),
        sa.Column("agency", sa.String(64), nullable=False),
        sa.Column("month", sa.String(7), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        *(
            sa.Column(name, sa.BigInteger(), nullable=False)
            for name in ("asked", "in_time", "late", "to_do", "elsewhere")
        ),
    )
    op.create_index(op.f("ix_obligations_since"), "obligations", ["since"])
