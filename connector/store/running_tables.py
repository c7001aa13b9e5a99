"""The tables of the processes themselves: their clocks, and whether deletion waits."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Boolean, Column, Integer, String, Table

from connector.store.tables import metadata

processes: Final = Table(
    "processes",
    metadata,
    Column("name", String(140), primary_key=True),
    Column("role", String(16), nullable=False),
    Column("seen_at", BigInteger, nullable=False),
    Column("offset_ms", BigInteger, nullable=False),
    Column("crm_offset_ms", BigInteger),
    Column("booted_at", BigInteger, nullable=False),  # its machine's start, by its own clock
    Column("halted", Boolean, nullable=False),
)
"""What each running process says of its clock. The newest `seen_at` is also how far the database's clock had come."""

rewritings: Final = Table(
    "rewritings",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("at", BigInteger, nullable=False),
)
"""Which rewriting of stored rows is done: see store.rewriting."""

deletion: Final = Table(
    "deletion",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("checked_at", BigInteger, nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("left_ms", BigInteger, nullable=False),
    Column("events", Integer, nullable=False),
    Column("dead_letters", Integer, nullable=False),
)
"""One row: whether retention waits, since when, for how much longer, and what it would delete."""
