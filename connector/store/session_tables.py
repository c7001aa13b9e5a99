"""The tables of the console's sign-ins: who is signed in, and how often it was tried."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, String, Table

from connector.store.tables import Serial, metadata

sessions: Final = Table(
    "sessions",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("digest", String(64), nullable=False, unique=True),  # of the token that the browser has
    Column("name", String(64), nullable=False),  # of the person; empty for a shared password
    Column("proof", String(64), nullable=False),  # a digest of what the person was when signing in
    Column("address", String(64), nullable=False),
    Column("began_at", BigInteger, nullable=False),
    Column("seen_at", BigInteger, nullable=False),
)
"""Who is signed in to the console, and since when."""

guesses: Final = Table(
    "guesses",
    metadata,
    Column("whose", String(80), primary_key=True),
    Column("until", BigInteger, nullable=False),
)
"""What was tried so often that it must be slowed down. until: when all of it is forgiven (epoch ms)."""
