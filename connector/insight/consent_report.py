"""The report of opt-outs as CSV: for a command, and for a download."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import astuple, fields
from datetime import UTC, datetime
from typing import Final

from connector.insight.cells import line
from connector.store.evidence import OptOut

_TIMES: Final = frozenset({"received_at", "applied_at", "checked_at"})


def report_lines(opt_outs: Iterable[OptOut]) -> Iterator[str]:
    """Yield a header, and a line for each opt-out (RFC 4180)."""
    yield line(field.name for field in fields(OptOut))
    for opt_out in opt_outs:
        cells = zip(fields(OptOut), astuple(opt_out), strict=True)
        yield line(_moment(value) if field.name in _TIMES else value for field, value in cells)


def _moment(at: int | None) -> str:
    if at is None:
        return ""
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
