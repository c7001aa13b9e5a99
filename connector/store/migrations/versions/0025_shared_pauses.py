"""What the lanes of one account share: from when on a pause lets opt-outs through, and whether it is only its own."""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision: str | None = "0024"


def upgrade() -> None:
    op.add_column("lanes", sa.Column("opt_outs_from", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("lanes", sa.Column("own", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.execute("UPDATE lanes SET opt_outs_from = paused_until")
