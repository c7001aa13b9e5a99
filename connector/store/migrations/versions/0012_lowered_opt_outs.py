"""When an operator lowered a spoken opt-out: calls until then raise it no more."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision: str | None = "0011"


def upgrade() -> None:
    op.add_column("consents", sa.Column("lowered_at", sa.BigInteger(), nullable=False, server_default="0"))
