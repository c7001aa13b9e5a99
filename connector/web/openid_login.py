"""Signing in through the OpenID Connect provider: the way there, the way back, and why somebody is not let in."""

from __future__ import annotations

import hmac
import shlex
from dataclasses import asdict, dataclass
from typing import Final

from flask import Response, g, make_response, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from connector.web.gate import WHO, Gate, next_page
from connector.web.login import Login
from connector.web.openid import NOT_VERIFIED, REFUSED, UNAVAILABLE, Identity, Problem, Provider, SignInRequest
from connector.web.passwords import Person
from connector.web.throttle import Guess
from connector.web.words import counted

COOKIE: Final = "connector_openid"
_LASTS: Final = 10 * 60
"""Seconds that somebody has at the provider."""
_NOT_HERE: Final = "not started here"
_UNKNOWN: Final = "unknown account"
_WORDS: Final = {
    UNAVAILABLE: (503, "{} cannot be used at the moment. Try again in a few minutes. The connector's log says why."),
    REFUSED: (403, "{} did not log you in."),
    NOT_VERIFIED: (403, "The answer of {} could not be verified. The connector's log says why."),
    _NOT_HERE: (403, "This login was not started in this browser, took too long, or is over already. Start again."),
    _UNKNOWN: (403, "{} knows you, but you have no account here."),
}
"""What is shown of each result. Nothing that the provider or an address says is."""


@dataclass(frozen=True, slots=True)
class OpenIdLogin:
    """Sends people to the provider, and lets those in whom the file of people names."""

    gate: Gate
    login: Login
    provider: Provider

    def begin_openid(self) -> AnyResponse:
        """Send the browser to the provider. It keeps what the answer must fit."""
        asked = SignInRequest.new()
        try:
            address = self.provider.address(asked)
        except Problem as problem:
            return self._refuse(problem, next_page())
        kept = self.gate.cookies.write("openid", _LASTS, next=next_page(), **asdict(asked))
        return self.gate.keep(redirect(address, 303), COOKIE, kept, _LASTS, same_site="Lax")

    def end_openid(self) -> AnyResponse:
        """Let somebody in who comes back from the provider. Each time they were sent there counts once."""
        kept = dict(self.gate.cookies.read("openid", self.gate.cookie(COOKIE)))
        wanted = kept.pop("next", "")
        if not kept or not hmac.compare_digest(kept["state"].encode(), request.args.get("state", "").encode()):
            return self._refuse(Problem(_NOT_HERE, ""), "")
        return self.gate.drop(self._ended(SignInRequest(**kept), wanted), COOKIE)

    def _ended(self, asked: SignInRequest, wanted: str) -> AnyResponse:
        guess = Guess(g.address, None, self.login.known_browser(self.login.people))
        if wait := self.login.throttle.take(guess):
            self._note(Problem("throttled", ""))
            words = f"Too many attempts to log in. Wait {counted(wait, 'second')}, then try again."
            return self.login.show(429, words, {"Retry-After": str(wait)}, next=wanted)
        try:
            identity = self.provider.identify(asked, request.args)
        except Problem as problem:
            return self._refuse(problem, wanted)
        person = self.login.people.whose(identity.accounts)
        if person is None:
            return self._unknown(identity, wanted)
        self.login.throttle.forgive(guess)
        return self._admit(person, wanted)

    def _admit(self, person: Person, wanted: str) -> AnyResponse:
        """Show a page that leads on. A redirect would be the provider's doing still, and come without our cookies."""
        page = make_response(render_template("console/signed_in.html", next=wanted))
        return self.login.admit(person, page, " through OpenID Connect")

    def _unknown(self, identity: Identity, wanted: str) -> Response:
        subject, why = identity.accounts[0], "" if identity.email else ", no verified e-mail address"
        return self._refuse(
            Problem(_UNKNOWN, f"{subject}{why}"), wanted, account=shlex.quote(identity.email or subject)
        )

    def _refuse(self, problem: Problem, wanted: str, account: str = "") -> Response:
        self._note(problem)
        status, words = _WORDS[problem.result]
        return self.login.show(status, words.format(self.provider.settings.host), next=wanted, account=account)

    def _note(self, problem: Problem) -> None:
        self.gate.watch.not_signed_in(f"{WHO}:{g.address}", problem.result, "OpenID Connect", problem.why)
