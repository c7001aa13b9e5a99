"""Which CRM account each destination's ledger was written to."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from sqlalchemy import Column, ColumnElement, Row, bindparam, inspect, select, update

from connector.crm import AccountKind, CrmAccount
from connector.store import dialect
from connector.store.crm_tables import accounts
from connector.store.database import Database

_OURS: Final = select(accounts).where(accounts.c.destination == bindparam("whose"))


class Accounts:
    """One account for each destination, from the first contact on."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self._adopt = dialect.insert(database.engine, accounts).on_conflict_do_nothing()

    def of(self, destination: str) -> CrmAccount | None:
        """The account of a destination's ledger; None before the first contact."""
        with self._db.reading() as connection:
            row = connection.execute(_OURS, {"whose": destination}).first()
        return _account(row) if row else None

    def meet(self, destination: str, account: CrmAccount) -> CrmAccount:
        """The account of a destination's ledger: from now on this one, if there was none."""
        ours = self.of(destination)
        if ours and (ours != account or account.pages in ("", ours.pages)):
            return ours
        row = {"destination": destination, "account": account.id, "kind": account.kind, "pages": account.pages}
        mine = (accounts.c.destination == destination, accounts.c.account == account.id)
        with self._db.transaction() as connection:
            connection.execute(self._adopt.values(since=self._db.now()), row)
            connection.execute(update(accounts).where(*mine).values(pages=account.pages))
        return self.of(destination) or account


def is_served(destination: Column[Any]) -> ColumnElement[bool]:
    """Whether rows are of the account that a destination serves now, not of one it served before: see `rebinding`."""
    return ~destination.contains("@")


def peek(address: str) -> dict[str, CrmAccount]:
    """The accounts of a database's ledgers, without migrating or creating it. Raises StoreUnavailable."""
    url = dialect.parse_url(address)
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").is_file():
        return {}
    engine = dialect.open_engine(url)
    try:
        with dialect.reading(engine) as connection:
            if not inspect(connection).has_table(accounts.name):
                return {}
            asked = select(accounts.c.destination, accounts.c.account, accounts.c.kind)  # of an older revision too
            return {name: CrmAccount(ours, AccountKind(kind)) for name, ours, kind in connection.execute(asked)}
    finally:
        engine.dispose()


def _account(row: Row[Any]) -> CrmAccount:
    return CrmAccount(row.account, AccountKind(row.kind), row.pages)
