"""Find people by what others have in their hands: ids of any kind, and phone numbers and addresses by their digests."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Select, select, union

from connector.settlement.newest import Kind
from connector.store.audit_tables import audit
from connector.store.consent_tables import obligations
from connector.store.database import Database
from connector.store.fetched_tables import newest
from connector.store.handle_index import HandleIndex, Person, Said
from connector.store.handles import Handle, Value
from connector.store.people_tables import handles
from connector.store.tables import agencies, events, lanes, ledger

MOST: Final = 50
"""Most people listed for one search."""
_PLACES: Final = {handle: place for place, handle in enumerate(Handle)}
_RECENT: Final = 2_000
"""Entries of the audit log looked through for how often somebody searched."""


class Sighting(NamedTuple):
    """By what a person was found. former: a newer event says something else, or that there is none any more."""

    person: Person
    handle: Handle
    former: bool


class People:
    """Knows which customer an id, a number or an address belongs to, agency by agency."""

    def __init__(self, database: Database, index: HandleIndex) -> None:
        self._db, self.index = database, index

    def agencies(self) -> list[str]:
        """Every agency that is served, or has a lane."""
        with self._db.reading() as connection:
            served = set(connection.execute(select(agencies.c.name)).scalars())
            destinations = connection.execute(select(lanes.c.destination).distinct()).scalars()
            return sorted(served | {name.partition("/")[0] for name in destinations})

    def known_by(self, sought: Collection[Value], among: Collection[str]) -> list[Sighting]:
        """Who has one of these now, or had it once; of these agencies."""
        wanted = {self.index.digest(agency, value): value.handle for agency in among for value in reversed([*sought])}
        person = (handles.c.agency, handles.c.customer_id)
        listed = select(*person).where(handles.c.digest.in_(wanted)).distinct().order_by(*person).limit(MOST + 1)
        with self._db.reading() as connection:
            said = self._said(connection, [Person(*row) for row in connection.execute(listed)])
        for seen, rows in self.index.tail(wanted).items():
            own = said.setdefault(seen, {})
            own |= {key: max(at, own.get(key, at)) for key, at in rows.items()}
        return [sighting for whose, rows in sorted(said.items()) for sighting in _sightings(whose, rows, wanted)]

    def _said(self, connection: Connection, people: Collection[Person]) -> Said:
        said: Said = {person: {} for person in people}
        theirs = select(handles).where(handles.c.customer_id.in_({person.customer_id for person in people}))
        for row in connection.execute(theirs) if people else ():
            if (person := Person(row.agency, row.customer_id)) in said:
                said[person][row.handle, row.digest] = row.seen_at
        return said

    def of_message(self, message_id: str) -> list[Person]:
        """The customer of a message, in every agency that received it."""
        return self._people(select(events.c.agency, events.c.customer_id).where(events.c.message_id == message_id))

    def of_call(self, call_id: str, among: Collection[str]) -> list[Person]:
        """The customer of a call."""
        mine = (newest.c.agency.in_(among), newest.c.kind == Kind.CALL, newest.c.id == call_id)
        return self._people(select(newest.c.agency, newest.c.customer_id).where(*mine))

    def behind_ids(self, crm_ids: Collection[str]) -> list[Person]:
        """Whose these CRM records are."""
        mine = select(ledger.c.destination, ledger.c.customer_id).where(ledger.c.crm_id.in_(crm_ids))
        with self._db.reading() as connection:
            rows = connection.execute(mine.limit(MOST + 1)).all() if crm_ids else []
        return sorted({Person(row.destination.partition("/")[0], row.customer_id) for row in rows if row.customer_id})

    def of_customer(self, customer_id: str, among: Collection[str]) -> list[Person]:
        """In which agencies a customer is known."""
        mine = (newest.c.agency.in_(among), newest.c.kind == Kind.CUSTOMER, newest.c.id == customer_id)
        indexed = (handles.c.agency.in_(among), handles.c.customer_id == customer_id)
        by_agency = union(select(newest.c.agency).where(*mine), select(handles.c.agency).where(*indexed))
        by_destination = union(
            *(select(table.c.destination).where(table.c.customer_id == customer_id) for table in (ledger, obligations))
        )
        last = select(events.c.agency).where(events.c.customer_id == customer_id).order_by(events.c.id.desc()).limit(50)
        with self._db.reading() as connection:
            known = {*connection.execute(by_agency).scalars(), *connection.execute(last).scalars()}
            known |= {name.partition("/")[0] for name in connection.execute(by_destination).scalars()}
        return [Person(agency, customer_id) for agency in sorted(known & set(among))]

    def _people(self, statement: Select[Any]) -> list[Person]:
        with self._db.reading() as connection:
            rows = connection.execute(statement.limit(MOST + 1)).all()
        return sorted({Person(row.agency, row.customer_id) for row in rows if row.customer_id})

    def searches(self, who: str, action: str, since: int) -> int:
        """How often somebody did this since then (epoch ms), as far as the newest entries of the audit log say."""
        recent = select(audit.c.at, audit.c.who, audit.c.action).order_by(audit.c.id.desc()).limit(_RECENT)
        with self._db.reading() as connection:
            rows = connection.execute(recent).all()
        return sum(row.at >= since and (row.who, row.action) == (who, action) for row in rows)


def _sightings(person: Person, said: Mapping[tuple[str, str], int], wanted: Mapping[str, Handle]) -> list[Sighting]:
    """How a person was found, in the order of `Handle`: a database keeps no order of its own."""
    newest_of: dict[str, int] = {}
    for (handle, _), at in said.items():
        newest_of[handle] = max(at, newest_of.get(handle, at))
    sightings = []
    for (handle, digest), at in said.items():
        if digest in wanted:
            by = Handle.MAILBOX if wanted[digest] is Handle.MAILBOX else Handle(handle)
            sightings.append(Sighting(person, by, handle != Handle.CALL and at < newest_of[handle]))
    return sorted(sightings, key=lambda sighting: (_PLACES[sighting.handle], sighting.former))
