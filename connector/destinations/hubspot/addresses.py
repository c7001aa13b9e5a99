"""Email addresses that several contacts want: HubSpot allows each address once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from connector.destinations.base import Outcome, Row, Verdict
from connector.destinations.hubspot.object_types import type_id
from connector.destinations.hubspot.reads import Finder
from connector.destinations.hubspot.refusals import ADDRESS, HELD, RecordError, outcome
from connector.destinations.hubspot.values import folded

ROUNDS: Final = 8
"""How often the rows of a call that want one address are tried one after another."""

_CONTACTS: Final = "0-1"

Rows = Mapping[int, Row]
"""Rows by their position in the call to write()."""
Outcomes = dict[int, Outcome]
Send = Callable[[Rows], Outcomes]


def held_by(holder: str, request_id: str = "") -> Outcome:
    """The outcome of a row whose address another contact has. holder: its id; empty if it is not known."""
    return outcome(RecordError(HELD, (ADDRESS,), holder), request_id)


def holders_of(finder: Finder, rows: Rows) -> dict[int, str]:
    """The ids of the other contacts that have these rows' addresses, in one call; empty if none does.

    A row whose address could not be looked up is left out.
    """
    holders: dict[int, str] = {}
    for kind, key in sorted({(row.key.object, row.key.field) for row in rows.values()}):
        alike = {n: row for n, row in rows.items() if (row.key.object, row.key.field) == (kind, key)}
        wanted = {n: address for n, row in alike.items() if (address := address_of(row))}
        contacts = finder.find(kind, ADDRESS, list(wanted.values()), (key,))
        for n, address in wanted.items():
            matches = contacts[address]
            if not isinstance(matches, Outcome):
                others = (match.id for match in matches if not _is_own(alike[n], match.id, match.values.get(key)))
                holders[n] = next(others, "")
    return holders


def address_of(row: Row) -> str:
    """The email address that a row writes to a contact, as HubSpot compares it; empty if it writes none."""
    return folded(row.fields.get(ADDRESS)) if type_id(row.key.object) == _CONTACTS else ""


def _shown_holder(row: Row) -> str:
    """The id of the other contact that the search by this row's address has just shown; empty if it showed none."""
    shown = {folded(address): holder for address, holder in row.held.items()}
    holder = shown.get(address_of(row), "")
    return "" if holder in (row.id, row.known) else holder


def _is_own(row: Row, crm_id: str, key: object) -> bool:
    return crm_id in (row.id, row.known) or (isinstance(key, str) and folded(key) == folded(row.key.value))


@dataclass(slots=True)
class Addresses:
    """Writes rows of one call so that no two of them want the same address at once: the first by key keeps it.

    A row that wants an address which another contact has just shown is refused without a call. An address that one of
    them gives up goes to the one that wants it. Every refusal names the holder, if HubSpot knows it. answered: the
    outcomes so far.
    """

    rows: Rows
    send: Send
    finder: Finder
    answered: Outcomes = field(default_factory=dict)

    def write(self) -> Outcomes:
        """One outcome per row. May raise DestinationUnusable."""
        refused = {n: held_by(holder) for n, row in self.rows.items() if (holder := _shown_holder(row))}
        self.answered |= refused
        left = self.rows.keys() - refused.keys()
        for _ in range(ROUNDS):
            turn = self._turn(left)
            self.answered |= self.send({n: self.rows[n] for n in sorted(turn)})
            self._hand_over({*turn, *refused})
            left -= turn
            lost = self._lost(left)
            self.answered |= lost
            left -= lost.keys()
            if not left:
                return self.answered
        return self.answered | dict.fromkeys(left, held_by(""))

    def _turn(self, left: Iterable[int]) -> set[int]:
        """The rows to send next: one for each address, or all that want one HubSpot has refused already."""
        asked = ((self.rows[n], out) for n, out in self.answered.items() if ADDRESS in out.fields)
        refused = {address_of(row) for row, out in asked if not _shown_holder(row)}
        first: dict[str, int] = {}
        turn = set()
        for n in sorted(left, key=lambda n: self.rows[n].key):
            address = address_of(self.rows[n])
            if not address or address in refused or first.setdefault(address, n) == n:
                turn.add(n)
        return turn

    def _lost(self, waiting: Iterable[int]) -> Outcomes:
        """The rows whose address another contact of this call has now, refused."""
        written = {n: out.id for n, out in self.answered.items() if out.verdict is Verdict.DELIVERED and out.id}
        winners = {address_of(self.rows[n]): crm_id for n, crm_id in written.items()}
        wanted = {n: address for n in waiting if (address := address_of(self.rows[n]))}
        return {n: held_by(winners[address]) for n, address in wanted.items() if address in winners}

    def _hand_over(self, turn: Iterable[int]) -> None:
        """Send again, once, the rows whose address nobody has any more."""
        waiting = {n for n in turn if self.answered[n].code == HELD}
        while waiting:
            lost = self._lost(waiting)
            self.answered |= lost
            free = self._free(waiting - lost.keys())
            if not free:
                return
            self.answered |= self.send({n: self.rows[n] for n in sorted(free)})
            waiting -= lost.keys() | free

    def _free(self, held: Iterable[int]) -> set[int]:
        """The refused rows whose address nobody has any more: of several that want one, the first by key."""
        nameless = {n: self.rows[n] for n in held if not self.answered[n].holder}
        holders = holders_of(self.finder, nameless) if nameless else {}
        self.answered |= {n: held_by(holder, self.answered[n].request_id) for n, holder in holders.items()}
        givers = self._givers()
        free = [n for n in held if holders.get(n) == "" or self.answered[n].holder in givers]
        last_first = sorted(free, key=lambda n: self.rows[n].key, reverse=True)
        return set({address_of(self.rows[n]): n for n in last_first}.values())

    def _givers(self) -> set[str]:
        """The contacts of this call that were given another address, or none."""
        written = {n: out.id for n, out in self.answered.items() if out.verdict is Verdict.DELIVERED and out.id}
        return {crm_id for n, crm_id in written.items() if ADDRESS in self.rows[n].fields}
