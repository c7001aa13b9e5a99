"""Which run fetched what was written, so that it can be undone by its id."""

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision: str | None = "0033"


def upgrade() -> None:
    op.add_column("previous_values", sa.Column("run", sa.String(length=32), nullable=False, server_default=""))
    only = sa.text("run <> ''")
    columns = ["destination", "run", "object", "key"]
    op.create_index("ix_previous_values_run", "previous_values", columns, sqlite_where=only, postgresql_where=only)
