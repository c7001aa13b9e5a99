"""What a comparison of our records with their CRM finds, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from connector.model import Entry


class Difference(StrEnum):
    """How a record in the CRM differs from what we wrote."""

    MISSING = "missing"
    """It was deleted."""
    MERGED = "merged"
    """It lives on under another id."""
    CHANGED = "changed"
    """A person, or automation of the CRM, has changed a field."""
    LOWERED = "flag lowered"
    """An opt-out that is in force is no longer raised."""
    UNLINKED = "unlinked"
    """An association or a look-up is gone."""
    TWIN = "twin"
    """Another record has its key."""
    REFORMATTED = "reformatted"
    """A field means what we wrote, in another spelling."""


HARMLESS: Final = frozenset({Difference.CHANGED, Difference.REFORMATTED})
"""What people and CRMs do every day, and nobody has to do anything about."""


@dataclass(frozen=True, slots=True)
class Held:
    """A record as the ledger has it. key: its digest. text: the entry as it is stored, which shows a change.

    key_field: empty where it is not known.
    """

    object: str
    key: str
    key_field: str
    crm_id: str
    customer_id: str | None
    entry: Entry
    delivery_id: int
    text: str = field(repr=False)

    @property
    def place(self) -> tuple[str, str]:
        """The object and the key's digest, which name it in its destination."""
        return self.object, self.key

    @property
    def is_own(self) -> bool:
        """Whether it is its customer's own record; to the others only opt-outs go."""
        return bool(self.entry.fields) and not self.entry.merged


@dataclass(frozen=True, slots=True)
class Verified:
    """What was found of a record. differences: each with the fields it is about.

    raised, lowered: the opt-outs in force that the record shows, and those it lacks. unreadable: the fields that the
    CRM did not show. hidden: the CRM does not say whether it has the record.
    """

    held: Held
    differences: Mapping[Difference, tuple[str, ...]] = field(default_factory=dict)
    raised: frozenset[str] = frozenset()
    lowered: frozenset[str] = frozenset()
    unreadable: tuple[str, ...] = ()
    hidden: bool = False

    @property
    def is_there(self) -> bool:
        """Whether it is a record of its customer's own, where we know it."""
        return self.held.is_own and not {Difference.MISSING, Difference.MERGED} & self.differences.keys()

    @property
    def is_same(self) -> bool:
        """Whether all that could be read is as we wrote it."""
        return not self.differences


@dataclass(frozen=True, slots=True)
class LoweredOptOut:
    """An opt-out that the CRM had confirmed, and a record that no longer shows it. found_at: epoch ms."""

    destination: str
    customer_id: str
    flag: str
    object: str
    crm_id: str
    found_at: int


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of a destination's records: by difference, how many. complete_at: the last full pass, epoch ms."""

    destination: str
    differing: Mapping[Difference, int]
    complete_at: int | None


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many records a destination has, and how many of them were ever compared with its CRM. last_at: epoch ms."""

    destination: str
    records: int
    compared: int
    last_at: int | None


@dataclass(frozen=True, slots=True)
class Repair:
    """What is done about a record. again: it is written in full. fields, links: only these are written again.

    owed: its customer's opt-outs are owed again. flags: the fields in which the record lacks them.
    """

    held: Held
    again: bool = False
    fields: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    owed: bool = False
    flags: tuple[str, ...] = ()

    @property
    def rewrites(self) -> bool:
        """Whether events have to be delivered again for it."""
        return bool(self.again or self.fields or self.links)


@dataclass(slots=True)
class Repaired:
    """What was queued. impossible: records of which no event is stored any more. meanwhile: those written since."""

    records: int = 0
    fields: int = 0
    opt_outs: int = 0
    impossible: int = 0
    meanwhile: int = 0

    def add(self, other: Repaired) -> None:
        """Add the counts of another part."""
        self.records += other.records
        self.fields += other.fields
        self.opt_outs += other.opt_outs
        self.impossible += other.impossible
        self.meanwhile += other.meanwhile
