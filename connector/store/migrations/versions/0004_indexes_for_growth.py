"""Indexes for lists and retention, so that their cost does not grow with history."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision: str | None = "0003"


def _partial(name: str, table: str, columns: list[str], condition: str) -> None:
    only = sa.text(condition)
    op.create_index(name, table, columns, unique=False, sqlite_where=only, postgresql_where=only)


def upgrade() -> None:
    _partial("ix_events_purged", "events", ["agency", "received_at"], "payload IS NULL")
    op.create_index("ix_events_type_id", "events", ["type", "id"], unique=False)
    op.create_index("ix_deliveries_state_id", "deliveries", ["state", "id"], unique=False)
    _partial("ix_deliveries_code", "deliveries", ["code", "id"], "code <> ''")
