"""What CRM records had before a version of the mapping wrote to them, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from connector.model import Entry, Mark, Stamp, Value

KEPT: Final = "kept"
"""The turn of a mark whose value a person had changed when the version was undone: theirs stays."""


def author(version: str, run: str) -> str:
    """Who writes a value: a version of the mapping, in a run where it was one that fetched it."""
    return f"{version}@{run}" if run else version


@dataclass(frozen=True, slots=True)
class Before:
    """What one record had in the fields that a version of the mapping is about to write for the first time.

    fields: each with the stamp of the event that writes it. crm_id: None for a record that is created.
    keyed: the record had our key, although the ledger did not know it. values: those that could be read. ours: the
    fields whose value counted as ours. guards: the consent flags that withhold a field while they are true or unknown,
    where there are any. run: that fetched all that is written. authors: who of us had first written a value.
    refused: nothing but that the record was to be created and was not: what was kept of that is void.
    """

    version: str
    fields: Mapping[str, Stamp]
    crm_id: str | None = None
    keyed: bool = False
    values: Mapping[str, Value] = field(default_factory=dict, repr=False)
    ours: frozenset[str] = frozenset()
    guards: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    run: str = ""
    authors: Mapping[str, str] = field(default_factory=dict)
    refused: bool = False

    @property
    def by(self) -> str:
        """Who writes it, as the ledger's marks have it."""
        return author(self.version, self.run)

    @property
    def created(self) -> bool:
        """Whether the record is created with these fields."""
        return self.crm_id is None


@dataclass(frozen=True, slots=True)
class KeptBefore:
    """A `Before` as it is kept: its row, and what an undo did with it.

    begun: fields whose undo was begun and not confirmed, with the mark each had. done: fields that were restored.
    readable: whether it could be decrypted. made: the id of the record, where it was created and the CRM said so.
    """

    row: int
    before: Before
    made: str | None = None
    begun: Mapping[str, Mark] = field(default_factory=dict)
    done: frozenset[str] = frozenset()
    readable: bool = True


@dataclass(frozen=True, slots=True)
class Former:
    """All that is kept of one record for a version, the oldest first, and what the ledger knows of it now.

    key: the ledger's digest. entry: None where the record is not ours any more, or not known for certain. run: the one
    that is undone; empty for a version. key_field: empty where it is not known.
    """

    object: str
    key: str
    customer_id: str | None
    kept: tuple[KeptBefore, ...]
    entry: Entry | None = None
    run: str = ""
    key_field: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """What an undo notes of one record. of: the record as it becomes. was: the marks that it replaces."""

    of: Former
    was: Mapping[str, Mark]


@dataclass(frozen=True, slots=True)
class KeptVersion:
    """What is kept of one version of a destination's mapping. since, until: epoch ms of its oldest and newest row.

    restored: how many of the fields were. deleted: how many of the records created were. undone_at: when one was last,
    epoch ms.
    """

    destination: str
    version: str
    run: str
    records: int
    created: int
    fields: int
    since: int
    until: int
    restored: int = 0
    undone_at: int | None = None
    deleted: int = 0

    @property
    def left(self) -> int:
        """How many fields were not restored."""
        return max(self.fields - self.restored, 0)
