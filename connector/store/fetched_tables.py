"""The tables of what is known of everybody, and of the runs that ask for it."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Boolean, Column, String, Table, Text, false

from connector.store.tables import metadata

newest: Final = Table(
    "newest",
    metadata,
    Column("agency", String(64), primary_key=True),
    Column("kind", String(12), primary_key=True),
    Column("id", String(64), primary_key=True),
    Column("customer_id", String(64), index=True),
    Column("at", BigInteger, nullable=False),
    Column("sent", Boolean, nullable=False),
    Column("event_id", BigInteger, nullable=False),
)
"""The newest known state of each customer and call: see settlement.newest."""

runs: Final = Table(
    "runs",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("agency", String(64), nullable=False),
    Column("kind", String(32), nullable=False),
    Column("asked", Text, nullable=False),
    Column("cursor", Text, nullable=False, server_default=""),
    Column("counts", Text, nullable=False, server_default="{}"),  # JSON: {what: number}
    Column("started_at", BigInteger, nullable=False),
    Column("seen_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger),
    Column("problem", Text, nullable=False, server_default=""),  # why it stopped
    Column("whole", Boolean, nullable=False, server_default=false()),
)
"""Runs over everybody: a backfill, and so on."""
