"""Who is meant: people found by an id of any kind, a link to a CRM record, a phone number or an e-mail address."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from connector.backoff import HOUR
from connector.destinations import VENDORS
from connector.errors import FixConfiguration
from connector.store import Store
from connector.store.handle_index import Person
from connector.store.handles import Handle, Value, email, external, mailbox, phone
from connector.store.people import MOST

ACTION: Final = "find person"
"""A search by a phone number or an address, in the audit log."""
AN_HOUR: Final = 60
"""Most such searches of one user in an hour: so nobody finds out whose numbers are known by trying them."""
LONGEST: Final = 2_000


class By(StrEnum):
    """What a text may be."""

    CUSTOMER = "careCycle customer id"
    MESSAGE = "message id"
    CALL = "call id"
    RECORD = "CRM record"
    EXTERNAL = "external id"
    PHONE = "phone number"
    EMAIL = "e-mail address"
    MAILBOX = "e-mail address with another +tag"
    IN_CALL = "phone number of a call"


_BY_HANDLE: Final = {
    Handle.PHONE: By.PHONE,
    Handle.EMAIL: By.EMAIL,
    Handle.MAILBOX: By.MAILBOX,
    Handle.CALL: By.IN_CALL,
    Handle.EXTERNAL: By.EXTERNAL,
}


@dataclass(frozen=True, slots=True)
class Match:
    """A person who may be meant. former: by what was theirs, and is not any more."""

    agency: str
    customer_id: str
    by: tuple[By, ...] = ()
    former: tuple[By, ...] = ()

    @property
    def whose(self) -> Person:
        """The agency and the customer."""
        return Person(self.agency, self.customer_id)


@dataclass(frozen=True, slots=True)
class Search:
    """Who may be meant, and as what the text was tried. more: not everybody is listed.

    reason_for: what it was not tried as, for want of a reason. unseen: events too many to have been looked at yet.
    """

    people: tuple[Match, ...] = ()
    tried: tuple[By, ...] = ()
    reason_for: tuple[By, ...] = ()
    more: bool = False
    unseen: int = 0


@dataclass(frozen=True, slots=True)
class Seeker:
    """Who searches. reason: why, for a number or an address. agencies: those the user may see; None for all.

    complies: whether the user may search by a number or an address.
    """

    who: str
    reason: str = ""
    agencies: Collection[str] | None = None
    complies: bool = True

    def sees(self, agency: str) -> bool:
        """Whether the user may see this agency's people."""
        return self.agencies is None or agency in self.agencies

    @property
    def may(self) -> bool:
        """Whether the search may be by a number or an address."""
        return self.complies and bool(self.reason.strip())


def find(store: Store, text: str, seeker: Seeker) -> Search:
    """Find the people whom a text may mean.

    A search by a number or an address is noted in the audit log: by what, and why, never the value.
    Raises FixConfiguration where somebody searches so too often.
    """
    text = " ".join(text.replace("\0", "").split())[:LONGEST]
    among = [name for name in store.people.agencies() if seeker.sees(name)]
    if not text or not among:
        return Search()
    matches: dict[Person, Match] = {}
    tried = _by_id(store, text, among, matches)
    open_values, private = _values(text)
    kinds = _kinds(private)
    if kinds and seeker.may:
        _note(store, seeker, kinds)
    values = [*open_values, *(private if seeker.may else [])]
    for sighting in store.people.known_by(values, among):
        _add(matches, sighting.person, _BY_HANDLE[sighting.handle], former=sighting.former)
    people = sorted(map(_now_before_then, matches.values()), key=lambda match: (not match.by, *match.whose))
    wanting = () if seeker.may else kinds
    unseen = store.people.index.unseen()
    return Search(tuple(people[:MOST]), (*tried, *_kinds(values)), wanting, len(people) > MOST, unseen)


def _kinds(values: Iterable[Value]) -> tuple[By, ...]:
    return tuple(dict.fromkeys(_BY_HANDLE[value.handle] for value in values if value.handle is not Handle.MAILBOX))


def _by_id(store: Store, text: str, among: Collection[str], matches: dict[Person, Match]) -> tuple[By, ...]:
    """Add whom an id that is no secret names. Returns as what it was tried."""
    crm_ids = {crm_id for vendor in VENDORS.values() for crm_id in vendor.record_ids(text)}
    people = store.people
    for name in {text, text.lower()}:
        _add_all(matches, people.of_customer(name, among), By.CUSTOMER)
        _add_all(matches, people.of_call(name, among), By.CALL)
    _add_all(matches, (person for person in people.of_message(text) if person.agency in among), By.MESSAGE)
    _add_all(matches, (person for person in people.behind_ids(crm_ids) if person.agency in among), By.RECORD)
    return (By.CUSTOMER, By.MESSAGE, By.CALL, *([By.RECORD] if crm_ids else []))


def _add_all(matches: dict[Person, Match], people: Iterable[Person], by: By) -> None:
    for person in people:
        _add(matches, person, by)


def _values(text: str) -> tuple[list[Value], list[Value]]:
    """What a text may be that is no secret, and what is one: an address, or a phone number."""
    if address := email(text) if "@" in text and "://" not in text else "":
        base = mailbox(address)
        return [], [Value(Handle.EMAIL, address), *([Value(Handle.MAILBOX, base)] if base != address else [])]
    number = phone(text)
    return [Value(Handle.EXTERNAL, external(text))], [Value(Handle.PHONE, number)] if number else []


def _note(store: Store, seeker: Seeker, kinds: Iterable[By]) -> None:
    done = store.people.searches(seeker.who, ACTION, store.database.time() - HOUR)
    if done >= AN_HOUR:
        hint = "wait an hour; an id or a link can be searched for at any time"
        raise FixConfiguration("search", f"{AN_HOUR} searches by number or address an hour were made", hint)
    store.audit.note(seeker.who, ACTION, f"by {' and '.join(kinds)}", seeker.reason)


def _add(matches: dict[Person, Match], person: Person, by: By, *, former: bool = False) -> None:
    match = matches.setdefault(person, Match(*person))
    if former:
        matches[person] = replace(match, former=tuple(dict.fromkeys([*match.former, by])))
    else:
        matches[person] = replace(match, by=tuple(dict.fromkeys([*match.by, by])))


def _now_before_then(match: Match) -> Match:
    return replace(match, former=tuple(by for by in match.former if by not in match.by))
