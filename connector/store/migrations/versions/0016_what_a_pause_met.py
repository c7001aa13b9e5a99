"""What a lane was sending when it paused: the delivery, the record, and how many records in the call."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision: str | None = "0015"


def upgrade() -> None:
    op.add_column("lanes", sa.Column("pause_delivery", sa.BigInteger()))
    op.add_column("lanes", sa.Column("pause_record", sa.Text(), nullable=False, server_default=""))
    for name in ("pause_object", "pause_crm_id"):
        op.add_column("lanes", sa.Column(name, sa.String(64), nullable=False, server_default=""))
    op.add_column("lanes", sa.Column("pause_count", sa.Integer(), nullable=False, server_default="0"))
