"""Tables of opt-outs: what was said last, what reached a CRM, and what is still owed."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, String, Table, Text, false

from connector.store.tables import Serial, metadata, where

consents: Final = Table(
    "consents",
    metadata,
    Column("destination", String(130), primary_key=True),
    Column("customer_id", String(64), primary_key=True),
    Column("flag", String(16), primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("tie", String(16), nullable=False),
    Column("value", Boolean),
    Column("applied_at", BigInteger),
    Column("owed", Boolean, nullable=False, server_default=false()),
    Column("spoken", Boolean, nullable=False, server_default=false()),
    Column("lowered_at", BigInteger, nullable=False, server_default="0"),
)

raises: Final = Table(
    "raises",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("destination", String(130), nullable=False),
    Column("customer_id", String(64), nullable=False),
    Column("flag", String(16), nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("object", String(64), nullable=False),
    Column("crm_id", String(64)),
    Column("delivery_id", BigInteger, nullable=False),
    Column("field", String(255), nullable=False, server_default=""),
    Index(None, "customer_id", "destination", "flag"),
)
"""Every time an opt-out reached a CRM, for good: neither retention nor a later event takes it away."""

obligations: Final = Table(
    "obligations",
    metadata,
    Column("destination", String(130), primary_key=True),
    Column("customer_id", String(64), primary_key=True),
    Column("flag", String(16), primary_key=True),
    Column("lane", String(140), nullable=False),
    Column("event_id", BigInteger, nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("state", String(12), nullable=False, server_default="owed"),
    Column("due_at", BigInteger),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("code", String(80), nullable=False, server_default=""),
    Column("reason", Text, nullable=False, server_default=""),
    Column("action", Text, nullable=False, server_default=""),
    Column("fields", Text, nullable=False, server_default="[]"),
    Column("applied_at", BigInteger),
    Column("object", String(64), nullable=False, server_default=""),
    Column("crm_id", String(64)),
    Column("addresses", String(64)),
    Index(None, "customer_id"),
    Index(None, "event_id"),
    Index("ix_obligations_due", "lane", "due_at", **where("due_at IS NOT NULL")),
    Index(None, "since"),
    Index("ix_obligations_open", "lane", "state", "since", **where("state <> 'applied'")),
)
"""Every opt-out owed to a destination, from the moment its event is accepted."""
