"""How many fields an undo restored, and when: so that the list says what is left."""

import sqlalchemy as sa
from alembic import op

revision = "0036"
down_revision: str | None = "0035"


def upgrade() -> None:
    op.add_column("previous_values", sa.Column("restored", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("previous_values", sa.Column("undone_at", sa.BigInteger()))
