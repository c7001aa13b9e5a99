"""The org as its sandbox's page shows it, and what people do to it there."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

from connector.sandbox.page.desk import Card, Field, NotDone, Row, Trouble
from connector.sandbox.salesforce import SalesforceSandbox
from connector.sandbox.salesforce.rows import Record
from connector.sandbox.salesforce.schema import NUMBERS, Column, Table
from connector.sandbox.salesforce.store import Draft, Manner
from connector.sandbox.salesforce.values import RECORD_ID, BadRequest, Refused, checksummed, parse

_PLUMBING: Final = (
    *("Organization", "UserPermissionAccess", "PermissionSet", "FieldPermissions"),
    "PermissionSetAssignment",
)
_MERGED: Final = ("Contact", "Lead", "Account", "Case")
"""What Salesforce's users can merge."""
_CHECKED: Final = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False, "": False}
_BY_HAND: Final = Manner(allow_save=True, auto_assign=False)


class SalesforceDesk:
    """One org. Callers hold its lock."""

    crm = "Salesforce"

    def __init__(self, wire: SalesforceSandbox) -> None:
        self.wire, self.org, self.history = wire, wire.org, wire.org.history
        lost = "The org writes what was asked for, then the connection breaks before its reply."
        troubles = (
            Trouble("limit", "Limit of API calls", "403 REQUEST_LIMIT_EXCEEDED, as on a used-up day.", self._limit),
            Trouble("outage", "Outage", "503 with a maintenance page, for logins too.", self._outage),
            Trouble("lost", "Lost reply", lost, wire.lose_replies),
            Trouble("session", "Expired session", "Every session ends once; a new login works.", self._expire),
        )
        self.troubles = {trouble.name: trouble for trouble in troubles}

    def _limit(self, times: int) -> None:
        self.wire.limit_403("daily", times)

    def _outage(self, times: int) -> None:
        self.wire.html_503(times, "/services/")

    def _expire(self, times: int) -> None:
        self.wire.expire_sessions()

    def counts(self) -> Mapping[str, tuple[int, int]]:
        counts = {}
        for table in self.org.tables.values():
            rows = self.org.rows[table.name.lower()].values()
            deleted = sum(row["IsDeleted"] for row in rows)
            counts[table.name] = len(rows) - deleted, deleted
        return {name: count for name, count in counts.items() if name not in _PLUMBING}

    def rows(self, kind: str, words: str, *, deleted: bool) -> list[Row]:
        table = self.org.table(kind)
        held = [row for row in self.org.rows[kind.lower()].values() if row["IsDeleted"] == deleted]
        return [_row(table, row) for row in reversed(held) if _has(row, words.lower())]

    def card(self, kind: str, id: str) -> Card | None:
        table, row = self.org.by_id(id) or (None, {})
        if table is None or table.name != kind:
            return None
        fields = [Field(own.name, row.get(own.name), own.writable) for own in table.columns.values()]
        return Card(_row(table, row), fields, [*self._outward(table, row), *self._inward(table, row)])

    def _outward(self, table: Table, row: Record) -> Iterator[tuple[str, Row]]:
        for column in table.columns.values():
            if column.type == "reference" and (held := self.org.by_id(row.get(column.name) or "-")):
                yield column.name, _row(*held)

    def _inward(self, table: Table, row: Record) -> Iterator[tuple[str, Row]]:
        for other in self.org.tables.values():
            names = [column.name for column in other.columns.values() if table.name in column.refers]
            for own in self.org.live(other):
                yield from ((f"{other.name}.{name}", _row(other, own)) for name in names if own.get(name) == row["Id"])

    def opted_out(self) -> list[tuple[str, Row | None]]:
        people = []
        for table in self.org.tables.values():
            for prefix in ("", "Person"):
                flagged = [row for row in self.org.live(table) if row.get(f"{prefix}HasOptedOutOfEmail")]
                people += [(str(row.get(f"{prefix}Email") or "no address"), _row(table, row)) for row in flagged]
        return list(people)

    def create(self, kind: str, texts: Mapping[str, str]) -> str:
        if self.org.by_id(texts.get("Id", "-")):
            raise NotDone("there is a record with this ID")
        return str(self._written(self.org.table(kind), None, texts)["Id"])

    def edit(self, kind: str, id: str, field: str, text: str) -> None:
        self._written(*self._found(kind, id), {field: text})

    def _written(self, table: Table, row: Record | None, texts: Mapping[str, str]) -> Record:
        draft = Draft()
        try:
            for name, text in texts.items():
                column = table.columns["id"] if name == "Id" and row is None else _editable(table, name)
                value = _record_id(text) if name == "Id" else parse(column, _typed(column, text))
                draft.values.append((column, value))
            return self.org.write(table, row, draft, _BY_HAND)
        except (BadRequest, Refused) as refused:
            raise NotDone(str(refused)) from None

    def _found(self, kind: str, id: str) -> tuple[Table, Record]:
        table, row = self.org.by_id(id) or (None, {})
        if table is None or table.name != kind or row["IsDeleted"]:
            raise NotDone(f"there is no {kind} with the ID {id}")
        return table, row

    def delete(self, kind: str, id: str) -> None:
        self.org.delete(*self._found(kind, id))

    def restore(self, kind: str, id: str) -> None:
        table, row = self.org.by_id(id) or (None, {})
        if table is None or not row["IsDeleted"]:
            raise NotDone("it is not deleted")
        if row.get("MasterRecordId"):
            raise NotDone(f"it was merged into {row['MasterRecordId']}")
        self.org.restore(table, row)

    def merge(self, kind: str, loser: str, winner: str) -> str:
        table, row = self._found(kind, winner)
        _, lost = self._found(kind, loser)
        if kind not in _MERGED:
            raise NotDone(f"Salesforce merges {', '.join(_MERGED)} only")
        if lost is row:
            raise NotDone("this is the record itself")
        self.org.merge(table, lost, row)
        return str(row["Id"])


def _row(table: Table, row: Record) -> Row:
    title = next((row[name] for name in ("Name", "Subject", "LastName") if row.get(name)), row["Id"])
    keys = [row.get(column.name) for column in table.columns.values() if column.upsert_key or column.type == "phone"]
    about = " · ".join(str(key) for key in dict.fromkeys(keys) if key)
    return Row(table.name, row["Id"], str(title), about, row["IsDeleted"])


def _has(row: Record, words: str) -> bool:
    return not words or any(words in str(value).lower() for value in row.values() if value is not None)


def _editable(table: Table, name: str) -> Column:
    column = table.columns.get(name.lower())
    if column is None or not column.writable:
        raise NotDone(f"{table.name} has no field {name} that can be edited")
    return column


def _record_id(text: str) -> str:
    """The ID that a record has in the real org, which a mapping may name."""
    if not RECORD_ID.match(text):
        raise NotDone("Id takes 15 or 18 letters and digits")
    return checksummed(text[:15])


def _typed(column: Column, text: str) -> Any:
    """What a person typed, as the API would send it; an empty text clears the field, or the check box."""
    if column.type == "boolean":
        checked = _CHECKED.get(text.strip().lower())
        if checked is None:
            raise NotDone(f"{column.label} takes true or false")
        return checked
    return _number(column, text) if text and column.type in NUMBERS else text or None


def _number(column: Column, text: str) -> float:
    try:
        number = int(text) if column.type == "int" else float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise NotDone(f"{column.label} takes a {'whole ' if column.type == 'int' else ''}number")
    return number
