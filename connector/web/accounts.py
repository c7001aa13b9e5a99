"""The Accounts page: who may sign in, who is signed in, and how a session is ended."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from flask import Response, abort, g, request
from werkzeug.wrappers import Response as AnyResponse

from connector.store import Store
from connector.store.sessions import SignedIn
from connector.web.gate import Gate
from connector.web.passwords import Person, is_old
from connector.web.rights import Right
from connector.web.session import Everybody, Session


@dataclass(frozen=True, slots=True)
class Listed:
    """A session in the list. ours: the one that is looking."""

    row: SignedIn
    person: Person
    ours: bool


@dataclass(frozen=True, slots=True)
class Accounts:
    """The page of people and sessions. Administrators see those of their agencies, others their own sessions."""

    store: Store
    gate: Gate
    people: Everybody

    def accounts(self) -> Response:
        """List people and sessions."""
        session: Session = g.session
        people = [person for person in self.people if session.may(Right.ADMIN) and session.oversees(person.agencies)]
        roster = self.people.roster
        return self.gate.show(
            "accounts",
            people=people,
            old={person.name for person in people if is_old(person.hash)},
            listed=list(self._listed()),
            problem=roster.problem if session.may(Right.ADMIN) and session.agencies is None else "",
            file=roster.path,
            now=self.store.database.time(),
        )

    def end_session(self) -> AnyResponse:
        """End a session that is listed."""
        chosen_id = request.form.get("id", "")
        chosen = next((listed for listed in self._listed() if str(listed.row.id) == chosen_id), None)
        if chosen is None:
            abort(404)
        whose = chosen.person.name or f"shared password, {chosen.person.role}"
        if not self.store.sign_ins.revoke(chosen.row.id):
            return self.gate.back("console.accounts", "Nothing was changed: the session was over already.")
        self.gate.watch.note(g.session.name, "end session", f"{whose} from {chosen.row.address}")
        return self.gate.back("console.accounts", f"The session of {whose} is ended.")

    def _listed(self) -> Iterator[Listed]:
        session: Session = g.session
        for row in self.store.sign_ins.all():
            person, ours = self.gate.sessions.person_of(row), row.id == session.id
            if person is None:
                continue
            own = ours or (session.person != "" and person.name == session.person)
            if own or (session.may(Right.ADMIN) and session.oversees(person.agencies)):
                yield Listed(row, person, ours)
