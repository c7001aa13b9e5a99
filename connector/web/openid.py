"""OpenID Connect: what the provider is asked, and what of its answers is believed.

The provider says only who somebody is. What they may do is in the file of people.
https://openid.net/specs/openid-connect-core-1_0.html#CodeFlowAuth
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import BoundedSemaphore
from typing import Any, Final

import requests

from connector.destinations.deadline import Adapter, Limits, broken_limit
from connector.web.openid_settings import ISSUER_SETTING, OpenId, is_local, is_safe, is_subject, read_email

CALLBACK: Final = "/console/login/openid/callback"
LIMITS: Final = Limits(connect=3.0, read=5.0, total=5.0, size=1 << 20)
"""Of each request to the provider. Signing in takes four at most."""

_ALGORITHMS: Final = tuple(f"{kind}{bits}" for kind in ("RS", "PS", "ES") for bits in (256, 384, 512))
"""How ID tokens may be signed, whatever the provider says of itself: never `none`, never with the client's secret."""
_LEEWAY: Final = 60
"""Seconds by which the provider's clock may be off."""
_AT_ONCE: Final = 8
"""Threads that may wait for the provider: the others of the console have pages to show."""
_KEPT: Final = 3600
_ENDPOINTS: Final = ("authorization_endpoint", "token_endpoint", "jwks_uri")
_ERRORS: Final = frozenset(
    {
        *("access_denied", "consent_required", "interaction_required", "login_required"),
        *("invalid_client", "invalid_grant", "invalid_request", "invalid_scope", "unauthorized_client"),
        *("server_error", "temporarily_unavailable", "unsupported_response_type"),
    }
)
"""The provider's words that are logged. Any others may be anybody's."""
_SHAPES: Final = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What the libraries raise about JSON of another shape than the standard's."""


class Problem(RuntimeError):
    """Nobody is signed in. result: one of few. why: for the log and the audit log, without anything secret."""

    def __init__(self, result: str, why: str) -> None:
        super().__init__(f"{result}: {why}")
        self.result, self.why = result, why


UNAVAILABLE: Final = "provider unavailable"
REFUSED: Final = "refused by the provider"
NOT_VERIFIED: Final = "answer not verified"


