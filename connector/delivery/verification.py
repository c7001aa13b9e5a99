"""Compare records of the ledger with what their CRM has now, some at a time. Nothing is written to the CRM."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import attrgetter

from connector.delivery.as_sent import Sent
from connector.delivery.difference import Written, compare, to_read, written
from connector.delivery.key_holders import Keys
from connector.delivery.route import Route
from connector.delivery.still_linked import Links
from connector.destinations.base import Destination, another_account
from connector.mapping import Mapping as CompiledMapping
from connector.mapping.target import TargetSchema
from connector.model import Value
from connector.settlement.verification import Held, Verified
from connector.store import Store


def reach(store: Store, route: Route) -> None:
    """Reach the account that the ledger was written to, and no other. Raises DestinationUnusable."""
    account, ours = route.destination.account(), store.accounts.of(route.name)
    if account is not None and ours is not None:
        if ours.id != account.id:
            raise another_account(route.destination.crm, ours, account, route.name)
        route.destination.serve(account)


@dataclass(slots=True)
class Verifier:
    """Compares the records of one destination. schema: the account's own."""

    store: Store
    name: str
    destination: Destination
    mapping: CompiledMapping
    schema: TargetSchema
    timezone: str
    _known: dict[str, Written] = field(default_factory=dict)
    _digests: dict[tuple[type, Value], str] = field(default_factory=dict)

    def verify(self, held: Sequence[Held]) -> list[Verified]:
        """Compare these records, and keep what was found. Raises DestinationUnusable.

        Left out are those of objects that the mapping no longer writes, and those that were written meanwhile.
        """
        self._digests.clear()
        verified: list[Verified] = []
        for kind, alike in groupby(sorted(held, key=attrgetter("object")), key=attrgetter("object")):
            if kind in self.mapping.writes:
                verified += self._of_object(kind, list(alike))
        differing = [result.held for result in verified if not result.is_same]
        unchanged = self.store.verifications.unchanged(self.name, differing) if differing else set()
        settled = [result for result in verified if result.is_same or result.held.place in unchanged]
        self.store.verifications.keep(self.name, settled)
        return settled

    def written(self, kind: str) -> Written:
        """What the mapping writes to an object."""
        if kind not in self._known:
            self._known[kind] = written(self.mapping, kind, self._references(kind))
        return self._known[kind]

    def _references(self, kind: str) -> Iterator[str]:
        described = self.schema.objects.get(kind)
        fields = described.fields if described else {}
        yield from (name for name, own in fields.items() if own.type == "reference" and not own.of_user)

    def _of_object(self, kind: str, held: Sequence[Held]) -> list[Verified]:
        own, ledger = self.written(kind), self.store.ledger
        names = sorted(set[str]().union(*(to_read(record, own) for record in held)))
        now = self.destination.current(kind, [record.crm_id for record in held], names)
        customers = {record.customer_id for record in held if record.customer_id is not None}
        owed = self.store.verifications.in_force(self.name, customers)
        keys, links = (
            Keys(ledger, self.name, self.destination),
            Links(ledger, self.name, self.destination, self._digest),
        )
        verified = [
            compare(record, now[record.crm_id], own, owed.get(record.customer_id or "", frozenset()), self._digest)
            for record in held
            if record.crm_id in now
        ]
        verified = list(links.looked_up([keys.replaced(result, now) for result in verified], own, now))
        verified = Sent(self.store, self.name, self.mapping, self.timezone, self._digest).respelled(verified, now)
        verified = list(keys.held_twice(kind, own, list(links.associated(kind, verified)), now))
        return verified + [Verified(record, hidden=True) for record in held if record.crm_id not in now]

    def _digest(self, value: Value) -> str:
        typed = (type(value), value)  # in Python 1, 1.0 and True are equal keys
        if typed not in self._digests:
            self._digests[typed] = self.store.database.digest(self.destination.normal(value))
        return self._digests[typed]
