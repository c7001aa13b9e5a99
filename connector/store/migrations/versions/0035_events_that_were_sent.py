"""An index of the events that were sent, not fetched: whether an agency is silent shows in them alone."""

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision: str | None = "0034"


def upgrade() -> None:
    only = sa.text("payload IS NOT NULL AND origin = 'webhook'")
    op.create_index("ix_events_sent", "events", ["agency", "received_at"], sqlite_where=only, postgresql_where=only)
