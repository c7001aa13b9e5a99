"""The tables by which a person is found: keyed digests of their numbers and addresses, and how far events were read."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table

from connector.store.tables import ledger, metadata, where

handles: Final = Table(
    "handles",
    metadata,
    Column("agency", String(64), primary_key=True),
    Column("customer_id", String(64), primary_key=True),
    Column("handle", String(12), primary_key=True),  # see store.handles
    Column("digest", String(32), primary_key=True),  # keyed; empty where an event says that there is none
    Column("seen_at", BigInteger, nullable=False),  # the source time of the newest event that says so
    Index(None, "digest"),
    Index(None, "customer_id"),
)
"""What each customer can be found by. A digest is of the agency, the kind and the value: none is equal to another's."""

handles_read: Final = Table(
    "handles_read",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("event_id", BigInteger, nullable=False),
)
"""How far events have been read for it: one row."""

Index("ix_ledger_crm_id", ledger.c.crm_id, **where("crm_id IS NOT NULL"))
