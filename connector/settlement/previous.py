"""What CRM records had before a version of the mapping wrote to them, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from connector.model import Entry, Mark, Value


def author(version: str, run: str) -> str:
    """Who writes a value: a version of the mapping, in a run where it was one that fetched it."""
    return f"{version}@{run}" if run else version


@dataclass(frozen=True, slots=True)
class Before:
    """What one record had in the fields that a version of the mapping is about to write for the first time.

    fields: each with the time of the event that writes it, epoch ms. crm_id: None for a record that is created.
    keyed: the record had our key, although the ledger did not know it. values: those that could be read. ours: the
    fields whose value counted as ours. guards: the consent flags that withhold a field while they are true or unknown,
    where there are any. run: that fetched all that is written.
    """

    version: str
    fields: Mapping[str, int]
    crm_id: str | None = None
    keyed: bool = False
    values: Mapping[str, Value] = field(default_factory=dict, repr=False)
    ours: frozenset[str] = frozenset()
    guards: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    run: str = ""

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

    key: the ledger's digest. entry: None where the record is not ours any more, or not known for certain.
    """

    object: str
    key: str
    customer_id: str | None
    kept: tuple[KeptBefore, ...]
    entry: Entry | None = None


@dataclass(frozen=True, slots=True)
class KeptVersion:
    """What is kept of one version of a destination's mapping. since, until: epoch ms of its oldest and newest row."""

    destination: str
    version: str
    run: str
    records: int
    created: int
    fields: int
    since: int
    until: int
