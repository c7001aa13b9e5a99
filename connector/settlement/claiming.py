"""Which entry of the ledger has a CRM record of its own. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from connector.model import Entry
from connector.settlement import Remembered

LEFT: Final = Entry(creating=0)
"""A record that another key has now. It is looked for before it is written: the CRM may have another for this key."""


def is_to_be_claimed(record: Remembered) -> bool:
    """Whether an entry has a new record for itself."""
    return record.new and not record.entry.merged


def each_to_one(remembered: Iterable[Remembered]) -> list[Remembered]:
    """Entries of which no two have the same new record: the first has it."""
    first: dict[tuple[str, str | None], Remembered] = {}
    return [
        record
        if not is_to_be_claimed(record) or first.setdefault((record.key.object, record.entry.crm_id), record) is record
        else replace(record, entry=LEFT, new=False)
        for record in remembered
    ]
