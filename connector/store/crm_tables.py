"""Tables about each CRM account: its mapping, its own description, and the day's calls."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, LargeBinary, String, Table, Text

from connector.store.tables import metadata

mappings: Final = Table(
    "mappings",
    metadata,
    Column("destination", String(130), primary_key=True),
    Column("version", String(32), nullable=False),
    Column("running_since", BigInteger),
    Column("refused_at", BigInteger),
    Column("problem", Text, nullable=False),
)

accounts: Final = Table(
    "accounts",
    metadata,
    Column("destination", String(130), primary_key=True),
    Column("account", String(64), nullable=False),  # the CRM's own id of the org or portal
    Column("kind", String(12), nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("pages", String(255), nullable=False, server_default=""),  # the host that shows its records to people
)
"""The CRM account that each destination's ledger was written to."""

descriptions: Final = Table(
    "descriptions",
    metadata,
    Column("destination", String(130), primary_key=True),
    Column("object", String(128), primary_key=True),
    Column("fields", LargeBinary, nullable=False),  # compressed JSON
    Column("at", BigInteger, nullable=False),
)
"""What each CRM account says of the objects that its mapping uses."""

usage: Final = Table(
    "usage",
    metadata,
    Column("destination", String(130), primary_key=True),
    Column("used", BigInteger),
    Column("allowed", BigInteger),
    Column("at", BigInteger),
    Column("ours", BigInteger, nullable=False, default=0),
)

usage_calls: Final = Table(
    "usage_calls",
    metadata,
    Column("destination", String(130), primary_key=True),
    Column("at", BigInteger, primary_key=True),
    Column("calls", BigInteger, nullable=False),
)
