"""The tables of when each record was compared with its CRM."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, Index, String, Table, Text, text

from connector.store.tables import metadata

_DIFFERING: Final = text("differences <> '{}'")

verifications: Final = Table(
    "verifications",
    metadata,
    Column("destination", String(130), primary_key=True),
    Column("object", String(64), primary_key=True),
    Column("key", String(32), primary_key=True),  # as in the ledger
    Column("customer_id", String(64)),
    Column("verified_at", BigInteger, nullable=False),
    Column("delivery_id", BigInteger, nullable=False),  # the ledger's, when it was compared
    Column("differences", Text, nullable=False),  # JSON: {difference: [fields]}
    Column("raised", String(64), nullable=False),  # the opt-outs that the record shows, and those it lacks
    Column("lowered", String(64), nullable=False),
    Index(None, "customer_id"),
    Index("ix_verifications_differing", "destination", sqlite_where=_DIFFERING, postgresql_where=_DIFFERING),
)
"""When each record was last compared with what its CRM has, and what differed; no values."""

verification_passes: Final = Table(
    "verification_passes",
    metadata,
    Column("destination", String(130), primary_key=True),
    Column("complete_at", BigInteger),  # when every record had been compared
    Column("next_at", BigInteger, nullable=False),  # of the worker's next step
)
