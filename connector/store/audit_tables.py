"""The tables of the audit log."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, Text

from connector.store.tables import Serial, metadata

audit: Final = Table(
    "audit",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("who", String(128), nullable=False),
    Column("action", String(64), nullable=False),
    Column("thing", Text, nullable=False),
    Column("reason", Text, nullable=False, server_default=""),
    Column("agency", String(64), nullable=False, server_default=""),
    Column("customer_id", String(64), nullable=False, server_default=""),  # once forgotten, their alias
    Column("crm_ids", Text, nullable=False, server_default=""),  # the same
    Column("number", BigInteger),  # from 1, without a gap; an entry without a number is not in the chain
    Column("digest", String(32), nullable=False, server_default=""),
    Index("uq_audit_number", "number", unique=True),
    Index(None, "at"),
    *(Index(None, name, "id") for name in ("who", "action", "agency", "customer_id")),
)

audit_head: Final = Table(
    "audit_head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),  # always 1: the row that writers wait for
    Column("number", BigInteger, nullable=False),
    Column("digest", String(32), nullable=False),
    Column("proof", String(32), nullable=False),
)
"""The newest entry. Its proof cannot be made without the key, so it cannot be set back to an earlier entry."""
