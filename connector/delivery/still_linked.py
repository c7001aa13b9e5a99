"""Look whether records still point at those they were linked with, a merge of which moves the links along."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from connector.crm import is_same_id
from connector.delivery.difference import Written, also, without
from connector.delivery.digests import Digest
from connector.destinations.base import Current, Destination, as_text
from connector.settlement.verification import Difference, Held, Verified
from connector.store.ledger import Ledger


@dataclass(frozen=True, slots=True)
class Links:
    """The links of one destination. Every method may raise DestinationUnusable."""

    ledger: Ledger
    name: str
    destination: Destination
    digest: Digest

    def associated(self, kind: str, verified: Sequence[Verified]) -> Iterator[Verified]:
        """Add the associations that are gone."""
        lost: dict[str, list[str]] = {}
        there = [result.held for result in verified if result.is_there]
        for other in sorted({name for held in there for name in held.entry.links}):
            for crm_id in self._lost(kind, other, [held for held in there if other in held.entry.links]):
                lost.setdefault(crm_id, []).append(other)
        for result in verified:
            names = lost.get(result.held.crm_id, ()) if result.is_there else ()
            yield also(result, {Difference.UNLINKED: names}) if names else result

    def _lost(self, kind: str, other: str, held: Sequence[Held]) -> Iterator[str]:
        """The records that are no longer associated with their customer's record of another object."""
        ends = self.destination.linked(kind, [record.crm_id for record in held], other)
        doubtful = [record for record in held if self._lacks(record, other, ends)]
        theirs = self._lives({record.customer_id for record in doubtful if record.customer_id}, other)
        for record in doubtful:
            if not ends[record.crm_id] & theirs.get(record.customer_id or "", frozenset()):
                yield record.crm_id

    def _lacks(self, held: Held, other: str, ends: Mapping[str, frozenset[str]]) -> bool:
        return held.crm_id in ends and held.entry.links[other].digest not in map(self.digest, ends[held.crm_id])

    def looked_up(
        self, verified: Sequence[Verified], written: Written, now: Mapping[str, Current]
    ) -> Iterator[Verified]:
        """Leave out look-ups that a merge, or a conversion, has moved to what the customer's record became."""
        pointing = [result.held.customer_id for result in verified if _pointing_elsewhere(result, written)]
        theirs = self._lives_of_all({customer for customer in pointing if customer})
        for result in verified:
            ids, shown = theirs.get(result.held.customer_id or "", ()), now[result.held.crm_id].values
            moved = {
                name
                for name in _pointing_elsewhere(result, written)
                if any(is_same_id(as_text(shown.get(name)), crm_id) for crm_id in ids)
            }
            yield without(result, Difference.CHANGED, frozenset(moved)) if moved else result

    def _lives_of_all(self, customers: Collection[str]) -> dict[str, frozenset[str]]:
        """Customer -> the ids of their records, with those that they were merged into."""
        kinds = {known.object for known in self.ledger.records_of(self.name, customers)} if customers else set[str]()
        theirs: dict[str, frozenset[str]] = {}
        for kind in sorted(kinds):
            for customer, ids in self._lives(customers, kind).items():
                theirs[customer] = theirs.get(customer, frozenset()) | ids
        return theirs

    def _lives(self, customers: Collection[str], kind: str) -> dict[str, frozenset[str]]:
        """Customer -> the ids of their records of an object, with those that they were merged into."""
        if not customers:
            return {}
        known = [own for own in self.ledger.records_of(self.name, customers) if own.object == kind]
        lives = self.destination.survivors(kind, sorted({own.crm_id for own in known})) if known else {}
        theirs: dict[str, set[str]] = {}
        for own in known:
            theirs.setdefault(own.customer_id, set()).update({own.crm_id, lives.get(own.crm_id) or own.crm_id})
        return {customer: frozenset(ids) for customer, ids in theirs.items()}


def _pointing_elsewhere(verified: Verified, written: Written) -> frozenset[str]:
    """The look-ups whose value has changed."""
    return frozenset(verified.differences.get(Difference.CHANGED, ())) & written.references
