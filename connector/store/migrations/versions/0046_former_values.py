"""An index of what created records had: without it, each new record reads all that its destination keeps."""

import sqlalchemy as sa
from alembic import op

revision = "0046"
down_revision: str | None = "0045"


def upgrade() -> None:
    new = sa.text("crm_id IS NULL")
    columns = ["destination", "object", "key"]
    op.create_index("ix_previous_values_created", "previous_values", columns, sqlite_where=new, postgresql_where=new)
