"""The People pages: the search, one person, and what can be done for a person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from flask import Response, abort, g, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from connector.errors import FixConfiguration
from connector.insight.accounts import Account
from connector.insight.people import Search, Seeker, find
from connector.insight.person import portrait, replayable
from connector.store import Store
from connector.store.handle_index import Person
from connector.web import words
from connector.web.gate import Gate
from connector.web.pages import asked, given_reason
from connector.web.rights import Right

_LONGEST_ID: Final = 64


@dataclass(frozen=True, slots=True)
class People:
    """The pages of people. What is searched for, and why, is in no address: forms are posted."""

    store: Store
    gate: Gate
    accounts: Sequence[Account] = ()

    def people(self) -> Response:
        """Show the search."""
        return self._searched("", None)

    def find_people(self) -> AnyResponse:
        """Search; go on to the person if only one is meant."""
        session, text = g.session, request.form.get("text", "")
        seeker = Seeker(session.name, given_reason(), session.agencies, complies=session.may(Right.COMPLY))
        if not text.strip():
            return self._searched("", None, "Enter what you have.")
        try:
            search = find(self.store, text, seeker)
        except FixConfiguration as error:
            return self._searched(text, None, f"Not searched: {error.problem}. {error.hint}.", 429)
        if len(search.people) == 1 and search.people[0].by:
            return redirect(url_for("console.person", **search.people[0].whose._asdict()), 303)
        return self._searched(text, search)

    def _searched(self, text: str, search: Search | None, problem: str = "", status: int = 0) -> Response:
        is_missing = bool(search and not search.people)
        status = status or (400 if problem else 404 if is_missing else 200)
        return self.gate.show("people", status, text=text, search=search, problem=problem)

    def person(self, agency: str, customer_id: str) -> Response:
        """Show one person."""
        return self._person(self._known(agency, customer_id))

    def reveal_person(self, agency: str, customer_id: str) -> Response:
        """Show one person with the values of the newest event, only in answer to a form."""
        person, reason = self._known(agency, customer_id), given_reason()
        return self._person(person, reason, "" if reason.strip() else "Enter a reason first.")

    def _person(self, person: Person, reason: str = "", problem: str = "") -> Response:
        before = asked("before")
        page = int(before) if before.isdecimal() and len(before) < 19 else 0
        shown = portrait(self.store, person, self.accounts, page)
        allowed = g.session.may(Right.COMPLY) and self.store.reveal.allowed(person.agency) and bool(shown.newest)
        is_revealed = allowed and bool(reason.strip())
        if is_revealed:
            shown = shown.revealed(self.store, g.session.name, reason)
        return self.gate.show(
            "person",
            400 if problem else 200,
            view=shown,
            payload=words.by_privacy(shown.payload),
            states=words.STATES,
            revealable=allowed and not is_revealed,
            revealed=is_revealed,
            problem=problem,
            before=page,
            now=self.store.database.time(),
            links={account.name: account.link for account in self.accounts},
        )

    def confirm_replay_person(self, agency: str, customer_id: str) -> Response:
        """Ask before a person's events are written again."""
        person = self._known(agency, customer_id)
        return self.gate.show("confirm_replay_person", person=person, counts=replayable(self.store, person))

    def replay_person(self, agency: str, customer_id: str) -> AnyResponse:
        """Make a person's deliveries ready again: those that are dead, or all."""
        person, is_all = self._known(agency, customer_id), request.form.get("which") == "all"
        counts = replayable(self.store, person)
        chosen, desk = [count.wanted for count in counts if is_all or count.is_dead], self.store.desk
        done = sum(desk.replay(wanted, g.session.name, reason=given_reason()) for wanted in chosen)
        delivered = words.counted(done, "delivery is", "deliveries are")
        return self._back(person, f"{delivered} ready again. Events whose content has been purged stay as they are.")

    def confirm_forget(self, agency: str, customer_id: str, problem: str = "") -> Response:
        """Say what would be deleted, and ask for the id to be typed."""
        person = self._known(agency, customer_id)
        held, known = self.store.forget.plan(customer_id), self._agencies(person)
        return self.gate.show(
            "forget_person", 400 if problem else 200, person=person, held=held, agencies=known, problem=problem, done=""
        )

    def forget_person(self, agency: str, customer_id: str) -> AnyResponse:
        """Delete everything stored about a person, as the command does, and list what stays in the CRMs."""
        person = self._known(agency, customer_id)
        known = self._agencies(person)
        if request.form.get("typed", "").strip() != customer_id:
            return self.confirm_forget(agency, customer_id, "Nothing was deleted: the id you typed is another one.")
        held = self.store.forget.run(customer_id, g.session.name, given_reason())
        return self.gate.show("forget_person", person=person, held=held, agencies=known, problem="", done="yes")

    def _agencies(self, person: Person) -> list[str]:
        """The agencies that know this id: all of them forget it, so the user has to be trusted with each."""
        known = [own.agency for own in self.store.people.of_customer(person.customer_id, self.store.people.agencies())]
        if not all(g.session.sees(agency) for agency in known):
            abort(403)
        return known

    def _known(self, agency: str, customer_id: str) -> Person:
        if "\0" in agency + customer_id or len(customer_id) > _LONGEST_ID or not g.session.sees(agency):
            abort(404)
        people = self.store.people.of_customer(customer_id, [agency])
        return people[0] if people else abort(404)

    def _back(self, person: Person, notice: str) -> AnyResponse:
        return self.gate.back("console.person", notice, **person._asdict())
