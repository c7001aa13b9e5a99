"""The tables of mappings as texts: the versions that ran or were published, and edits that are not published yet."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, String, Table, Text

from connector.store.tables import metadata

mapping_versions: Final = Table(
    "mapping_versions",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("destination", String(130), nullable=False, index=True),
    Column("version", String(32), nullable=False),
    Column("files", LargeBinary, nullable=False),  # compressed JSON: {path: text}
    Column("published_at", BigInteger),  # in the console
    Column("ran_at", BigInteger),
    Column("who", String(128), nullable=False, server_default=""),
    Column("reason", Text, nullable=False, server_default=""),
)
"""Every mapping a destination ran or was given in the console. Not sealed: the files themselves are readable."""

mapping_drafts: Final = Table(
    "mapping_drafts",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("destination", String(130), nullable=False, index=True),
    Column("files", LargeBinary, nullable=False),  # compressed JSON: see store.drafts
    Column("saves", Integer, nullable=False),
    Column("page", String(32), nullable=False),
    Column("who", String(128), nullable=False),
    Column("changed_at", BigInteger, nullable=False),
)
"""Edits of mappings in the console, until they are published or discarded."""
