"""Make one batch ready: what it asks of each record, the consent known after it, and the writing, not yet begun."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from collections.abc import Mapping as Read
from typing import Protocol

from connector.delivery.clocks import by_their_clocks
from connector.delivery.consent import States
from connector.delivery.firsts import Firsts, runs_of
from connector.delivery.fitting import Fitting
from connector.delivery.fold import Folded, fold
from connector.delivery.left_out import of_this_mapping
from connector.delivery.match import Wanted
from connector.delivery.plan_ahead import Planned
from connector.delivery.route import Route
from connector.delivery.uncertain import perhaps_created
from connector.delivery.write import SENT_AGAIN, Writing
from connector.model import Entry, RecordKey, Value
from connector.settlement import Claim, Remembered
from connector.settlement.gaps import Doubt


class Known(Protocol):
    """What was written before a batch, and what is known of consent: the store's ledger, or a stand-in for it."""

    def entries(self, destination: str, keys: Collection[RecordKey]) -> Read[RecordKey, Entry]:
        """Return the entries of these records; a record never written has none."""
        ...

    def consents(self, destination: str, customers: Collection[str]) -> Read[str, States]:
        """Return customer id -> flag -> its state."""
        ...

    def doubt(self) -> Doubt | None:
        """Return the last declared restore; None if there was none."""
        ...

    def claim(self, destination: str, wanted: Collection[Claim]) -> Collection[Claim]:
        """Claim CRM records; return those that belong to another key."""
        ...

    def taken(self, destination: str, wanted: Collection[Claim]) -> Collection[Claim]:
        """Return those of these records that belong to another key."""
        ...

    def owners(self, destination: str, wanted: Collection[Claim]) -> Read[Claim, RecordKey | None]:
        """Return those of these records that belong to another customer, each with its own key if that is known."""
        ...


def prepare(
    planned: Planned,
    route: Route,
    known: Known,
    digest_text: Callable[[str], str],
    intend: Callable[[Sequence[Remembered]], None],
    now: Callable[[], int],
    gate: Callable[[], None] = lambda: None,
    *,
    version: str,
    again: int = SENT_AGAIN,
    later: bool = False,
) -> tuple[list[Folded], dict[str, States], Writing]:
    """Return what a batch asks of each record, the consent known after it, and the writing, not yet begun.

    version: of the mapping. again: how often records may be sent again without the fields that the CRM refuses.
    later: whether what the CRM fills into new records is read later.
    """

    known_digests: dict[tuple[type, Value], str] = {}  # the same values recur within a batch

    def digest(value: Value) -> str:
        typed = (type(value), value)  # in Python 1, 1.0 and True are equal keys
        if typed not in known_digests:
            known_digests[typed] = digest_text(route.destination.normal(value))
        return known_digests[typed]

    customers = {plan.customer_id for _, plan in planned if plan.customer_id is not None}
    folded, states = fold([(delivery.id, plan) for delivery, plan in planned], known.consents(route.name, customers))
    writes = [write for _, plan in planned for write in plan.writes]
    entries = perhaps_created(writes, known.entries(route.name, {write.key for write in writes}), known.doubt())
    entries, lag = by_their_clocks(of_this_mapping(entries, version), writes), route.search_lag
    crm, lookups, theirs = route.destination, route.lookups, _Theirs(known, route.name, folded)
    deliveries = {delivery.id: delivery for delivery, _ in planned}
    firsts = Firsts(version, digest, route.undo, runs_of(planned), deliveries=deliveries)
    kept = (Fitting(route.describing, digest), firsts)
    how = (version, again, lag, gate, theirs.claim, theirs.taken, theirs.owners, *kept)
    return folded, states, Writing(crm, lookups, digest, entries, states, intend, now, *how, later=later)


class _Theirs:
    """Claims of one batch: each key's for its customer."""

    def __init__(self, known: Known, destination: str, batch: Sequence[Folded]) -> None:
        self._known, self._destination = known, destination
        self._customers = {folded.write.key: folded.customer_id for folded in batch}

    def claim(self, wanted: Read[RecordKey, str]) -> Collection[RecordKey]:
        """Claim these records; return the keys whose record belongs to another."""
        claims = [Claim(key, crm_id, self._customers.get(key)) for key, crm_id in wanted.items()]
        return {claim.key for claim in self._known.claim(self._destination, claims)}

    def taken(self, wanted: Collection[Wanted]) -> Collection[Wanted]:
        """Return the keys and records that belong to another key."""
        claims = [Claim(key, crm_id, self._customers.get(key)) for key, crm_id in wanted]
        return {(claim.key, claim.crm_id) for claim in self._known.taken(self._destination, claims)}

    def owners(self, wanted: Collection[Wanted]) -> Read[Wanted, RecordKey | None]:
        """Return the records that belong to another customer, each with its own key if that is known."""
        claims = [Claim(key, crm_id, self._customers.get(key)) for key, crm_id in wanted]
        owners = self._known.owners(self._destination, claims)
        return {(claim.key, claim.crm_id): own for claim, own in owners.items()}
