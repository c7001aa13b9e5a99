"""The tables about careCycle's API."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, String, Table

from connector.store.tables import metadata

source_pace: Final = Table(
    "source_pace",
    metadata,
    Column("agency", String(64), primary_key=True),
    Column("next_at", BigInteger, nullable=False),
)
"""When each agency's next request to careCycle may be made: all processes share the limit."""
