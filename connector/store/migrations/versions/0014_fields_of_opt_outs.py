"""Which CRM field carried an opt-out: for a record's explanation."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision: str | None = "0013"


def upgrade() -> None:
    op.add_column("raises", sa.Column("field", sa.String(length=255), nullable=False, server_default=""))
