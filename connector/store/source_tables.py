"""The tables about careCycle's API."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table

from connector.store.tables import metadata

source_pace: Final = Table(
    "source_pace",
    metadata,
    Column("agency", String(64), primary_key=True),
    Column("next_at", BigInteger, nullable=False),
)
"""When each agency's next request to careCycle may be made: all processes share the limit."""

recordings: Final = Table(
    "recordings",
    metadata,
    Column("agency", String(64), primary_key=True),
    Column("call_id", String(64), primary_key=True),
    Column("customer_id", String(64), nullable=False),
    Column("event_id", BigInteger, nullable=False),
    Column("heard_at", BigInteger, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("due_at", BigInteger),  # null: found, or given up
    Index(None, "customer_id"),
)
"""The calls of the last hour whose recording careCycle is asked for."""
