"""Adopt contacts created by hand that only show up when HubSpot rejects their email address as a duplicate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from connector.destinations.base import Outcome, Row
from connector.destinations.hubspot.reads import Finder
from connector.model import Mode

ADDRESS = "email"


def adopted(finder: Finder, rows: Mapping[int, Row], answered: Mapping[int, Outcome]) -> dict[int, Row]:
    """Rows whose address belongs to a contact without a key, to be written to that contact by its id.

    Only if the mapping adopts by email address. May raise DestinationUnusable.
    """
    conflicting = {n: row for n, row in rows.items() if answered[n].code == "CONFLICT" and _may_adopt(row)}
    adopting: dict[int, Row] = {}
    for kind, key in sorted({(row.key.object, row.key.field) for row in conflicting.values()}):
        addresses = {
            n: str(row.fields[ADDRESS])
            for n, row in conflicting.items()
            if (row.key.object, row.key.field) == (kind, key)
        }
        contacts = finder.find(kind, ADDRESS, list(addresses.values()), (key,))
        adopting |= {
            n: replace(rows[n], id=holders[0].id)
            for n, address in addresses.items()
            if isinstance(holders := contacts[address], list) and len(holders) == 1 and not holders[0].values.get(key)
        }
    return adopting


def _may_adopt(row: Row) -> bool:
    return row.id is None and row.mode is not Mode.UPDATE and ADDRESS in row.adopt and bool(row.fields.get(ADDRESS))
