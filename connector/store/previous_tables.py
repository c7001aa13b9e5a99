"""The table of what CRM records had before a version of the mapping wrote to them."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, String, Table, Text

from connector.store.tables import metadata, where

previous: Final = Table(
    "previous_values",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("destination", String(130), nullable=False),
    Column("object", String(64), nullable=False),
    Column("key", String(32), nullable=False),  # as in the ledger
    Column("version", String(32), nullable=False),
    Column("crm_id", String(64)),  # null for a record that is created
    Column("customer_id", String(64)),
    Column("fields", Text, nullable=False),  # JSON: {name: time of the event}
    Column("count", Integer, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("undone", Text, nullable=False, server_default="{}"),  # JSON: see store.previous
    Column("made", String(64)),  # the id of the record that was created
    Column("at", BigInteger, nullable=False),
    Column("run", String(32), nullable=False, server_default=""),  # that fetched all that was written
    Column("restored", Integer, nullable=False, server_default="0"),  # how many of the fields
    Column("undone_at", BigInteger),  # when the last of them was
    Index(None, "destination", "version", "object", "key"),
    Index(None, "customer_id"),
    Index(None, "destination", "at"),
    Index("ix_previous_values_created", "destination", "object", "key", **where("crm_id IS NULL")),
    Index("ix_previous_values_run", "destination", "run", "object", "key", **where("run <> ''")),
)
"""Only what a version writes to a field for the first time has a row; the oldest row of a field counts."""
