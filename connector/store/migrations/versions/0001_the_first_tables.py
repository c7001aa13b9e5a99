"""The first tables. Later revisions only add: there is no way back from a newer database but a backup."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision: str | None = None

_SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "audit",
        sa.Column("id", _SERIAL, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("who", sa.String(length=128), nullable=False),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("thing", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
    )
    op.create_table(
        "consents",
        sa.Column("destination", sa.String(length=130), nullable=False),
        sa.Column("customer_id", sa.String(length=64), nullable=False),
        sa.Column("flag", sa.String(length=16), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("tie", sa.String(length=16), nullable=False),
        sa.Column("value", sa.Boolean(), nullable=True),
        sa.Column("applied_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("destination", "customer_id", "flag", name="pk_consents"),
    )
    op.create_table(
        "events",
        sa.Column("id", _SERIAL, nullable=False),
        sa.Column("agency", sa.String(length=64), nullable=False),
        sa.Column("message_id", sa.String(length=256), nullable=False),
        sa.Column("type", sa.String(length=64), nullable=False),
        sa.Column("customer_id", sa.String(length=64), nullable=True),
        sa.Column("source_time", sa.BigInteger(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=True),
        sa.Column("digest", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_events"),
        sa.UniqueConstraint("agency", "message_id", name="uq_events_agency_message_id"),
    )
    op.create_index("ix_events_message_id", "events", ["message_id"], unique=False)
    op.create_index(
        "ix_events_kept",
        "events",
        ["agency", "received_at"],
        unique=False,
        sqlite_where=sa.text("payload IS NOT NULL"),
        postgresql_where=sa.text("payload IS NOT NULL"),
    )
    op.create_index("ix_events_customer_id_id", "events", ["customer_id", "id"], unique=False)

    op.create_table(
        "lanes",
        sa.Column("name", sa.String(length=140), nullable=False),
        sa.Column("destination", sa.String(length=130), nullable=False),
        sa.Column("owner", sa.String(length=128), nullable=False),
        sa.Column("token", sa.String(length=32), nullable=False),
        sa.Column("leased_until", sa.BigInteger(), nullable=False),
        sa.Column("paused_until", sa.BigInteger(), nullable=False),
        sa.Column("pause_code", sa.String(length=80), nullable=False),
        sa.Column("pause_reason", sa.Text(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("refused_cause", sa.Text(), nullable=False),
        sa.Column("refused_count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_lanes"),
    )
    op.create_table(
        "ledger",
        sa.Column("destination", sa.String(length=130), nullable=False),
        sa.Column("object", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=32), nullable=False),
        sa.Column("crm_id", sa.String(length=64), nullable=True),
        sa.Column("customer_id", sa.String(length=64), nullable=True),
        sa.Column("marks", sa.Text(), nullable=False),
        sa.Column("delivery_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("destination", "object", "key", name="pk_ledger"),
    )
    op.create_index("ix_ledger_customer_id", "ledger", ["customer_id"], unique=False)

    op.create_table(
        "mappings",
        sa.Column("destination", sa.String(length=130), nullable=False),
        sa.Column("version", sa.String(length=32), nullable=False),
        sa.Column("running_since", sa.BigInteger(), nullable=True),
        sa.Column("refused_at", sa.BigInteger(), nullable=True),
        sa.Column("problem", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("destination", name="pk_mappings"),
    )
    op.create_table(
        "settings",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_settings"),
    )
    op.create_table(
        "deliveries",
        sa.Column("id", _SERIAL, nullable=False),
        sa.Column("event_id", sa.BigInteger(), nullable=False),
        sa.Column("destination", sa.String(length=130), nullable=False),
        sa.Column("lane", sa.String(length=140), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("accepted_at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("settled_at", sa.BigInteger(), nullable=True),
        sa.Column("code", sa.String(length=80), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("mapping_version", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(["event_id"], ["events.id"], name="fk_deliveries_event_id"),
        sa.PrimaryKeyConstraint("id", name="pk_deliveries"),
        sa.UniqueConstraint("event_id", "destination", name="uq_deliveries_event_id_destination"),
    )
    op.create_index("ix_deliveries_accepted_at", "deliveries", ["accepted_at"], unique=False)
    op.create_index(
        "ix_deliveries_ready",
        "deliveries",
        ["lane", sa.text("priority DESC"), "due_at", "id"],
        unique=False,
        sqlite_where=sa.text("state = 'ready'"),
        postgresql_where=sa.text("state = 'ready'"),
    )
    op.create_index(
        "ix_deliveries_dead",
        "deliveries",
        ["destination", "code", "id"],
        unique=False,
        sqlite_where=sa.text("state = 'dead'"),
        postgresql_where=sa.text("state = 'dead'"),
    )

    op.create_table(
        "attempts",
        sa.Column("id", _SERIAL, nullable=False),
        sa.Column("delivery_id", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("outcome", sa.String(length=12), nullable=False),
        sa.Column("code", sa.String(length=80), nullable=False),
        sa.Column("records", sa.Text(), nullable=False),
        sa.Column("request_id", sa.String(length=128), nullable=False),
        sa.Column("duration_ms", sa.Integer(), nullable=False),
        sa.Column("mapping_version", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(["delivery_id"], ["deliveries.id"], name="fk_attempts_delivery_id"),
        sa.PrimaryKeyConstraint("id", name="pk_attempts"),
    )
    op.create_index("ix_attempts_delivery_id", "attempts", ["delivery_id"], unique=False)
