"""A digest of the addresses opted out with an opt-out; those that are in a CRM are looked at once more, then daily."""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision: str | None = "0025"


def upgrade() -> None:
    op.add_column("obligations", sa.Column("addresses", sa.String(length=64), nullable=True))
    op.execute("UPDATE obligations SET due_at = 0 WHERE flag = 'doNotEmail' AND state = 'applied'")
