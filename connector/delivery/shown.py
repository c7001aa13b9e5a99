"""Opt out the addresses that a customer's records show, whatever address their events name, or none."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import groupby, zip_longest

from connector.delivery.payments import Target, object_and_id
from connector.destinations.base import Destination, Found, Outcome, as_text
from connector.errors import DestinationUnusable

Owed = tuple[str, str]
"""A customer and a flag."""


@dataclass(slots=True)
class Shown:
    """The addresses of the records that some opt-outs are on.

    targets: each flag on each record of its customer. digest: of a text. unusable: why the account cannot be used.
    addresses: of each record, or why they are unknown; none of a record that is not there.
    """

    destination: Destination
    targets: list[Target]
    digest: Callable[[str], str]
    unusable: DestinationUnusable | None = None
    addresses: dict[tuple[str, str], frozenset[str] | Outcome] = field(default_factory=dict)

    def read(self) -> None:
        """Read the addresses, a hundred records a call; stop where the account cannot be used."""
        crm = self.destination.crm
        names = (crm.address_field, *crm.more_addresses)
        records = sorted({object_and_id(target) for target in self.targets})
        for kind, group in groupby(records, key=lambda record: record[0]):
            try:
                answers = self.destination.find(kind, crm.id_field, [crm_id for _, crm_id in group], names)
            except DestinationUnusable as error:
                self.unusable = error
                return
            self.addresses |= {(kind, crm_id): _addresses(answer, names) for crm_id, answer in answers.items()}

    def unread(self) -> Iterator[tuple[Target, Outcome]]:
        """Yield the targets whose addresses the CRM cannot be asked for."""
        for target in self.targets:
            if isinstance(why := self.addresses.get(object_and_id(target)), Outcome):
                yield target, why

    def digests(self) -> Mapping[Owed, str]:
        """Digest what each customer's records show for a flag, where all of it is known; empty for no address."""
        of: dict[Owed, list[frozenset[str] | Outcome]] = {}
        for target in self.targets:
            of.setdefault(_owed(target), []).append(self.addresses.get(object_and_id(target), frozenset()))
        known = {
            owed: frozenset[str]().union(*(own for own in shown if isinstance(own, frozenset)))
            for owed, shown in of.items()
            if not any(isinstance(own, Outcome) for own in shown)
        }
        return {owed: self.digest("\n".join(sorted(own))) if own else "" for owed, own in known.items()}

    def to_opt_out(self, done: Mapping[Owed, str], are_out: Callable[[Target, str], bool]) -> list[list[Target]]:
        """Return what to write, in turns in which each record comes once.

        done: the digest of the addresses that were opted out before. are_out: whether an address of a target is out.
        """
        digests = self.digests()
        news = [target for target in self.targets if digests.get(_owed(target)) != done.get(_owed(target))]
        wanted: dict[tuple[str, str], list[Target]] = {}
        for target in news:
            shown = self.addresses.get(object_and_id(target), frozenset())
            for address in sorted(shown) if isinstance(shown, frozenset) else ():
                if not are_out(target, address):
                    wanted.setdefault(object_and_id(target), []).append(replace(target, unsubscribe=address))
        return [[target for target in turn if target] for turn in zip_longest(*wanted.values())]


def _owed(target: Target) -> Owed:
    return target.customer_id, target.flag


def _addresses(answer: list[Found] | Outcome, names: Iterable[str]) -> frozenset[str] | Outcome:
    if isinstance(answer, Outcome):
        return answer
    texts = [as_text(match.values.get(name)) for match in answer for name in names]
    return frozenset(address.strip().lower() for text in texts for address in text.split(";") if address.strip())
