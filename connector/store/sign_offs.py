"""Who looked at the opt-outs of a month, when, and what they saw."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass
from typing import Final

from sqlalchemy import BigInteger, Column, String, Table, Text, select

from connector.store.audit import Audit
from connector.store.database import Database
from connector.store.tables import Serial, metadata

ACTION: Final = "sign off"
_LISTED: Final = 24

sign_offs: Final = Table(
    "sign_offs",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("who", String(128), nullable=False),
    Column("agency", String(64), nullable=False),  # empty for all of them
    Column("month", String(7), nullable=False),  # 2026-11
    Column("note", Text, nullable=False),
    Column("asked", BigInteger, nullable=False),
    Column("in_time", BigInteger, nullable=False),
    Column("late", BigInteger, nullable=False),
    Column("to_do", BigInteger, nullable=False),
    Column("elsewhere", BigInteger, nullable=False),
)


@dataclass(frozen=True, slots=True)
class SignOff:
    """Somebody's word that they looked, with the figures as they were. at: epoch ms. agency: empty for all of them."""

    at: int
    who: str
    agency: str
    month: str
    note: str
    asked: int
    in_time: int
    late: int
    to_do: int
    elsewhere: int


class SignOffs:
    """Kept for good, and in the audit log."""

    def __init__(self, database: Database, audit: Audit) -> None:
        self._db, self._audit = database, audit

    def sign(self, given: SignOff) -> None:
        """Keep one, as of now."""
        figures = (
            f"{given.asked} asked, {given.in_time} in time, {given.late} late, "
            f"{given.to_do} waiting or refused, {given.elsewhere} without a record or field"
        )
        thing = f"opt-outs of {given.month} ({given.agency or 'every agency'}): {figures}"
        with self._db.transaction() as connection:
            connection.execute(sign_offs.insert().values(**{**asdict(given), "at": self._db.now()}))
            self._audit.write_down(connection, given.who, ACTION, thing, given.note, agency=given.agency)

    def newest(self, agencies: Collection[str] | None) -> list[SignOff]:
        """The newest ones, of these agencies and of all together; None for every one."""
        columns = [sign_offs.c[name] for name in SignOff.__dataclass_fields__]
        statement = select(*columns).order_by(sign_offs.c.id.desc()).limit(_LISTED)
        if agencies is not None:
            statement = statement.where(sign_offs.c.agency.in_(agencies))
        with self._db.reading() as connection:
            return [SignOff(*row) for row in connection.execute(statement)]
