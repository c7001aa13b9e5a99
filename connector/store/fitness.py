"""Whether this process can work with a database: it may not be the one that it opened, nor whole yet.

A process that runs meets another one where a database is dropped and restored, or where a copy from before an upgrade
or a change of keys takes its place. Then it keeps off, as it would not have started with it.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, inspect, select, text

from connector.errors import CannotDecrypt
from connector.store.seal import Seal
from connector.store.tables import REVISION, deliveries, settings

DIGEST_KEY: Final = "digest key"

_RESTORED: Final = "if it is being restored, it is used once that is complete; otherwise restore a backup"


def unfit(connection: Connection, seal: Seal) -> str:
    """Say why nothing may be written to it; empty if everything is there."""
    tables = inspect(connection)
    if not tables.has_table("alembic_version"):
        return f"has no tables of ours: {_RESTORED}"
    # What restores a database makes its foreign keys last.
    if not tables.has_table(deliveries.name) or not tables.get_foreign_keys(deliveries.name):
        return f"lacks tables: {_RESTORED}"
    revision = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    if revision != REVISION:
        return f"is of revision {revision}, not {REVISION}: restart the connector, which brings an older one up to date"
    key = connection.execute(select(settings.c.value).where(settings.c.name == DIGEST_KEY)).scalar()
    return f"is not complete, its key is not there: {_RESTORED}" if key is None else _sealed(key, seal)


def _sealed(key: bytes, seal: Seal) -> str:
    try:
        seal.open(key, DIGEST_KEY)
    except CannotDecrypt as error:
        return f"cannot be used: CONNECTOR_DATA_KEY {lacks(error)}" if error.missing else error.problem
    return ""


def lacks(error: CannotDecrypt) -> str:
    """What CONNECTOR_DATA_KEY lacks."""
    return f"lacks the key {error.key}, with which this database was written"
