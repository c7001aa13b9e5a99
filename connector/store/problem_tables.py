"""Tables of what waits for people (odd fields, refused fields, undecided matches) and what they did about causes."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Boolean, Column, Index, String, Table, Text

from connector.store.tables import Serial, metadata, where

oddities: Final = Table(
    "oddities",
    metadata,
    Column("agency", String(64), primary_key=True),
    Column("destination", String(130), primary_key=True),  # empty where careCycle's field itself is odd
    Column("field", String(64), primary_key=True),
    Column("target", Text, primary_key=True),
    Column("got", String(40), primary_key=True),
    Column("used", Boolean, primary_key=True),
    Column("expected", String(40), nullable=False),
    Column("count", BigInteger, nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("until", BigInteger, nullable=False),
    Column("message_id", String(256), nullable=False),
)
"""What careCycle sends that is not as it documents, counted."""

open_items: Final = Table(
    "open_items",
    metadata,
    Column("destination", String(130), primary_key=True),
    Column("object", String(64), primary_key=True),
    Column("key", String(32), primary_key=True),  # as in the ledger
    Column("field", String(255), primary_key=True),
    Column("customer_id", String(64)),
    Column("crm_id", String(64)),
    Column("record", Text, nullable=False),  # of the mapping
    Column("code", String(80), nullable=False),
    Column("reason", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("digest", String(64), nullable=False),  # keyed, of the refused value; empty to have it sent again
    Column("at", BigInteger, nullable=False),
    Column("tie", String(16), nullable=False),
    Column("mapping_version", String(32), nullable=False),
    Column("delivery_id", BigInteger, nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("holder", String(64)),  # where another record has the value: its id, empty if unknown
    Column("tried_at", BigInteger, nullable=False, server_default="0"),
    Index(None, "customer_id"),
    Index(None, "delivery_id"),
    Index("ix_open_items_held", "destination", "digest", **where("holder IS NOT NULL")),
)
"""Every field that a CRM refuses while the rest of its record is written."""

questions: Final = Table(
    "questions",
    metadata,
    Column("destination", String(130), primary_key=True),
    Column("object", String(64), primary_key=True),
    Column("key", String(32), primary_key=True),  # as in the ledger
    Column("customer_id", String(64)),
    Column("record", Text, nullable=False),  # of the mapping
    Column("by_key", Boolean, nullable=False),
    Column("candidates", Text, nullable=False),  # JSON: [{id, agrees, differs, blank}], names of fields
    Column("delivery_id", BigInteger, nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("state", String(16), nullable=False),
    Column("chosen", String(64)),
    Column("former", String(64)),
    Column("taken_back", String(64)),
    Column("others", Text, nullable=False, server_default="[]"),  # JSON: [ids]
    Column("decided_at", BigInteger),
    Column("decided_by", String(128), nullable=False, server_default=""),
    Index(None, "customer_id"),
)
"""Which CRM record is meant, where several may be, and what people decided."""

replays: Final = Table(
    "replays",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("cause", String(12), nullable=False),
    Column("destination", String(130), nullable=False),
    Column("what", Text, nullable=False),
    Column("who", String(128), nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("count", BigInteger, nullable=False),
    Index(None, "cause", "id"),
)
"""The replays of dead letters that people began on the page of a cause."""

mutes: Final = Table(
    "mutes",
    metadata,
    Column("cause", String(12), primary_key=True),
    Column("destination", String(130), nullable=False),
    Column("who", String(128), nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("until", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("count", BigInteger, nullable=False),
)
"""The causes of dead letters that somebody looks after."""
