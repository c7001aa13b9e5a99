"""Checks and writes one record the way Salesforce does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from connector.sandbox.salesforce.rows import Record, Rows
from connector.sandbox.salesforce.schema import Column, Table
from connector.sandbox.salesforce.states import listed
from connector.sandbox.salesforce.values import BadRequest, Refused, parse, settle


@dataclass(frozen=True, slots=True)
class Manner:
    """The options given in the request's headers."""

    allow_save: bool = False
    auto_assign: bool = True


@dataclass(slots=True)
class Draft:
    """A record read from JSON, not yet checked against the org. `refusal` is reported in the row's own result."""

    values: list[tuple[Column, Any]] = field(default_factory=list)
    parents: list[tuple[Column, Any]] = field(default_factory=list)
    id: str | None = None
    refusal: Refused | None = None
    read_only: list[str] = field(default_factory=list)

    def check(self) -> None:
        """Raise the record's own refusal, if any."""
        if self.refusal:
            raise self.refusal
        if self.read_only:
            cause = f"Unable to create/update fields: {', '.join(self.read_only)}. Please check the security settings"
            message = f"{cause} of this field and verify that it is read/write for your profile or permission set."
            raise Refused("INVALID_FIELD_FOR_INSERT_UPDATE", message, self.read_only)

    def value(self, column: Column) -> Any:
        return next((value for own, value in self.values if own.name == column.name), None)


