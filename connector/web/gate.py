"""The console's gate: who is let in, to what, and the notices shown on a person's next page."""

from __future__ import annotations

import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeVar

from flask import Response, abort, g, make_response, redirect, render_template, request, url_for
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as AnyResponse

from connector.errors import StoreUnavailable
from connector.store.scope import narrow
from connector.web.origin import Origin
from connector.web.rights import Right, Role
from connector.web.session import Cookies, Session, Sessions
from connector.web.watch import Watch

Answer = TypeVar("Answer", bound=AnyResponse)

ROOT: Final = "/console"
WHO: Final = "console"
"""The name of console operators in the audit log."""
COOKIE: Final = "connector_session"
LOGIN_COOKIE: Final = "connector_login"  # not the session's cookie: a link from another site must not log anyone out
NOTICE_COOKIE: Final = "connector_notice"
KNOWN_COOKIE: Final = "connector_known"
_OPEN: Final = frozenset(f"console.{name}" for name in ("static", "login_form", "login", "begin_openid", "end_openid"))
_SHOWN_AGAIN: Final = frozenset({"console.save_edit"})
"""Forms with a text worth keeping: after their session they change nothing, and a page shows the text again."""
_LOGOUT: Final = "console.logout"
_OURS: Final = re.compile(r"/console([/?][!-\[\]-~]*)?")
_DAY: Final = 24 * 3600


class WrongHost(HTTPException):
    """The request names another host than the console's."""

    code = 421


@dataclass(frozen=True, slots=True)
class Gate:
    """Lets people through to what they have the right to, and accepts only posts from our own forms."""

    sessions: Sessions
    cookies: Cookies
    origin: Origin
    watch: Watch
    rights: dict[tuple[str, str], Right] = field(default_factory=dict)
    """The right that each endpoint needs, by its name and method. What is not listed needs all of them."""

    def require(self, endpoint: str, methods: Sequence[str], right: Right) -> None:
        """Let only sessions with a right through to an endpoint."""
        self.rights.update({(endpoint, method): right for method in methods})

    def identify(self) -> None:
        """Before all else: where a request comes from, and which session it names."""
        narrow(None)
        g.address = self.origin.address_of(request)
        g.token = "" if request.endpoint in _OPEN else self.cookie(COOKIE)
        if not self.origin.is_meant(request):
            self.refuse("wrong host")
            raise WrongHost
        if _posted() and not self.origin.is_from_here(request):
            self.refuse("other site")
            abort(400)

    def admit(self) -> AnyResponse | None:
        """Check a request before it is handled; None lets it pass."""
        if request.endpoint in _OPEN:
            return None
        session = self._session()
        if session is None and request.endpoint in _SHOWN_AGAIN and "HX-Request" not in request.headers:
            return make_response(render_template("console/ended.html", session=None, form=request.form), 403)
        if session is None:
            wanted = request.full_path.rstrip("?") if request.method == "GET" else None
            return redirect(url_for("console.login_form", next=wanted), 303)
        narrow(session.agencies)
        notice = self.cookies.read("notice", self.cookie(NOTICE_COOKIE))
        g.session = replace(session, notice=notice["text"]) if notice.get("of") == session.token else session
        if _posted() and not is_from_our_form(session):
            if request.endpoint not in _SHOWN_AGAIN:
                self.refuse("form token")
                abort(400)
            g.stale_form = True
        method = "GET" if request.method in ("HEAD", "OPTIONS") else request.method
        if not session.may(self.rights.get((request.endpoint or "", method), Right.ADMIN)):
            self.refuse("missing right")
            abort(403)
        return None

    def _session(self) -> Session | None:
        """The request's session. What a page does by itself to stay up to date keeps no session from ending."""
        active = not (request.method == "GET" and "HX-Request" in request.headers)
        try:
            return self.sessions.read(g.token, g.address, active=active)
        except StoreUnavailable:
            if request.endpoint != _LOGOUT:
                raise
        return Session(self.sessions.form_token(g.token), Role.VIEWER, f"{WHO}:{g.address}")

    def logout(self) -> AnyResponse:
        """End the session."""
        self.sessions.end(g.token)
        self.watch.note(g.session.name, "sign-out", "")
        answer = redirect(url_for("console.login_form"), 303)
        self.drop(answer, COOKIE)
        self.drop(answer, NOTICE_COOKIE)
        return answer

    def refuse(self, reason: str) -> None:
        """Note that a request is refused."""
        session: Session | None = g.get("session")
        self.watch.refused(session.name if session else f"{WHO}:{g.address}", reason, request.endpoint or "no page")

    def show(self, page: str, status: int = 200, **values: Any) -> Response:
        """Render a page, with the pending notice if there is one; a notice is shown once."""
        session: Session = g.session
        answer = make_response(render_template(f"console/{page}.html", session=session, **values), status)
        return self.drop(answer, NOTICE_COOKIE) if session.notice else answer

    def back(self, endpoint: str, notice: str, **where: Any) -> AnyResponse:
        """Redirect to a page that will show a notice."""
        cookie = self.cookies.write("notice", _DAY, text=notice, of=g.session.token)
        return self.keep(redirect(url_for(endpoint, **where), 303), NOTICE_COOKIE, cookie, _DAY)

    def cookie(self, name: str) -> str:
        """The value of one of our cookies."""
        return request.cookies.get(self._named(name), "")

    def keep(self, answer: Answer, name: str, value: str, lasts: int, same_site: str = "Strict") -> Answer:
        """Give the browser a cookie that scripts and other sites cannot use.

        same_site: Lax for a cookie that must come along when another site sends the browser back.
        """
        answer.set_cookie(
            self._named(name),
            value,
            max_age=lasts,
            path=self._path(),
            secure=request.is_secure or self.origin.secure,
            httponly=True,
            samesite=same_site,
        )
        return answer

    def drop(self, answer: Answer, name: str) -> Answer:
        """Have the browser forget a cookie."""
        answer.delete_cookie(
            self._named(name), path=self._path(), secure=self.origin.secure, httponly=True, samesite="Strict"
        )
        return answer

    def _named(self, name: str) -> str:
        return f"__Host-{name}" if self.origin.secure else name

    def _path(self) -> str:
        return "/" if self.origin.secure else ROOT  # a cookie named __Host- is for all of its host


def is_from_our_form(session: Session) -> bool:
    """Whether a post has what this session's forms send."""
    return hmac.compare_digest(request.form.get("token", "").encode(), session.token.encode())


def next_page() -> str:
    """The page requested before the login, if it is one of ours; else the overview."""
    wanted = request.values.get("next", "")
    return wanted if _OURS.fullmatch(wanted) else url_for("console.overview")


def _posted() -> bool:
    return request.method not in ("GET", "HEAD", "OPTIONS")
