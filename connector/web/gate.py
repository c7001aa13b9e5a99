"""The console's gate: login, logout, permissions, and the notices shown on an operator's next page."""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

from flask import Response, abort, g, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from connector.web.session import LASTS, Passwords, Session, Sessions, Throttle
from connector.web.words import counted

Answer = TypeVar("Answer", bound=AnyResponse)

ROOT: Final = "/console"
COOKIE: Final = "connector_session"
LOGIN_COOKIE: Final = "connector_login"  # not the session's cookie: a link from another site must not log anyone out
WHO: Final = "console"
"""The name of console operators in the audit log."""
_OPEN: Final = frozenset({"console.static", "console.login_form", "console.login"})
_HARMLESS: Final = frozenset({"console.logout", "console.try_mapping", "console.compare"})
"""Forms that change nothing, which viewers may post."""
_ACTING: Final = frozenset(
    {"console.confirm", "console.confirm_identity", "console.confirm_lane", "console.confirm_set_aside"}
)
"""Pages that only lead to an action."""
_OURS: Final = re.compile(r"/console([/?][!-\[\]-~]*)?")


@dataclass(frozen=True, slots=True)
class Gate:
    """Admits operators and viewers, and accepts only posts from our own forms."""

    passwords: Passwords
    sessions: Sessions
    throttle: Throttle

    def admit(self) -> AnyResponse | None:
        """Check a request before it is handled; None lets it pass."""
        if request.endpoint in _OPEN:
            return None
        session = self.sessions.read(request.cookies.get(COOKIE, ""))
        if session is None:
            wanted = request.full_path.rstrip("?") if request.method == "GET" else None
            return redirect(url_for("console.login_form", next=wanted), 303)
        g.session = session
        posted = request.method not in ("GET", "HEAD", "OPTIONS")
        if posted and not _from_our_form(session):
            abort(400)
        if not session.acts and (request.endpoint in _ACTING or (posted and request.endpoint not in _HARMLESS)):
            abort(403)
        return None

    def login_form(self) -> Response:
        """Show the login page, with a token of its own."""
        session = self.sessions.open()
        return self._keep(_login_page(session, 200), LOGIN_COOKIE, session)

    def login(self) -> AnyResponse:
        """Open a session for a correct password."""
        form = self.sessions.read(request.cookies.get(LOGIN_COOKIE, ""), login=True)
        if form is None or not _from_our_form(form):
            abort(400)
        address = request.remote_addr or ""
        if wait := self.throttle.take(address):
            problem = f"Too many wrong passwords. Wait {counted(wait, 'second')}, then try again."
            return _login_page(form, 429, problem, {"Retry-After": str(wait)})
        role = self.passwords.role(request.form.get("password", ""))
        if not role:
            return _login_page(form, 403, "Wrong password.")
        self.throttle.forgive(address)
        return self._keep(redirect(_next(), 303), COOKIE, self.sessions.open(role))

    def logout(self) -> AnyResponse:
        """End the session."""
        answer = redirect(url_for("console.login_form"), 303)
        answer.delete_cookie(COOKIE, path=ROOT)
        return answer

    def show(self, page: str, status: int = 200, **values: Any) -> Response:
        """Render a page, with the pending notice if there is one; a notice is shown once."""
        session: Session = g.session
        answer = make_response(render_template(f"console/{page}.html", session=session, **values), status)
        return self._keep(answer, COOKIE, replace(session, notice="")) if session.notice else answer

    def back(self, endpoint: str, notice: str) -> AnyResponse:
        """Redirect to a page that will show a notice."""
        return self._keep(redirect(url_for(endpoint), 303), COOKIE, replace(g.session, notice=notice))

    def _keep(self, answer: Answer, name: str, session: Session) -> Answer:
        cookie = self.sessions.write(session)
        answer.set_cookie(
            name, cookie, max_age=LASTS, path=ROOT, secure=request.is_secure, httponly=True, samesite="Strict"
        )
        return answer


def _from_our_form(session: Session) -> bool:
    return hmac.compare_digest(request.form.get("token", "").encode(), session.token.encode())


def _next() -> str:
    """The page requested before the login, if it is one of ours; else the overview."""
    wanted = request.values.get("next", "")
    return wanted if _OURS.fullmatch(wanted) else url_for("console.overview")


def _login_page(form: Session, status: int, problem: str = "", headers: Mapping[str, str] | None = None) -> Response:
    page = render_template("console/login.html", token=form.token, next=_next(), problem=problem)
    return make_response(page, status, headers or {})
