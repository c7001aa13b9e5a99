"""Log in once and share the session among threads."""

from __future__ import annotations

import threading
import warnings
from typing import Final

import requests
from simple_salesforce import Salesforce as Session
from simple_salesforce import SalesforceLogin
from simple_salesforce.exceptions import SalesforceAuthenticationFailed

from connector.destinations.salesforce.auth import (
    SHARED,
    ClientCredentials,
    Credentials,
    JwtBearer,
    OpenSession,
    Password,
)
from connector.destinations.salesforce.transport import Line
from connector.errors import DestinationUnusable, PauseReason

PERMANENT: Final = {
    "invalid_client_id": "the connected app is unknown: check client_id",
    "invalid_client": "the connected app rejected the login: check client_id and client_secret",
    "invalid_grant": "the login was rejected: check the user, its connected app approval, the domain and the key",
    "unauthorized_client": "the connected app does not allow this flow",
    "unsupported_grant_type": "the connected app does not allow this flow",
    "invalid_app_access": "the user is not allowed to use the connected app",
    "inactive_user": "the user is inactive",
    "inactive_org": "the org is locked or closed",
}


class Login:
    """Gives every thread the same session, and renews it once when it has expired."""

    def __init__(self, auth: Credentials, line: Line, api_version: str) -> None:
        self._auth, self._line, self.version = auth, line, api_version
        self._lock = threading.Lock()
        self._session: Session | None = None
        self._failures = 0
        self._failure: DestinationUnusable | None = None

    def session(self, ended: Session | None = None) -> Session:
        """The open session, or a new one if `ended` is the current one. Raises DestinationUnusable."""
        before = self._failures
        with self._lock:
            if self._failure and self._failures > before:  # failed while we waited: more logins could lock the user
                raise self._failure
            if self._session is None or self._session is ended:
                self._session = None
                self._session = self._open(renew=ended is not None)
            return self._session

    def _open(self, *, renew: bool) -> Session:
        if isinstance(self._auth, OpenSession):
            if renew:
                raise self._failed(
                    PauseReason.AUTH, "the session expired and cannot be renewed: provide a new session_id"
                )
            return self._built(self._auth.session_id.get_secret_value(), self._auth.instance_url)
        return self._built(*self._granted(self._auth))

    def _built(self, session_id: str, instance_url: str) -> Session:
        return Session(
            session_id=session_id,
            instance_url=instance_url,
            session=self._line.session,
            version=self.version,
            object_pairs_hook=dict,
        )

    def _granted(self, auth: ClientCredentials | JwtBearer | Password) -> tuple[str, str]:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # simple-salesforce would print the consumer key
                session_id, instance = _ask(auth, self._line.session)
        except SalesforceAuthenticationFailed as error:
            code = str(error.code)
        except requests.RequestException:
            code = ""
        except (AttributeError, TypeError):  # from simple-salesforce, if the reply is not a token reply
            code = ""
        else:
            return session_id, f"https://{instance}"
        raise self._refused(code)

    def _refused(self, code: str) -> DestinationUnusable:
        status = self._line.last.status
        if code in PERMANENT:
            return self._failed(PauseReason.AUTH, f"{PERMANENT[code]} ({code})")
        if 400 <= status < 500 and status not in (420, 429):
            return self._failed(
                PauseReason.AUTH, f"the login was rejected with HTTP {status}: check the domain and the credentials"
            )
        answer = f"answered HTTP {status}" if status else "did not answer"
        return self._failed(PauseReason.UNREACHABLE, f"the login {answer}: check the domain and the network")

    def _failed(self, reason: PauseReason, problem: str) -> DestinationUnusable:
        self._failures += 1
        self._failure = DestinationUnusable("Salesforce", reason, problem)
        return self._failure


def _ask(auth: ClientCredentials | JwtBearer | Password, session: requests.Session) -> tuple[str, str]:
    # https://help.salesforce.com/s/articleView?id=xcloud.remoteaccess_oauth_flows.htm
    if isinstance(auth, ClientCredentials):
        secret = auth.client_secret.get_secret_value()
        reply = SalesforceLogin(
            consumer_key=auth.client_id, consumer_secret=secret, domain=auth.domain, session=session
        )
    elif isinstance(auth, Password):
        reply = SalesforceLogin(
            username=auth.username,
            password=auth.password.get_secret_value() + auth.security_token.get_secret_value(),
            consumer_key=auth.client_id,
            consumer_secret=auth.client_secret.get_secret_value(),
            domain=auth.domain,
            session=session,
        )
    else:
        reply = SalesforceLogin(
            username=auth.username,
            consumer_key=auth.client_id,
            privatekey=auth.private_key.get_secret_value(),
            domain=_audience(auth.domain),
            instance_url=auth.domain,
            session=session,
        )
    session_id, instance = reply
    if not isinstance(session_id, str) or not isinstance(instance, str):
        raise TypeError("not a token reply")
    return session_id, instance


def _audience(domain: str) -> str:
    """A JWT's audience: Salesforce accepts only login or test, whatever host the request goes to."""
    if domain in SHARED:
        return domain
    return "test" if ".sandbox" in domain or "--" in domain else "login"
