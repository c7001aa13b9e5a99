"""An org built from a saved schema: the objects and fields that `connector schema pull` has seen, and no others."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from connector.sandbox.salesforce.rows import Record
from connector.sandbox.salesforce.schema import TEXTS, Column, Table
from connector.sandbox.salesforce.values import checksummed

Saved = Mapping[str, Mapping[str, Any]]
"""Object -> its `fields`: name -> the attributes of a saved schema's field."""

SETUP: Final = (
    *("User", "Group", "QueueSobject", "RecordType", "DuplicateRule", "Organization", "UserPermissionAccess"),
    *("PermissionSet", "FieldPermissions", "PermissionSetAssignment"),
    *("Profile", "UserLicense", "PermissionSetLicense", "PermissionSetLicenseAssign"),
)
"""Objects that every org has, whatever a mapping uses. They keep their own fields beside the saved ones."""

_SYSTEM: Final = (
    *("Id", "IsDeleted", "CreatedDate", "LastModifiedDate"),
    *("SystemModstamp", "CreatedById", "LastModifiedById"),
)
_KEPT: Final = ("MasterRecordId", "IsConverted", "ConvertedContactId", "ConvertedAccountId")
"""Fields that tell what people did to a record; a saved schema may be a part of what the org has."""

_LENGTHS: Final = {"phone": 40, "email": 80, "textarea": 32_000, "multipicklist": 4_099, "reference": 18}
"""Where the file does not say one; any other text has 255 characters."""


def org_of(saved: Saved, standard: Mapping[str, Table]) -> dict[str, Table]:
    """Return the tables of a saved schema by lowercase name. standard: those of a typical org, for what it leaves out.

    Saved are types, lengths, picklists, keys and what is required, but not what a look-up field may refer to.
    """
    known = {table.name: table for table in standard.values()}
    names = dict.fromkeys([*saved, *SETUP])
    tables = {name: _table(name, number, saved.get(name, {}), known) for number, name in enumerate(names)}
    for table in tables.values():
        _let_refer(table, [*saved, "User"], served=tables)
    return {name.lower(): table for name, table in tables.items()}


def record_types_of(saved: Saved) -> Iterator[Record]:
    """Yield the record types that the org's user may use: RecordTypeId lists them."""
    for name, known in saved.items():
        for option in known["fields"].get("RecordTypeId", {}).get("options", ()):
            label = option.get("label") or option["value"]
            yield {"Id": checksummed(option["value"][:15]), "Name": label, "SobjectType": name}


def _let_refer(table: Table, anything: Sequence[str], served: Container[str]) -> None:
    """Let look-up fields lead to the objects served alone; those of which nothing is known lead to any of them."""
    for name, column in table.columns.items():
        if column.type == "reference":
            refers = dict.fromkeys(own for own in column.refers or anything if own in served)
            table.columns[name] = replace(column, refers=tuple(refers))


def _table(name: str, number: int, saved: Mapping[str, Any], known: Mapping[str, Table]) -> Table:
    standard = {column.name: column for column in known.get(name, known["Organization"]).columns.values()}
    kept = standard if name in SETUP else [own for own in (*_SYSTEM, *_KEPT) if own in standard]
    columns = {own: standard[own] for own in kept}
    for own, attributes in saved.get("fields", {}).items():
        if own not in _SYSTEM:
            columns[own] = _column(own, attributes, standard.get(own))
    prefix = known[name].prefix if name in known else f"{'a' if name.endswith('__c') else 'Z'}{number:02X}"
    return Table(name, prefix, {own.lower(): column for own, column in columns.items()})


def _column(name: str, saved: Mapping[str, Any], standard: Column | None) -> Column:
    kind = saved.get("native") or saved["type"]
    return Column(
        name=name,
        type=kind,
        length=saved.get("length") or _LENGTHS.get(kind, 255 if kind in TEXTS else 0),
        marks=_marks(saved) | (standard.marks & {"lookup"} if standard else set()),
        default=_default(kind, saved, standard),
        refers=_refers(name, saved, standard) if kind == "reference" else (),
        options=_options(saved) if kind != "reference" else (),
    )


def _options(saved: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(option["value"] for option in saved.get("options", ()))


def _default(kind: str, saved: Mapping[str, Any], standard: Column | None) -> Any:
    """What a typical org fills in, as long as this one has it in its list."""
    if kind == "boolean":
        return bool(standard and standard.default)
    usual, options = standard.default if standard else None, _options(saved)
    return None if options and usual not in options else usual


def _marks(saved: Mapping[str, Any]) -> frozenset[str]:
    marks = {
        "required": saved.get("required", False),
        "key": saved.get("unique", False),
        "readonly": not saved.get("writable", True),
        "encrypted": saved.get("sensitive", False),
        "restricted": saved.get("restricted", False),
        "unsearchable": not saved.get("searchable", True),
    }
    return frozenset(mark for mark, is_set in marks.items() if is_set)


def _refers(name: str, saved: Mapping[str, Any], standard: Column | None) -> tuple[str, ...]:
    """The objects that a look-up field may refer to; none where they are not known: then it may be any."""
    if standard:
        return standard.refers
    usual = ("User",) if saved.get("of_user") else ()
    return {"OwnerId": ("User", "Group"), "RecordTypeId": ("RecordType",)}.get(name, usual)
