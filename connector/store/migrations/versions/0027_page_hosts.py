"""The host where people see the records of an account, which is not the same for every account of a CRM."""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision: str | None = "0026"


def upgrade() -> None:
    op.add_column("accounts", sa.Column("pages", sa.String(length=255), nullable=False, server_default=""))
