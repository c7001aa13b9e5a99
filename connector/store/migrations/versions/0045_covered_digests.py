"""What the digests in stored rows do not show any more: see store.rewriting, which changes the rows.

An earlier version must not go on delivering beside this one: it would find none of the ledger's entries, and write
everything again. With a column of `gaps` renamed, it can neither lease a lane nor hold one; receiving does without.
"""

import sqlalchemy as sa
from alembic import op

revision = "0045"
down_revision: str | None = "0044"


def upgrade() -> None:
    op.execute("ALTER TABLE gaps RENAME COLUMN resolved_at TO resolved")
    op.create_table(
        "rewritings",
        sa.Column("name", sa.String(32), primary_key=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
    )
