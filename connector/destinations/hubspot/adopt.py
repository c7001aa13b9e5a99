"""Contacts people made by hand, met only when HubSpot refuses their e-mail address a second time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from connector.destinations.base import Outcome, Row
from connector.destinations.hubspot.reads import Finder
from connector.model import Mode

ADDRESS = "email"


def adopted(finder: Finder, rows: Mapping[int, Row], answered: Mapping[int, Outcome]) -> dict[int, Row]:
    """The rows whose address is a contact's that is nobody's yet, to be written to that contact by its id.

    Only where the mapping adopts by e-mail address. May raise DestinationUnusable.
    """
    refused = {n: row for n, row in rows.items() if answered[n].code == "CONFLICT" and _may_adopt(row)}
    takes: dict[int, Row] = {}
    for kind, key in sorted({(row.key.object, row.key.field) for row in refused.values()}):
        asked = {
            n: str(row.fields[ADDRESS]) for n, row in refused.items() if (row.key.object, row.key.field) == (kind, key)
        }
        owners = finder.find(kind, ADDRESS, list(asked.values()), (key,))
        takes |= {
            n: replace(rows[n], id=found[0].id)
            for n, address in asked.items()
            if len(found := owners[address]) == 1 and not found[0].values.get(key)
        }
    return takes


def _may_adopt(row: Row) -> bool:
    return row.id is None and row.mode is not Mode.UPDATE and ADDRESS in row.adopt and bool(row.fields.get(ADDRESS))
