"""The table of the calls that fields of CRM records count."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Boolean, Column, String, Table

from connector.store.tables import metadata

counted_calls: Final = Table(
    "counted_calls",
    metadata,
    Column("destination", String(130), primary_key=True),
    Column("key", String(32), primary_key=True),  # as in the ledger
    Column("object", String(64), primary_key=True),
    Column("field", String(255), primary_key=True),
    Column("call", String(32), primary_key=True),  # a keyed digest
    Column("customer_id", String(64), index=True),
    Column("counts", Boolean, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("tie", String(16), nullable=False),
)
"""A row for each call of a record and field that counts calls: see store.counting."""