@dataclass(frozen=True, slots=True)
class SignInRequest:
    """Somebody who was sent to the provider: what comes back must fit. Kept by their browser alone."""

    state: str = field(repr=False)
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)

    @classmethod
    def new(cls) -> SignInRequest:
        """Random values that nobody else knows."""
        return cls(secrets.token_urlsafe(32), secrets.token_urlsafe(32), secrets.token_urlsafe(48))


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom the provider knows. email: empty if it did not verify one."""

    subject: str
    email: str = ""

    @property
    def accounts(self) -> tuple[str, ...]:
        """As which it may be in the file of people: the subject, which never changes, goes first."""
        return (f"sub:{self.subject}", *([self.email] if self.email else []))


def _word(error: object) -> str:
    return error if isinstance(error, str) and error in _ERRORS else "another error"


class Provider:
    """The provider: where people are sent, and whom it says they are. Every method raises Problem."""

    def __init__(self, settings: OpenId, host: str, clock: Callable[[], float], limits: Limits = LIMITS) -> None:
        """host: of the console. clock: of this machine, in epoch seconds. limits: of each request."""
        self.settings, self._clock, self._limits = settings, clock, limits
        self._callback = f"https://{host}{CALLBACK}"
        self._turns = BoundedSemaphore(_AT_ONCE)
        self._known: tuple[float, Mapping[str, Any]] = (0.0, {})

    def address(self, asked: SignInRequest) -> str:
        """Where to send somebody's browser."""
        with self.session() as session:
            endpoint = self._metadata(session)["authorization_endpoint"]
            url, _ = session.create_authorization_url(
                endpoint, state=asked.state, nonce=asked.nonce, code_verifier=asked.verifier
            )
        return str(url)

    def identify(self, asked: SignInRequest, answer: Mapping[str, str]) -> Identity:
        """Who came back. answer: what the browser brought, whose state fits."""
        if error := answer.get("error"):
            raise Problem(REFUSED, _word(error))
        with self.session() as session:
            metadata = self._metadata(session)
            self._check_sender(metadata, answer)
            tokens = self._tokens(session, metadata, answer.get("code", ""), asked)
            claims = self._verified(tokens, self._get(session, metadata["jwks_uri"], "keys"), asked)
            about: Mapping[str, Any] = claims
            if "email_verified" not in claims and "userinfo_endpoint" in metadata:
                about = self._userinfo(session, metadata["userinfo_endpoint"], tokens, claims["sub"])
        verified = about.get("email_verified") in (True, "true")
        return Identity(claims["sub"], read_email(about.get("email")) if verified else "")

    def check(self) -> None:
        """Ask the provider to describe itself."""
        with self.session() as session:
            self._metadata(session)

    @contextmanager
    def session(self) -> Iterator[Any]:
        """A session with the provider, for one of a few threads at a time."""
        from authlib.integrations.requests_client import OAuth2Session  # the oidc extra

        own = self.settings
        if not self._turns.acquire(blocking=False):
            raise Problem(UNAVAILABLE, "it has not yet answered others who sign in")
        try:
            with OAuth2Session(
                own.client_id,
                own.client_secret,
                scope="openid email",
                redirect_uri=self._callback,
                code_challenge_method="S256",
                trust_env=False,
            ) as session:
                for scheme in ("http://", "https://"):
                    session.mount(scheme, Adapter(self._limits))
                yield session
        except requests.RequestException as error:
            raise Problem(UNAVAILABLE, broken_limit(error) or type(error).__name__) from None
        finally:
            self._turns.release()

    def _metadata(self, session: Any) -> Mapping[str, Any]:
        """What the provider says of itself, kept for an hour."""
        at, known = self._known
        if not (known and 0 <= self._clock() - at < _KEPT):
            url = self.settings.issuer.removesuffix("/") + "/.well-known/openid-configuration"
            known = self._get(session, url, "configuration")
            self._check_metadata(known)
            self._known = (self._clock(), known)
        return known

    def _check_metadata(self, metadata: Mapping[str, Any]) -> None:
        issuer = self.settings.issuer
        if metadata.get("issuer") != issuer:
            raise Problem(UNAVAILABLE, f"its configuration names another issuer than {ISSUER_SETTING}")
        named = [*_ENDPOINTS, *(["userinfo_endpoint"] if "userinfo_endpoint" in metadata else [])]
        if bad := [name for name in named if not is_safe(metadata.get(name), loopback=is_local(issuer))]:
            raise Problem(UNAVAILABLE, f"its configuration has no https address as {', '.join(bad)}")

    def _get(self, session: Any, url: str, what: str, **headers: str) -> dict[str, Any]:
        """A JSON object. No redirect is followed."""
        answer = session.request("GET", url, withhold_token=True, allow_redirects=False, headers=headers)
        if answer.status_code != 200:
            raise Problem(UNAVAILABLE, f"its {what}: answered {answer.status_code}")
        try:
            content = answer.json()
        except (ValueError, RecursionError):
            content = None
        if not isinstance(content, dict):
            raise Problem(UNAVAILABLE, f"its {what}: no JSON object")
        return content

    def _check_sender(self, metadata: Mapping[str, Any], answer: Mapping[str, str]) -> None:
        """Whether this provider sent the browser back: https://www.rfc-editor.org/rfc/rfc9207"""
        always = metadata.get("authorization_response_iss_parameter_supported") is True
        if answer.get("iss", "" if always else self.settings.issuer) != self.settings.issuer:
            raise Problem(NOT_VERIFIED, "another issuer sent the browser back")

    def _tokens(self, session: Any, metadata: Mapping[str, Any], code: str, asked: SignInRequest) -> Mapping[str, Any]:
        """Exchange the code."""
        from authlib.common.errors import AuthlibBaseError

        listed = metadata.get("token_endpoint_auth_methods_supported")
        basic = not isinstance(listed, list) or "client_secret_basic" in listed or "client_secret_post" not in listed
        auth = session.client_auth(f"client_secret_{'basic' if basic else 'post'}")
        url, sent = metadata["token_endpoint"], {"code": code, "code_verifier": asked.verifier}
        try:
            tokens: Mapping[str, Any] = session.fetch_token(url, auth=auth, allow_redirects=False, **sent)
        except AuthlibBaseError as error:
            raise Problem(REFUSED, _word(error.error)) from None
        except requests.HTTPError as error:
            raise Problem(UNAVAILABLE, f"its tokens: answered {error.response.status_code}") from None
        except _SHAPES:
            raise Problem(UNAVAILABLE, "its tokens: no JSON object as expected") from None
        return tokens

    def _verified(self, tokens: Mapping[str, Any], keys: Any, asked: SignInRequest) -> dict[str, Any]:
        """The claims of the ID token: signed by the provider, for us, now, and for this request."""
        from authlib.oidc.core import CodeIDToken
        from joserfc import jwt
        from joserfc.errors import ClaimError, JoseError
        from joserfc.jwk import KeySet
        from joserfc.jws import JWSRegistry

        own, registry = self.settings, JWSRegistry(algorithms=_ALGORITHMS, strict_check_header=False)
        expected = {name: {"essential": True, "value": value} for name, value in self._expected().items()}
        given = {"nonce": asked.nonce, "client_id": own.client_id, "access_token": tokens.get("access_token")}
        try:
            token = jwt.decode(tokens["id_token"], KeySet.import_key_set(keys), registry=registry)
            claims = CodeIDToken(token.claims, token.header, expected, given)
            claims.validate(now=int(self._clock()), leeway=_LEEWAY)
        except JoseError as error:
            claim = f" {error.claim}" if isinstance(error, ClaimError) else ""
            raise Problem(NOT_VERIFIED, f"its ID token: {error.error}{claim}") from None
        except _SHAPES as error:
            raise Problem(NOT_VERIFIED, f"its ID token or keys: {type(error).__name__}") from None
        if not is_subject(claims["sub"]):
            raise Problem(NOT_VERIFIED, "its ID token: invalid_claim sub")
        return dict(claims)

    def _expected(self) -> Mapping[str, str]:
        return {"iss": self.settings.issuer, "aud": self.settings.client_id}

    def _userinfo(self, session: Any, url: str, tokens: Mapping[str, Any], subject: str) -> Mapping[str, Any]:
        """More claims, from providers that leave the e-mail address out of the ID token."""
        more = self._get(session, url, "userinfo", Authorization=f"Bearer {tokens.get('access_token')}")
        if more.get("sub") != subject:
            raise Problem(NOT_VERIFIED, "its userinfo: another subject")
        return more
