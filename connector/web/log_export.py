"""The audit log as files: for a spreadsheet, or for a program."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Final

from connector.insight.cells import line
from connector.settlement.auditing import AuditEntry

COLUMNS: Final = (
    *("number", "time", "who", "action", "thing", "reason"),
    *("agency", "customer_id", "crm_ids", "digest"),
)


def csv_lines(entries: Iterable[AuditEntry]) -> Iterator[str]:
    """CSV, a line at a time. A cell that a spreadsheet would calculate begins with an apostrophe."""
    yield line(COLUMNS)
    yield from (line(_row(entry).values()) for entry in entries)


def json_lines(entries: Iterable[AuditEntry]) -> Iterator[str]:
    """One JSON object for each entry, each on its own line."""
    return (json.dumps(_row(entry), ensure_ascii=False) + "\n" for entry in entries)


def _row(entry: AuditEntry) -> dict[str, str | int | None]:
    values = {name: getattr(entry, name) for name in COLUMNS if name != "time"}
    return {"number": values.pop("number"), "time": iso(entry.at), **values}


def iso(at: int) -> str:
    """Epoch milliseconds as ISO 8601 in UTC."""
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
