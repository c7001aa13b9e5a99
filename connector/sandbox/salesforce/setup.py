"""Setup by API: custom fields through the Tooling API, and permissions on them.

https://developer.salesforce.com/docs/atlas.en-us.api_tooling.meta/api_tooling/
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from flask import Response, request

from connector.sandbox.salesforce import soql
from connector.sandbox.salesforce.faults import reply
from connector.sandbox.salesforce.rows import Record, Rows
from connector.sandbox.salesforce.schema import Column, Table, add_column
from connector.sandbox.salesforce.values import BadRequest

RIGHTS: Final = frozenset(
    {"customize application", "view setup", "manage permission sets", "assign permission sets", "edit all fields"}
)
"""The permissions an integration user may have in Setup. Without the last, new fields stay hidden until granted."""

_NAME = re.compile(r"(?P<object>\w+)\.(?P<field>[A-Za-z](?:_?[A-Za-z0-9])*__c)")
_ACTIVITIES: Final = ("Task",)
_GUARDED: Final = {
    "PermissionSet": "manage permission sets",
    "FieldPermissions": "manage permission sets",
    "PermissionSetAssignment": "assign permission sets",
}
_NEEDS: Final[Mapping[str, tuple[str, ...]]] = {
    "Text": ("length",),
    "LongTextArea": ("length", "visibleLines"),
    "Number": ("precision", "scale"),
    "Checkbox": ("defaultValue",),
    "Picklist": ("valueSet",),
    "Date": (),
    "DateTime": (),
    "Phone": (),
    "Email": (),
}
_TYPES: Final = {
    "Text": "string",
    "LongTextArea": "textarea",
    "Number": "double",
    "Checkbox": "boolean",
    "Picklist": "picklist",
    "DateTime": "datetime",
}


class Setup:
    """An org's Setup. user: the id of the connector's user. unique_activities: whether a task's field may be unique."""

    def __init__(self, org: Rows, rights: frozenset[str], *, unique_activities: bool) -> None:
        self.org, self.rights, self.unique_activities, self.user = org, rights, unique_activities, ""

    def allow(self, name: str, body: Any) -> None:
        """Check that the user may write this Setup record and that it is valid. Raises BadRequest."""
        if name in _GUARDED and _GUARDED[name] not in self.rights:
            raise BadRequest(400, "INSUFFICIENT_ACCESS_OR_READONLY", "insufficient access rights on object id")
        if name != "FieldPermissions" or not isinstance(body, Mapping) or "Field" not in body:
            return
        kind, _, field = str(body["Field"]).partition(".")
        table = self.org.tables.get(kind.lower())
        if body.get("SobjectType") != kind or table is None or field.lower() not in table.columns:
            message = f"Field Name: bad value for restricted picklist field: {body['Field']}"
            raise BadRequest(400, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", message, ["Field"])

    def settle(self) -> None:
        """Apply the field permissions of every permission set assigned to the connector's user."""
        assignments = self._rows("PermissionSetAssignment")
        sets = {row["PermissionSetId"] for row in assignments if row["AssigneeId"] == self.user}
        for row in self._rows("FieldPermissions"):
            if row["ParentId"] in sets and row["PermissionsEdit"]:
                for table, name in self._same(*str(row["Field"]).split(".")):
                    table.hidden.discard(name)
                    if column := table.columns.get(name.lower()):
                        add_column(table, replace(column, marks=column.marks - {"locked"}))

    def _rows(self, name: str) -> list[Record]:
        return list(self.org.live(self.org.tables[name.lower()]))

    def _same(self, object: str, field: str) -> list[tuple[Table, str]]:
        """The field itself, and for a contact's field its copy on person accounts."""
        fields = [(self.org.tables[object.lower()], field)]
        if object == "Contact" and "account" in self.org.tables:
            fields.append((self.org.tables["account"], field.replace("__c", "__pc")))
        return fields

    def create_field(self) -> Response:
        """POST /tooling/sobjects/CustomField"""
        if "customize application" not in self.rights:
            raise BadRequest(400, "INSUFFICIENT_ACCESS_OR_READONLY", "insufficient access rights on object id")
        body = request.get_json(silent=True)
        if not isinstance(body, dict) or set(body) != {"FullName", "Metadata"}:
            raise BadRequest(400, "JSON_PARSER_ERROR", "a CustomField has FullName and Metadata")
        name, metadata = _NAME.fullmatch(str(body["FullName"])), body["Metadata"]
        if name is None or name["object"] in _ACTIVITIES:
            raise BadRequest(400, "INVALID_FIELD", "the name of a custom field is <Object>.<Name>__c", ["FullName"])
        self._check(name["object"], metadata)
        tables = self._new_on(name["object"], name["field"])
        for table in tables:
            self._add(table, _column(name["field"], metadata))
        if name["object"] == "Contact" and "account" in self.org.tables:
            self._add(self.org.tables["account"], _column(name["field"].replace("__c", "__pc"), metadata))
        return reply({"id": f"00NHs{len(body['FullName']):013d}", "success": True, "errors": []}, 201)

    def _new_on(self, owner: str, field: str) -> list[Table]:
        """The objects that get a new field. Raises BadRequest where there are none, or the field exists."""
        names = _ACTIVITIES if owner == "Activity" else (owner,)
        tables = [self.org.tables[name.lower()] for name in names if name.lower() in self.org.tables]
        if not tables:
            raise BadRequest(400, "INVALID_CROSS_REFERENCE_KEY", f"{owner} named in FullName was not found")
        if any(field.lower() in table.columns for table in tables):
            message = f"There is already a field named {field} on {owner}."
            raise BadRequest(400, "DUPLICATE_DEVELOPER_NAME", message)
        return tables

    def _check(self, owner: str, metadata: Any) -> None:
        if not isinstance(metadata, dict) or metadata.get("type") not in _NEEDS or not metadata.get("label"):
            raise BadRequest(400, "INVALID_FIELD", "Metadata needs a known type and a label", ["Metadata"])
        if missing := [name for name in _NEEDS[metadata["type"]] if name not in metadata]:
            raise BadRequest(400, "REQUIRED_FIELD_MISSING", f"Required fields are missing: {missing}", missing)
        if metadata["type"] == "Text" and not 0 < metadata["length"] <= 255:
            raise BadRequest(400, "NUMBER_OUTSIDE_VALID_RANGE", "the length of a text field is 1 to 255", ["length"])
        if owner == "Activity":
            self._check_activity(metadata)

    def _check_activity(self, metadata: Mapping[str, Any]) -> None:
        if metadata["type"] == "LongTextArea":
            raise BadRequest(400, "INVALID_TYPE_ON_FIELD_IN_RECORD", "activities have no long text", ["type"])
        if metadata.get("unique") and not self.unique_activities:
            raise BadRequest(400, "INVALID_FIELD", "unique is not allowed on this object", ["unique"])

    def _add(self, table: Table, column: Column) -> None:
        add_column(table, column)
        for row in self.org.rows[table.name.lower()].values():
            row[column.name] = column.default
        if "edit all fields" not in self.rights:
            table.hidden.add(column.name)

    def query(self) -> Response:
        """GET /tooling/query: the fields an object has, including hidden ones."""
        if "view setup" not in self.rights:
            raise BadRequest(400, "INVALID_TYPE", "sObject type 'FieldDefinition' is not supported.")
        query = soql.read(request.args.get("q", ""))
        wanted = {test.field: [text.strip("'").lower() for text in test.literals] for test in query.conditions}
        kind = wanted.get("EntityDefinition.QualifiedApiName")
        if query.object != "FieldDefinition" or query.fields != ("QualifiedApiName",) or not kind:
            raise BadRequest(400, "MALFORMED_QUERY", "the sandbox knows one query of the Tooling API only")
        columns = self.org.tables[kind[0]].columns.values() if kind[0] in self.org.tables else ()
        names = [own.name for own in columns if own.name.lower() in wanted.get("QualifiedApiName", ())]
        records = [{"attributes": {"type": "FieldDefinition"}, "QualifiedApiName": name} for name in names]
        return reply({"size": len(records), "totalSize": len(records), "done": True, "records": records})

    def root(self) -> Response:
        """GET /services/data/vXX.0: the available resources, and the caller's identity."""
        identity = f"https://login.salesforce.com/id/00DHs0000000001MAA/{self.user}"
        return reply({"sobjects": f"{request.path}/sobjects", "identity": identity})


def _column(name: str, metadata: Mapping[str, Any]) -> Column:
    kind = _TYPES.get(metadata["type"], metadata["type"].lower())
    marks = frozenset({"key"} if metadata.get("unique") and metadata.get("externalId") else ())
    values = metadata.get("valueSet", {}).get("valueSetDefinition", {}).get("value", ())
    options = tuple(value["valueName"] for value in values)
    length = {"picklist": 255, "phone": 40, "email": 80}.get(kind, int(metadata.get("length", 0)))
    return Column(name, kind, length, marks, False if kind == "boolean" else None, (), options)
