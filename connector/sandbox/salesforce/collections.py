"""The sandbox's sObject Collections: up to 200 records per request, one result each, in order."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from connector.sandbox.salesforce.rows import Record
from connector.sandbox.salesforce.schema import Column, Table
from connector.sandbox.salesforce.store import Draft, Manner, Org
from connector.sandbox.salesforce.values import BadRequest, Refused

LIMIT = 200
Write = Callable[[Table, Draft], tuple[Record, bool | None]]
"""Writes a record; returns its row, and whether an upsert created it (None: not an upsert)."""

Planned = Callable[[Iterable[str]], Refused | None]
"""Returns the refusal planned for a record with one of these keys, if any."""


def upsert(org: Org, name: str, field: str, body: Any, manner: Manner, planned: Planned) -> list[dict[str, Any]]:
    """PATCH /composite/sobjects/{name}/{field}."""
    table = org.table(name)
    key = org.key(table, field)
    drafts = [_draft(org, record, table) for record in _records(body)]
    for draft in drafts:
        if draft.id is not None:
            raise BadRequest(400, "INVALID_FIELD", "The Id field should not be specified in the sobject data.")
    _refuse_twins(key, drafts)
    results = _each(org, drafts, body, planned, lambda own, draft: org.upsert(own, key, draft, manner), table)
    return [result | {"created": result.get("created", False)} for result in results]


def update(org: Org, body: Any, manner: Manner, planned: Planned) -> list[dict[str, Any]]:
    """PATCH /composite/sobjects: by id, objects of any kind."""
    drafts = [_draft(org, record) for record in _records(body)]
    return _each(org, drafts, body, planned, lambda own, draft: (org.update(own, draft, manner), None))


def create(org: Org, body: Any, manner: Manner, planned: Planned) -> list[dict[str, Any]]:
    """POST /composite/sobjects."""
    drafts = [_draft(org, record) for record in _records(body)]
    return _each(org, drafts, body, planned, lambda own, draft: (org.write(own, None, draft, manner), None))


def remove(org: Org, ids: str, planned: Planned) -> list[dict[str, Any]]:
    """DELETE /composite/sobjects?ids=: into the recycle bin."""
    wanted = ids.split(",") if ids else []
    if not wanted or len(wanted) > LIMIT:
        raise BadRequest(400, "EXCEEDED_ID_LIMIT", f"1 to {LIMIT} ids are required")
    return [_removed(org, crm_id, planned) for crm_id in wanted]


def _removed(org: Org, crm_id: str, planned: Planned) -> dict[str, Any]:
    table, row = org.by_id(crm_id) or (None, {})
    refusal = planned([crm_id])
    if table is None:
        refusal = refusal or Refused("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
    elif row["IsDeleted"]:
        refusal = refusal or Refused("ENTITY_IS_DELETED", "entity is deleted")
    if refusal:
        error = {"statusCode": refusal.code, "message": refusal.message, "fields": refusal.fields}
        return {"success": False, "errors": [error]}
    assert table is not None
    org.delete(table, row)
    return {"id": row["Id"], "success": True, "errors": []}


def _records(body: Any) -> list[Any]:
    records = body.get("records") if isinstance(body, dict) else None
    if not isinstance(records, list):
        raise BadRequest(400, "JSON_PARSER_ERROR", "records is not a list")
    if not records:
        raise BadRequest(400, "REQUIRED_FIELD_MISSING", "At least 1 record is required")
    if len(records) > LIMIT:
        message = f"record limit reached. cannot submit more than {LIMIT} records into this call"
        raise BadRequest(400, "EXCEEDED_ID_LIMIT", message)
    return records


def _draft(org: Org, record: Any, only: Table | None = None) -> Draft:
    kind = record.get("attributes", {}).get("type") if isinstance(record, dict) else None
    if not kind:
        raise BadRequest(400, "INVALID_FIELD", "attributes.type is required for every record")
    table = org.tables.get(str(kind).lower())
    if table is None:
        raise BadRequest(400, "INVALID_TYPE", f"sObject type '{kind}' is not supported.")
    if only and table is not only:
        raise BadRequest(400, "INVALID_FIELD", "every record must be of the type of the URI")
    return org.draft(table, record)


def _refuse_twins(key: Column, drafts: list[Draft]) -> None:
    """Refuse every record whose key occurs twice in the request."""
    folded = [str(draft.value(key) or "").strip().lower() for draft in drafts]
    counts = Counter(value for value in folded if value)
    for draft, value in zip(drafts, folded, strict=True):
        if counts[value] > 1:
            draft.refusal = Refused("DUPLICATE_VALUE", f"Duplicate external id specified: {draft.value(key)}")


def _each(
    org: Org, drafts: list[Draft], body: Any, planned: Planned, write: Write, table: Table | None = None
) -> list[dict[str, Any]]:
    before = copy.deepcopy((org.rows, org.index)) if body.get("allOrNone") else None
    changes = org.history.count
    results = [
        _result(draft, planned, write, table or org.table(record["attributes"]["type"]))
        for draft, record in zip(drafts, body["records"], strict=True)
    ]
    if before and not all(result["success"] for result in results):
        org.rows, org.index = before
        org.history.back_to(changes)
        return [_rolled_back() if result["success"] else result for result in results]
    return results


def _result(draft: Draft, planned: Planned, write: Write, table: Table) -> dict[str, Any]:
    try:
        keys = [str(value) for column, value in draft.values if column.upsert_key]
        if refusal := planned([*keys, draft.id or ""]):
            raise refusal
        row, created = write(table, draft)
    except Refused as refusal:
        error = {"statusCode": refusal.code, "message": refusal.message, "fields": refusal.fields}
        return {"success": False, "errors": [error]}
    written = {"id": row["Id"], "success": True, "errors": []}
    return written if created is None else written | {"created": created}


def _rolled_back() -> dict[str, Any]:
    message = "Record rolled back because not all records were valid and the request was using AllOrNone header"
    error = {"statusCode": "ALL_OR_NONE_OPERATION_ROLLED_BACK", "message": message, "fields": []}
    return {"success": False, "errors": [error]}
