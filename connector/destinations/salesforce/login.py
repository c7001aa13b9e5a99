"""Log in once and share the session among threads."""

from __future__ import annotations

import threading
import warnings

import requests
from simple_salesforce import Salesforce as Session
from simple_salesforce import SalesforceLogin
from simple_salesforce.exceptions import SalesforceAuthenticationFailed

from connector.crm import CrmAccount
from connector.destinations.base import another_account
from connector.destinations.deadline import broken_limit
from connector.destinations.salesforce.auth import (
    SHARED,
    ClientCredentials,
    Credentials,
    JwtBearer,
    OpenSession,
    Password,
)
from connector.destinations.salesforce.login_refusals import refusal_for
from connector.destinations.salesforce.org import of_login
from connector.destinations.salesforce.transport import Line
from connector.destinations.salesforce.vendor import SALESFORCE
from connector.errors import DestinationUnusable, PauseReason


class Login:
    """Gives every thread the same session, and renews it once when it has expired.

    serves: the only org whose sessions are given out; None for any.
    """

    def __init__(self, auth: Credentials, line: Line, api_version: str) -> None:
        self._auth, self._line, self.version = auth, line, api_version
        self._lock = threading.Lock()
        self._session: Session | None = None
        self._org: CrmAccount | None = None
        self.serves: CrmAccount | None = None
        self._failures = 0
        self._failure: DestinationUnusable | None = None

    @property
    def can_renew(self) -> bool:
        """Whether a new login is possible."""
        return not isinstance(self._auth, OpenSession)

    def session(self, ended: Session | None = None) -> Session:
        """The open session, or a new one if `ended` is the current one. Raises DestinationUnusable."""
        session, org = self._opened(ended)
        if org and self.serves and org.id != self.serves.id:
            raise another_account(SALESFORCE, self.serves, org)
        return session

    def org(self) -> CrmAccount | None:
        """The org of the open session, whichever it is; None where the login does not say."""
        return self._opened()[1]

    def learn(self, org: CrmAccount | None) -> None:
        """Remember the org of the open session, whose login did not say."""
        self._org = org

    def _opened(self, ended: Session | None = None) -> tuple[Session, CrmAccount | None]:
        before = self._failures
        with self._lock:
            if self._failure and self._failures > before:  # failed while we waited: more logins could lock the user
                raise self._failure
            if self._session is None or self._session is ended:
                self._session = self._org = None
                self._session = self._open(renew=ended is not None)
            return self._session, self._org

    def _open(self, *, renew: bool) -> Session:
        if isinstance(self._auth, OpenSession):
            if renew:
                raise self._failed(
                    PauseReason.AUTH, "the session expired and cannot be renewed: provide a new session_id"
                )
            return self._built(self._auth.session_id.get_secret_value(), self._auth.instance_url)
        return self._built(*self._granted(self._auth), identity=self._line.last.identity)

    def _built(self, session_id: str, instance_url: str, identity: str = "") -> Session:
        self._org = of_login(identity, session_id, instance_url)
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
            code, description, broken = str(error.code), error.auth_message, ""
        except (requests.RequestException, AttributeError, TypeError) as error:  # the last two, if it is no token reply
            code, description, broken = "", "", broken_limit(error)
        else:
            return session_id, f"https://{instance}"
        raise self._refused(code, description, broken)

    def _refused(self, code: str, description: str, broken: str) -> DestinationUnusable:
        status = self._line.last.status
        if known := refusal_for(code, description):
            return self._failed(known.reason, f"{known.problem} ({code})", known.retry_after)
        if status >= 500:
            problem = f"Salesforce's login is not available (HTTP {status}): wait; status.salesforce.com shows outages"
            return self._failed(PauseReason.OUTAGE, problem)
        if 400 <= status < 500 and status not in (420, 429):
            return self._failed(
                PauseReason.AUTH, f"the login was rejected with HTTP {status}: check the domain and the credentials"
            )
        answer = f"answered HTTP {status}" if status else f"failed, {broken}" if broken else "did not answer"
        return self._failed(PauseReason.UNREACHABLE, f"the login {answer}: check the domain and the network")

    def _failed(self, reason: PauseReason, problem: str, retry_after: float | None = None) -> DestinationUnusable:
        self._failures += 1
        self._failure = DestinationUnusable("Salesforce", reason, problem, retry_after=retry_after)
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
