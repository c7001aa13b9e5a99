"""What has happened to records since they were created, and moving those to the recycle bin that nothing has."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

from pydantic import ValidationError

from connector.destinations.bench import Touched
from connector.destinations.salesforce import api_error, errors, values
from connector.destinations.salesforce.api_error import ApiError
from connector.destinations.salesforce.client import Client
from connector.destinations.salesforce.composite import Part, Parts
from connector.destinations.salesforce.pages import Pages
from connector.destinations.salesforce.relations import Relation, relations

Rows = list[dict[str, Any]]

MOST: Final = 200
"""Ids in one call."""
_QUERIES: Final = 5
"""Queries in one composite call."""
_GRACE: Final = 5.0
"""Seconds within which what a creation sets off belongs to it."""

_STAMPS: Final = ("CreatedDate", "CreatedById", "SystemModstamp", "LastModifiedById")

_MERGED: Final = "MasterRecordId"
_CONVERTED: Final = "IsConverted"
_SIGNS: Final[Mapping[str, tuple[str, ...]]] = {"Contact": (_MERGED,), "Lead": (_MERGED, _CONVERTED)}
"""Fields that tell what became of a record. Other objects that the connector deletes have none."""
_NOT_LOOKED_UP: Final = "what hangs on it cannot be looked up"


def touched(client: Client, object: str, ids: Sequence[str]) -> dict[str, Touched]:
    """What has happened to each of these records. Raises DestinationUnusable."""
    seen: dict[str, Touched] = {}
    for start in range(0, len(ids), MOST):
        seen |= _touched(client, object, {whole: own for own in ids[start : start + MOST] if (whole := _whole(own))})
    return seen


def _touched(client: Client, object: str, ids: Mapping[str, str]) -> dict[str, Touched]:
    """The same of some records: their whole ids -> as they were given."""
    if not ids:
        return {}
    known = relations(client, object)
    signs = _SIGNS.get(object, ())
    # Of the records themselves, and of those that were merged into them, those in the recycle bin too.
    merges = [_soql((_MERGED,), object, _MERGED, ids)] if _MERGED in signs else []
    ours = [_soql((*_STAMPS, "IsDeleted", *signs), object, "Id", ids), *merges]
    records, *merged = _answers(client, "queryAll", ours)
    attached, unknown = _referring(client, known or (), ids)
    if known is None or None in merged:
        unknown = _NOT_LOOKED_UP
    winners = set(_attached([(object, _MERGED)] * len(merged), merged))
    rows = {_whole(row.get("Id")): row for row in records or ()}
    return {
        own: _judged(rows[whole], whole in winners, frozenset(attached[whole]), unknown)
        for whole, own in ids.items()
        if whole in rows
    }


def _referring(
    client: Client, known: Sequence[Relation], ids: Iterable[str]
) -> tuple[Mapping[str | None, set[Relation]], str]:
    """What refers to each record, and what could not be looked up."""
    children = list(_answers(client, "query", [_soql((name,), child, name, ids) for child, name in known]))
    return _attached(known, children), _refused(known, children)


def _refused(relations: Sequence[Relation], children: Sequence[Rows | None]) -> str:
    """Say what could not be looked up."""
    refused = (child for (child, _), rows in zip(relations, children, strict=True) if rows is None)
    child = next(refused, "")
    return f"{child} records that refer to it cannot be looked up" if child else ""


def _attached(relations: Sequence[Relation], children: Sequence[Rows | None]) -> Mapping[str | None, set[Relation]]:
    """What refers to each record."""
    attached: dict[str | None, set[Relation]] = defaultdict(set)
    for (child, name), rows in zip(relations, children, strict=True):
        for row in rows or ():
            attached[_whole(row.get(name))].add((child, str(row.get("Id"))))
    return attached


def _soql(names: Sequence[str], object: str, field: str, ids: Iterable[str]) -> str:
    among = ",".join(f"'{whole}'" for whole in ids)
    return " ".join(("SELECT", ", ".join(("Id", *names)), "FROM", object, "WHERE", field, "IN", f"({among})"))


def _answers(client: Client, resource: str, soqls: Sequence[str]) -> Iterator[Rows | None]:
    """The rows of each query; None where it is refused, or does not come to its end."""
    for start in range(0, len(soqls), _QUERIES):
        some = soqls[start : start + _QUERIES]
        asked = [
            {"method": "GET", "url": f"{client.base}{resource}?q={quote(soql)}", "referenceId": f"q{n}"}
            for n, soql in enumerate(some)
        ]
        reply = client.call("POST", "composite", json={"allOrNone": False, "compositeRequest": asked})
        parts: list[Part] = []
        with suppress(ValidationError):
            parts = Parts.model_validate(reply, strict=True).parts
        for n in range(len(some)):
            yield _rows(client, parts[n]) if n < len(parts) else None


def _rows(client: Client, part: Part) -> Rows | None:
    if part.status != 200:
        return None
    rows: list[Any] = []
    pages = Pages(client, "query", "", first=part.body)
    for page in pages:
        listed = page.get("records") if isinstance(page, dict) else None
        if not isinstance(listed, list):
            return None
        rows += listed
    return rows if pages.complete and all(isinstance(row, dict) for row in rows) else None


def _judged(row: Mapping[str, Any], is_winner: bool, attached: frozenset[Relation], unknown: str) -> Touched:
    """Judge a record. The loser of a merge is in the recycle bin, but lives on in another."""
    created, changed = _moment(row.get("CreatedDate")), _moment(row.get("SystemModstamp"))
    author = row.get("CreatedById")
    same = author is not None and author == row.get("LastModifiedById")
    as_created = same and created is not None and changed is not None and changed - created <= _GRACE
    is_other = is_winner or bool(row.get(_MERGED)) or bool(row.get(_CONVERTED))
    gone = row.get("IsDeleted") is True and not row.get(_MERGED)
    return Touched(gone, is_other or not as_created, attached, unknown)


def _moment(text: Any) -> float | None:
    """Seconds since 1970 of a time as Salesforce writes it."""
    with suppress(ValueError, TypeError):
        return datetime.fromisoformat(text).timestamp()
    return None


def _whole(crm_id: Any) -> str | None:
    return values.full_id(crm_id) if isinstance(crm_id, str) else None


def delete_all(client: Client, ids: Sequence[str]) -> dict[str, str]:
    """Move records to the recycle bin; return why each is still there. Raises DestinationUnusable."""
    left: dict[str, str] = {}
    for start in range(0, len(ids), MOST):
        some = ids[start : start + MOST]
        # https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_composite_sobjects_collections_delete.htm
        reply = client.call("DELETE", "composite/sobjects", params={"ids": ",".join(some), "allOrNone": "false"})
        unclear = reply if isinstance(reply, ApiError) else None
        results = reply if isinstance(reply, list) and len(reply) == len(some) else [unclear] * len(some)
        left |= {crm_id: _still_there(crm_id, result) for crm_id, result in zip(some, results, strict=True)}
    return left


def _still_there(crm_id: str, result: Any) -> str:
    is_done = isinstance(result, dict) and result.get("success") is True
    if is_done and _whole(result.get("id")) == _whole(crm_id):
        return ""
    error = result if isinstance(result, ApiError) else api_error.read(200, api_error.entries(_errors(result)))
    if error.code == "ENTITY_IS_DELETED":
        return ""
    why = errors.refusal(error, errors.rule_for(error))
    return f"Salesforce refuses to delete it ({why.code}): {why.action}"


def _errors(result: Any) -> Any:
    return result.get("errors") if isinstance(result, dict) else None
