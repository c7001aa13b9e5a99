"""Where each event comes from, the newest state of each customer and call, and runs over everybody."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision: str | None = "0027"


def upgrade() -> None:
    op.add_column("events", sa.Column("origin", sa.String(12), nullable=False, server_default="webhook"))
    op.add_column("events", sa.Column("run", sa.String(32), nullable=False, server_default=""))
    op.create_index("ix_events_run", "events", ["run", "id"], **_where("run <> ''"))
    op.create_table(
        "newest",
        sa.Column("agency", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(12), nullable=False),
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("customer_id", sa.String(64)),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("sent", sa.Boolean(), nullable=False),
        sa.Column("event_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("agency", "kind", "id", name="pk_newest"),
    )
    op.create_index("ix_newest_customer_id", "newest", ["customer_id"])
    op.create_table(
        "runs",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("agency", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("asked", sa.Text(), nullable=False),
        sa.Column("cursor", sa.Text(), nullable=False, server_default=""),
        sa.Column("counts", sa.Text(), nullable=False, server_default="{}"),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger()),
        sa.Column("problem", sa.Text(), nullable=False, server_default=""),
        sa.Column("whole", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.PrimaryKeyConstraint("id", name="pk_runs"),
    )
    # Calls follow when they are asked for: their ids are in the payloads, which only the data key opens.
    op.execute(
        "INSERT INTO newest (agency, kind, id, customer_id, at, sent, event_id) "
        "SELECT agency, 'customer', customer_id, customer_id, source_time, 1 = 1, id FROM ("
        "SELECT agency, customer_id, source_time, id, "
        "row_number() OVER (PARTITION BY agency, customer_id ORDER BY source_time DESC, id DESC) AS place "
        "FROM events WHERE customer_id IS NOT NULL AND type IN ('customer.created', 'customer.updated')"
        ") AS ranked WHERE place = 1"
    )


def _where(condition: str) -> dict[str, Any]:
    only = sa.text(condition)
    return {"sqlite_where": only, "postgresql_where": only}
