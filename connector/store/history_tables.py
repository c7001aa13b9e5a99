"""The tables that show whether the database's own history went back. Times are epoch milliseconds."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, Integer, String, Table

from connector.store.tables import metadata

_Serial: Final = BigInteger().with_variant(Integer, "sqlite")

commits: Final = Table(
    "commits",
    metadata,
    Column("process", String(32), primary_key=True),  # random, new at each start
    Column("part", String(140), primary_key=True),  # "inbox", or a lane
    Column("made", BigInteger, nullable=False),
    Column("events", BigInteger, nullable=False),
    Column("at", BigInteger, nullable=False),
)
"""How many commits each process made, which it knows itself too: a row that says fewer belongs to an older database."""

gaps: Final = Table(
    "gaps",
    metadata,
    Column("id", _Serial, primary_key=True),
    Column("process", String(32), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("noticed_at", BigInteger, nullable=False),
    Column("lost_from", BigInteger, nullable=False),
    Column("lost_until", BigInteger, nullable=False),
    Column("events", BigInteger, nullable=False),
    Column("resolved", BigInteger),
)
"""What was lost each time the history went back, as each process noticed it."""

generations: Final = Table(
    "generations",
    metadata,
    Column("id", _Serial, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("lost_until", BigInteger, nullable=False),
    Column("who", String(128), nullable=False),
)
"""Every restore that was declared. A ledger entry of an earlier generation is in doubt."""
