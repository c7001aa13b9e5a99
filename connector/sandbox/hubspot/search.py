"""The search endpoint, whose index lags behind what was written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from connector.sandbox.hubspot.records import Record, Records
from connector.sandbox.hubspot.replies import Refusal
from connector.sandbox.hubspot.values import calculated

PAGE, MOST = 200, 10_000
GROUPS, FILTERS = 5, 6
Test = Callable[[str | None, dict[str, Any]], bool]

_OPERATORS: dict[str, Test] = {
    "EQ": lambda held, f: held is not None and held.lower() == str(f.get("value")).lower(),
    "NEQ": lambda held, f: held is None or held.lower() != str(f.get("value")).lower(),
    # The index holds lowercase text, and IN does not lowercase the values it is given (HubSpot's search guide).
    "IN": lambda held, f: held is not None and held.lower() in f.get("values", []),
    "HAS_PROPERTY": lambda held, f: held is not None,
    "NOT_HAS_PROPERTY": lambda held, f: held is None,
}


def search(records: Records, kind: str, body: Any, lag: float) -> dict[str, Any]:
    """Return a page of matching records. Those written less than `lag` seconds ago match by their older state."""
    groups = body.get("filterGroups", []) if isinstance(body, dict) else None
    if groups is None:
        raise Refusal(400, "Invalid input JSON")
    _count(groups)
    limit, after = int(body.get("limit", 10)), int(body.get("after") or 0)
    if limit > PAGE or after + limit > MOST:
        raise Refusal(400, f"The limit is {PAGE} a page and {MOST} in all")
    hits = [record for record in records.held[kind].values() if _matches(_indexed(records, record, lag), groups)]
    page = [record.shown(body.get("properties") or []) for record in hits[after : after + limit]]
    more = {"paging": {"next": {"after": str(after + limit)}}} if len(hits) > after + limit else {}
    return {"total": len(hits), "results": page, **more}


def _count(groups: list[dict[str, Any]]) -> None:
    if len(groups) > GROUPS or any(len(group.get("filters", [])) > FILTERS for group in groups):
        raise Refusal(400, f"There may be {GROUPS} groups of {FILTERS} filters each")


def _indexed(records: Records, record: Record, lag: float) -> dict[str, str] | None:
    fresh = records.clock() - record.updated < lag
    properties = record.before if fresh else record.properties
    return None if properties is None else {**properties, **calculated(properties)}


def _matches(held: dict[str, str] | None, groups: list[dict[str, Any]]) -> bool:
    if held is None:
        return False
    return not groups or any(all(_holds(held, test) for test in group.get("filters", [])) for group in groups)


def _holds(held: dict[str, str], condition: dict[str, Any]) -> bool:
    test = _OPERATORS.get(condition.get("operator", ""))
    if test is None:
        raise Refusal(400, "The filter's operator is not known")
    return test(held.get(condition.get("propertyName", "")), condition)