class Org(Rows):
    """An org that checks and stores records. gone_reference: the code for a look-up field at a deleted record.

    edits_converted: whether the user may change converted leads.
    """

    def __init__(self, tables: dict[str, Table]) -> None:
        super().__init__(tables)
        self.unknown_column: Literal["request", "row"] = "row"
        self.duplicate_rule: Literal["", "alert", "block"] = ""
        self.assign_leads_to = ""
        self.flow: Callable[[str, Record], Record] = lambda kind, values: {}
        self.is_full = self.edits_converted = False
        self.gone_reference = "ENTITY_IS_DELETED"

    def draft(self, table: Table, record: Any) -> Draft:
        """Read a JSON record. Raises BadRequest where it makes the whole request invalid."""
        if not isinstance(record, Mapping):
            raise BadRequest(400, "JSON_PARSER_ERROR", "Unexpected value where a record was expected")
        draft = Draft()
        for name, value in record.items():
            if name.lower() == "id":
                draft.id = str(value)
            elif name != "attributes":
                self._read(table, draft, name, value)
        return draft

    def _read(self, table: Table, draft: Draft, name: str, value: Any) -> None:
        column = table.column(name)
        if column is None:
            self._read_parent(table, draft, name, value)
        elif column.writable:
            draft.values.append((column, parse(column, value)))
        else:
            draft.read_only.append(name)

    def _read_parent(self, table: Table, draft: Draft, name: str, value: Any) -> None:
        relation = next((own for own in table.seen() if own.relation and own.relation.lower() == name.lower()), None)
        if relation is not None and isinstance(value, Mapping):
            draft.parents.append((relation, value))
            return
        message = f"No such column '{name}' on sobject of type {table.name}"
        if self.unknown_column == "request":
            raise BadRequest(400, "INVALID_FIELD", message)
        draft.refusal = Refused("INVALID_FIELD", message)

    def upsert(self, table: Table, key: Column, draft: Draft, manner: Manner) -> tuple[Record, bool]:
        """Write by external id; return the row and whether it is new. Raises Refused."""
        value = draft.value(key)
        if value in (None, ""):
            raise Refused("MISSING_ARGUMENT", f"{key.name} not specified", [key.name])
        rows = self.matching(table, key, value)
        if len(rows) > 1:
            ids = ", ".join(row["Id"][:15] for row in rows)
            message = f"{key.name}: more than one record found for external id field: [{ids}]"
            raise Refused("DUPLICATE_EXTERNAL_ID", message, [key.name])
        return self.write(table, rows[0] if rows else None, draft, manner), not rows

    def update(self, table: Table, draft: Draft, manner: Manner) -> Record:
        """Write by id. Raises Refused."""
        if not draft.id:
            raise Refused("MISSING_ARGUMENT", "Id not specified in an update call")
        if len(draft.id) not in (15, 18):
            raise Refused("MALFORMED_ID", f"bad id {draft.id}", ["Id"])
        owner, row = self.by_id(draft.id) or (None, {})
        if owner is not table:
            raise Refused("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
        if row["IsDeleted"]:
            raise Refused("ENTITY_IS_DELETED", "entity is deleted")
        return self.write(table, row, draft, manner)

    def write(self, table: Table, row: Record | None, draft: Draft, manner: Manner) -> Record:
        """Create a record (row is None) or update it, as a whole or not at all. Raises Refused."""
        draft.check()
        if row and row.get("IsConverted") and not self.edits_converted:
            raise Refused("CANNOT_UPDATE_CONVERTED_LEAD", "cannot reference converted lead")
        values = {column.name: settle(column, value) for column, value in draft.values}
        values |= {column.name: self._parent(table, column, spec) for column, spec in draft.parents}
        if row is None:
            self._admit_new(table, values)
        values |= listed(table, values, row or {})
        for name, value in values.items():
            self._refer(table, table.columns[name.lower()], value)
            self._unique(table, table.columns[name.lower()], value, row)
        self._duplicates(table, values, row, manner)
        if table.name == "Lead" and self.assign_leads_to and manner.auto_assign:
            values["OwnerId"] = self.assign_leads_to
        values |= self.flow(table.name, values)
        return self.store(table, row, values)

    def _admit_new(self, table: Table, values: Record) -> None:
        missing = [own.name for own in table.columns.values() if own.required and values.get(own.name) is None]
        if missing:
            raise Refused("REQUIRED_FIELD_MISSING", f"Required fields are missing: [{', '.join(missing)}]", missing)
        if self.is_full:
            raise Refused("STORAGE_LIMIT_EXCEEDED", "storage limit exceeded")

    def _parent(self, table: Table, column: Column, spec: Mapping[str, Any]) -> str:
        kind = spec.get("attributes", {}).get("type", column.refers[0])
        keys = [name for name in spec if name != "attributes"]
        if len(keys) != 1 or kind not in column.refers:
            raise Refused("INVALID_FIELD", f"Foreign key field {column.relation} is not usable", [column.name])
        parents = self.tables[kind.lower()]
        rows = self.matching(parents, self.key(parents, keys[0]), spec[keys[0]])
        if not rows:
            message = f"Foreign key external ID: {spec[keys[0]]} not found for field {keys[0]} in entity {kind}"
            raise Refused("INVALID_FIELD", message)
        return str(rows[0]["Id"])

    def _refer(self, table: Table, column: Column, value: Any) -> None:
        if column.refers and value is not None:
            self._usable(table, column, value)
            self._exists(column, value)

    def _usable(self, table: Table, column: Column, value: str) -> None:
        """Refuse a record type that the user may not use, and an owner who is not active."""
        if column.name == "RecordTypeId" and not table.record_types.get(value):
            message = f"Record Type ID: this ID value isn't valid for the user: {value}"
            raise Refused("INVALID_CROSS_REFERENCE_KEY", message, [column.name])
        user = self.by_id(value) if column.name == "OwnerId" else None
        if user and not user[1].get("IsActive", True):
            message = f"operation performed with inactive user [{value[:15]}] as owner of {table.name.lower()}"
            raise Refused("INACTIVE_OWNER_OR_USER", message)

    def _exists(self, column: Column, value: str) -> None:
        target = self.by_id(value)
        kinds = [self.tables[kind.lower()] for kind in column.refers]
        if not (target and target[0] in kinds) and not any(value.startswith(kind.prefix) for kind in kinds):
            message = f"{column.label}: id value of incorrect type: {value}"
            raise Refused("FIELD_INTEGRITY_EXCEPTION", message, [column.name])
        if target is None:
            raise Refused("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", [column.name])
        if target[1]["IsDeleted"]:
            raise Refused(self.gone_reference, "the record referred to is gone")
        if target[1].get("IsConverted"):
            raise Refused("CANNOT_UPDATE_CONVERTED_LEAD", "cannot reference converted lead", [column.name])

    def _unique(self, table: Table, column: Column, value: Any, row: Record | None) -> None:
        if not column.unique or value is None:
            return
        others = [other for other in self.takers(table, column, value) if other is not row]
        if others:
            message = f"duplicate value found: {column.name} duplicates value on record with id: {others[0]['Id']}"
            raise Refused("DUPLICATE_VALUE", message)

    def _duplicates(self, table: Table, values: Record, row: Record | None, manner: Manner) -> None:
        email = values.get("Email")
        if table.name not in ("Contact", "Lead") or not email or not self.duplicate_rule:
            return
        others = [other for other in self.matching(table, table.columns["email"], email) if other is not row]
        if others and not (self.duplicate_rule == "alert" and manner.allow_save):
            raise Refused("DUPLICATES_DETECTED", "Use one of these records?")
