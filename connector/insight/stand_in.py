"""Stand-ins for the ledger and the CRM, so that a rehearsal writes nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from connector.crm import CrmAccount
from connector.delivery.consent import States
from connector.delivery.prepare import Known
from connector.destinations.around import Around
from connector.destinations.base import EVERY, Answers, Narrow, Outcome, Row, Verdict
from connector.model import BLANK, Entry, Mode, RecordKey
from connector.settlement import Claim, Refusal
from connector.settlement.gaps import Doubt

REMEMBERED: Final = 20_000
"""Rehearsed records and customers to remember. For older ones, the ledger's state is used again."""

NEW: Final = "(new)"
"""The CRM ID of a record that would be created."""

_NOT_THERE: Final = Outcome(Verdict.SKIPPED, refusal=Refusal(cause="there is no such record"))

_Key = TypeVar("_Key")
_Kept = TypeVar("_Kept")


class Overlay:
    """The ledger, overlaid with what the rehearsal would have written."""

    def __init__(self, ledger: Known) -> None:
        self._ledger = ledger
        self._entries: dict[RecordKey, Entry] = {}
        self._consents: dict[str, States] = {}
        self._claims: dict[tuple[str, str], Claim] = {}

    def entries(self, destination: str, keys: Collection[RecordKey]) -> dict[RecordKey, Entry]:
        """Look up entries: the rehearsed one if any, else the ledger's."""
        rehearsed = {key: self._entries[key] for key in keys if key in self._entries}
        return {**self._ledger.entries(destination, set(keys) - rehearsed.keys()), **rehearsed}

    def consents(self, destination: str, customers: Collection[str]) -> dict[str, States]:
        """Look up consents: the rehearsed ones if any, else the ledger's."""
        rehearsed = {customer: self._consents[customer] for customer in customers if customer in self._consents}
        return {**self._ledger.consents(destination, set(customers) - rehearsed.keys()), **rehearsed}

    def doubt(self) -> Doubt | None:
        """Return what the ledger says."""
        return self._ledger.doubt()

    def claim(self, destination: str, wanted: Collection[Claim]) -> Collection[Claim]:
        """Claim records for the rehearsal alone; return those that belong to another key."""
        others = self.taken(destination, wanted)
        for claim in wanted:
            if claim not in others:
                self._claims.setdefault(_record(claim), claim)
        self._claims = _newest(self._claims, {})
        return self.taken(destination, wanted)

    def taken(self, destination: str, wanted: Collection[Claim]) -> Collection[Claim]:
        """Return those of these records that belong to another key, by the ledger or by the rehearsal."""
        rehearsed = {claim for claim in wanted if self._claims.get(_record(claim), claim).key != claim.key}
        return rehearsed | {*self._ledger.taken(destination, wanted)}

    def owners(self, destination: str, wanted: Collection[Claim]) -> Mapping[Claim, RecordKey | None]:
        """Return those of these records that belong to another customer, each with its own key if that is known."""
        return self._ledger.owners(destination, wanted)

    def keep(self, entries: Mapping[RecordKey, Entry], consents: Mapping[str, States]) -> None:
        """Remember what a step would have written; drop the oldest beyond REMEMBERED."""
        self._entries = _newest(self._entries, entries)
        self._consents = _newest(self._consents, consents)


def _record(claim: Claim) -> tuple[str, str]:
    return claim.key.object, claim.crm_id


def _newest(known: Mapping[_Key, _Kept], more: Mapping[_Key, _Kept]) -> dict[_Key, _Kept]:
    kept = {key: value for key, value in known.items() if key not in more} | dict(more)
    return dict(list(kept.items())[-REMEMBERED:])


@dataclass(slots=True)
class DryDestination(Around):
    """A CRM account that accepts every write and stores nothing. ask: whether to read from the real account."""

    name: str
    known: Known
    ask: bool
    batch: int = 500

    @property
    def usage(self) -> tuple[int, int] | None:
        """Always None: no calls are counted here."""
        return None

    def serve(self, account: CrmAccount) -> None:
        """Do nothing: nothing is written."""

    def write(self, rows: Sequence[Row]) -> list[Outcome]:
        """Accept every row except an update of an unknown record."""
        entries = self.known.entries(self.name, {row.key for row in rows})
        return [self._outcome(row, entries.get(row.key, BLANK)) for row in rows]

    def _outcome(self, row: Row, entry: Entry) -> Outcome:
        held = entry.crm_id or row.id
        if row.mode is Mode.UPDATE and held is None:
            return _NOT_THERE
        # All that a record would have: nothing was written that could be read back.
        return Outcome(Verdict.DELIVERED, held or NEW, created=False, shown=row.fields)

    def find(
        self, object: str, field: str, values: Sequence[str], read: Iterable[str], narrow: Narrow = EVERY
    ) -> Answers:
        """Search the real CRM if it may be asked; otherwise find nothing."""
        return self.real.find(object, field, values, read, narrow) if self.ask else {}

    def find_phones(self, object: str, field: str, numbers: Sequence[str], read: Iterable[str]) -> Answers:
        """Search the real CRM by phone if it may be asked; otherwise find nothing."""
        return self.real.find_phones(object, field, numbers, read) if self.ask else {}

    def refuses_taken(self, object: str, field: str) -> bool:
        """No: nothing is written here, so what the CRM has can only be looked for."""
        return False

    def survivors(self, object: str, ids: Sequence[str]) -> dict[str, str | None]:
        """Ask the real CRM if it may be asked."""
        return self.real.survivors(object, ids) if self.ask else {}
