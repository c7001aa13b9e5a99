"""How `connector reconcile crm` words what differs, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from connector.insight.complete import TO_DO
from connector.settlement.verification import Difference


def differing_lines(records: Sequence[Mapping[str, Any]], most: int) -> Iterator[str]:
    """List the records that differ, by difference. No ID or name of a field is broken. most: how many are listed."""
    listed = [
        (own, record, fields)
        for own in Difference
        for record in records
        if (fields := record["differences"].get(own)) is not None
    ]
    before = None
    for own, record, fields in listed[:most]:
        if own is not before:
            yield f"{own}:"
        before = own
        whose = f" of customer {record['customer_id']}" if record["customer_id"] else ""
        yield f"  {record['object']} {record['crm_id']}{whose}"
        yield from (f"    {name}" for name in fields)
    if len(listed) > most:
        yield f"... and {len(listed) - most:,} more: --json lists them"


def next_lines(differing: Mapping[Difference, int]) -> Iterator[str]:
    """Say what to do about each difference that was found."""
    yield from (f"{own}: {text}." for own, text in TO_DO.items() if differing[own])
