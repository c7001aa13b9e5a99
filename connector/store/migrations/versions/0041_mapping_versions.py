"""Mappings as texts: those that ran or were published, and edits. An index of one agency's events."""

import sqlalchemy as sa
from alembic import op

revision = "0041"
down_revision: str | None = "0040"


def upgrade() -> None:
    op.create_table(
        "mapping_versions",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("destination", sa.String(130), nullable=False),
        sa.Column("version", sa.String(32), nullable=False),
        sa.Column("files", sa.LargeBinary(), nullable=False),
        sa.Column("published_at", sa.BigInteger()),
        sa.Column("ran_at", sa.BigInteger()),
        sa.Column("who", sa.String(128), nullable=False, server_default=""),
        sa.Column("reason", sa.Text(), nullable=False, server_default=""),
    )
    op.create_index(op.f("ix_mapping_versions_destination"), "mapping_versions", ["destination"])
    op.create_table(
        "mapping_drafts",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("destination", sa.String(130), nullable=False),
        sa.Column("files", sa.LargeBinary(), nullable=False),
        sa.Column("saves", sa.Integer(), nullable=False),
        sa.Column("page", sa.String(32), nullable=False),
        sa.Column("who", sa.String(128), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
    )
    op.create_index(op.f("ix_mapping_drafts_destination"), "mapping_drafts", ["destination"])
    op.create_index(op.f("ix_events_agency_id"), "events", ["agency", "id"])
