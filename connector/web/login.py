"""The login page: a name, a password, a link to the OpenID Connect provider, and why none of them helped."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

from flask import Response, abort, g, make_response, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from connector.errors import FixConfiguration
from connector.store.sessions import LASTS
from connector.web.gate import COOKIE, KNOWN_COOKIE, LOGIN_COOKIE, WHO, Gate, is_from_our_form, next_page
from connector.web.passwords import Person, check_in_vain, check_password, hash_password, is_old
from connector.web.roster import editing
from connector.web.session import FORM_LASTS, KNOWN_LASTS, Everybody, Session
from connector.web.throttle import Guess, Throttle
from connector.web.words import counted

UNKNOWN: Final = "unknown name"
"""What is noted of a name that nobody has: people type passwords there."""


@dataclass(frozen=True, slots=True)
class Login:
    """Lets people in who know a password. provider: the host of the OpenID Connect provider, empty without one."""

    gate: Gate
    people: Everybody
    throttle: Throttle
    provider: str = ""

    def login_form(self) -> Response:
        """Show the login page."""
        return self.show(200)

    def show(self, status: int, problem: str = "", headers: Mapping[str, str] | None = None, **more: str) -> Response:
        """Show the login page and a problem. more: values that the page shows with it. All open ones stay valid."""
        form, cookie = self.gate.cookies.login_form(self.gate.cookie(LOGIN_COOKIE))
        return self.gate.keep(self._page(form, status, problem, headers, **more), LOGIN_COOKIE, cookie, FORM_LASTS)

    def login(self) -> AnyResponse:
        """Open a session for a correct password."""
        form = Session(self.gate.cookies.read("form", self.gate.cookie(LOGIN_COOKIE)).get("token", ""))
        if not form.token or not is_from_our_form(form):
            self.gate.refuse("form token")
            abort(400)
        name = request.form.get("name", "").strip().lower()[:64]
        named = self.people.named(name)
        noted = name if named else UNKNOWN
        guess, who = Guess(g.address, name, self.known_browser(named)), f"{WHO}:{g.address}"
        if wait := self.throttle.take(guess):
            self.gate.watch.not_signed_in(who, "throttled", noted)
            problem = f"Too many wrong passwords. Wait {counted(wait, 'second')}, then try again."
            return self._page(form, 429, problem, {"Retry-After": str(wait)})
        person = self._check(named, request.form.get("password", ""))
        if person is None:
            self.gate.watch.not_signed_in(who, "wrong password" if named else UNKNOWN, noted)
            return self._page(form, 403, "Wrong name or password." if self._has_names() else "Wrong password.")
        self.throttle.forgive(guess)
        return self.admit(person, redirect(next_page(), 303))

    def admit(self, person: Person, answer: AnyResponse, how: str = "") -> AnyResponse:
        """Send an answer with a new session, whatever the browser had: nobody else can know its token."""
        if former := self.gate.cookie(COOKIE):
            self.gate.sessions.end(former)
        token = self.gate.sessions.open(person, g.address)
        self.gate.watch.signed_in(f"{WHO}:{person.name or g.address}", f"{person.role} from {g.address}{how}")
        known = self.gate.cookies.write("known", KNOWN_LASTS, proof=person.proof, id=secrets.token_hex(16))
        self.gate.keep(answer, COOKIE, token, LASTS // 1000)
        return self.gate.keep(answer, KNOWN_COOKIE, known, KNOWN_LASTS)

    def _check(self, named: list[Person], password: str) -> Person | None:
        hashed = [person for person in named if person.hash]
        if not hashed:
            check_in_vain(password, *[person.hash for person in self.people if person.hash][:1])
        person = next((person for person in hashed if check_password(password, person.hash)), None)
        return self._rehashed(person, password) if person else None

    def _rehashed(self, person: Person, password: str) -> Person:
        """The person, with a hash as costly as today's if the file can be written."""
        path = self.people.roster.path
        if path is None or not person.name or not is_old(person.hash):
            return person
        with suppress(FixConfiguration), editing(path) as people:
            if people.get(person.name) == person:
                people[person.name] = replace(person, hash=hash_password(password))
        return next(iter(self.people.named(person.name)), person)

    def known_browser(self, people: Iterable[Person]) -> str:
        """The id of this browser, if one of these people signed in from it before."""
        known = self.gate.cookies.read("known", self.gate.cookie(KNOWN_COOKIE))
        return known["id"] if known and any(person.proof == known.get("proof") for person in people) else ""

    def _has_names(self) -> bool:
        return any(person.hash for person in self.people.roster.people().values())

    def _page(
        self, form: Session, status: int, problem: str = "", headers: Mapping[str, str] | None = None, **more: str
    ) -> Response:
        names, shared = self._has_names(), bool(self.people.passwords.people)
        values = {"token": form.token, "problem": problem, "names": names, "shared": shared, "provider": self.provider}
        values |= {"next": next_page(), **more}
        return make_response(render_template("console/login.html", **values), status, headers or {})
