"""The sandbox org's rows, with the indexes its unique fields need."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from connector.sandbox.history import History, by_hand
from connector.sandbox.salesforce.schema import Column, Table
from connector.sandbox.salesforce.values import BadRequest, checksummed

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Written:
    """One row of the write log. `at` in seconds of the monotonic clock."""

    object: str
    id: str
    created: bool
    fields: tuple[str, ...]
    at: float


class Rows:
    """All rows of the org. Callers hold the sandbox's lock.

    owner: the user of the API. person: who changes records by hand.
    deleted_keys_count: whether the unique values of rows in the recycle bin are still taken.
    """

    def __init__(self, tables: dict[str, Table]) -> None:
        self.tables = tables
        self.rows: dict[str, dict[str, Record]] = {name: {} for name in tables}
        self.index: dict[tuple[str, str], dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
        self.writes: list[Written] = []
        self.history = History()
        self.owner = self.person = ""
        self.deleted_keys_count = False
        self._next = 0

    def table(self, name: str) -> Table:
        """Return an object by name, in any letter case."""
        table = self.tables.get(name.lower())
        if table is None:
            raise BadRequest(404, "NOT_FOUND", "The requested resource does not exist")
        return table

    def key(self, table: Table, name: str) -> Column:
        """Return the field that records are upserted by."""
        column = table.column(name)
        if column is None or not column.upsert_key:
            message = f"Provided external ID field does not exist or is not accessible: {name}"
            raise BadRequest(404, "NOT_FOUND", message)
        return column

    def matching(self, table: Table, column: Column, value: Any) -> list[Record]:
        """List the live rows with this value, ignoring letter case."""
        wanted, rows = _folded(value), self.rows[table.name.lower()]
        if column in table.indexed:
            held = [rows[row_id] for row_id in self.index[table.name, column.name].get(wanted, ())]
            return [row for row in held if not row["IsDeleted"]]
        return [row for row in self.live(table) if _folded(row[column.name]) == wanted]

    def takers(self, table: Table, column: Column, value: Any) -> list[Record]:
        """List the rows that have a unique value, as the index knows them."""
        rows = self.rows[table.name.lower()]
        return [rows[row_id] for row_id in self.index[table.name, column.name].get(_folded(value), ())]

    def live(self, table: Table) -> Iterator[Record]:
        return (row for row in self.rows[table.name.lower()].values() if not row["IsDeleted"])

    def children(self, table: Table) -> Iterator[dict[str, Any]]:
        """List the fields of other objects that refer to this one, as a description has them."""
        for other in self.tables.values():
            for column in other.columns.values():
                if table.name in column.refers:
                    yield {"childSObject": other.name, "field": column.name, "cascadeDelete": False}

    def by_id(self, id: Any) -> tuple[Table, Record] | None:
        """Return the object and row, deleted or not, of a 15- or 18-character id."""
        full = checksummed(str(id)[:15])
        return next(
            ((table, rows[full]) for name, table in self.tables.items() if full in (rows := self.rows[name])), None
        )

    def store(self, table: Table, row: Record | None, values: Record) -> Record:
        """Write without any check, as an administrator's import would. Names must be spelled as in the schema."""
        who = self._who()
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000+0000")
        created = row is None
        if row is None:
            row = {column.name: column.default for column in table.columns.values()}
            self._next += 1
            new = values.get("Id") or checksummed(f"{table.prefix}Hs{self._next:010d}")
            row |= {"Id": new, "IsDeleted": False, "CreatedDate": now, "CreatedById": who}
            if "OwnerId" in row:
                row["OwnerId"] = self.owner
            self.rows[table.name.lower()][row["Id"]] = row
        self._unlist(table, row)
        before = {} if created else {name: row.get(name) for name in values}
        row |= {"LastModifiedDate": now, "SystemModstamp": now, "LastModifiedById": who, **values}
        if "LastName" in row:
            row["Name"] = " ".join(filter(None, (row.get("FirstName"), row["LastName"])))
        self._list(table, row)
        if table.name == "RecordType":
            self._offer(row)
        self.history.add(table.name, row["Id"], "created" if created else "changed", before, values)
        self.writes.append(Written(table.name, row["Id"], created, tuple(sorted(values)), time.monotonic()))
        return row

    def _who(self) -> str:
        """Return the user who writes."""
        return self.person if by_hand() else self.owner

    def _offer(self, record_type: Record) -> None:
        """Let the records of its object have a record type, unless the user may not use it."""
        if table := self.tables.get(str(record_type["SobjectType"]).lower()):
            table.record_types.setdefault(record_type["Id"], True)
            table.record_type_names[record_type["Id"]] = record_type["Name"] or ""

    def delete(self, table: Table, row: Record) -> None:
        """Move a row to the recycle bin: no query or external id finds it any more."""
        if not self.deleted_keys_count:
            self._unlist(table, row)
        row["IsDeleted"] = True
        self.history.add(table.name, row["Id"], "deleted")

    def restore(self, table: Table, row: Record) -> None:
        """Take a row out of the recycle bin, without the unique values that another row has by now."""
        for column in table.indexed:
            if column.unique and self.matching(table, column, row.get(column.name)):
                row[column.name] = None
        row["IsDeleted"] = False
        self._unlist(table, row)
        self._list(table, row)
        self.history.add(table.name, row["Id"], "restored")

    def purge(self, table: Table, row: Record) -> None:
        """Delete a row for good: its id leads nowhere."""
        self._unlist(table, row)
        del self.rows[table.name.lower()][row["Id"]]
        self.history.add(table.name, row["Id"], "deleted for good")

    def merge(self, table: Table, loser: Record, winner: Record) -> None:
        """Merge a row into another, which keeps its own values; what points at the loser points at it from now on."""
        with self.history.called(f"merged into {winner['Id']}"):
            self.delete(table, loser)
        loser["MasterRecordId"] = winner["Id"]
        for other in self.tables.values():
            names = [column.name for column in other.columns.values() if table.name in column.refers]
            for row in self.live(other):
                moved = {name: winner["Id"] for name in names if row.get(name) == loser["Id"]}
                row.update(moved)
                if moved:
                    self.history.add(other.name, row["Id"], "changed", dict.fromkeys(moved, loser["Id"]), moved)

    def _keys(self, table: Table, row: Record) -> Iterator[list[str]]:
        for column in table.indexed:
            if row.get(column.name):
                yield self.index[table.name, column.name][_folded(row[column.name])]

    def _list(self, table: Table, row: Record) -> None:
        for ids in self._keys(table, row):
            ids.append(row["Id"])

    def _unlist(self, table: Table, row: Record) -> None:
        for ids in self._keys(table, row):
            if row["Id"] in ids:
                ids.remove(row["Id"])


def _folded(value: Any) -> str:
    return str(value).strip().lower()
