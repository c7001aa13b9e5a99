"""Log in once and share the session among threads."""

from __future__ import annotations

import threading
from typing import Final

from simple_salesforce import Salesforce as Session

from connector.crm import CrmAccount
from connector.destinations.base import another_account
from connector.destinations.guide import SetupStep
from connector.destinations.salesforce.auth import Credentials, OpenSession, secrets
from connector.destinations.salesforce.hosts import host_of
from connector.destinations.salesforce.login_refusals import refusal_for, said
from connector.destinations.salesforce.org import of_login
from connector.destinations.salesforce.setup_steps import ADDRESS, APP
from connector.destinations.salesforce.token import Denial, ask
from connector.destinations.salesforce.transport import Line
from connector.destinations.salesforce.vendor import SALESFORCE
from connector.errors import DestinationUnusable, PauseReason

_NOTHING_THERE: Final = "there is no login at this address (HTTP 404): set `domain` to the org's current My Domain"
_ASTRAY: Final = (
    "the login is redirected in a circle, or to an address that is not Salesforce's: set `domain` to the org's current "
    "My Domain"
)


class LoginFailed(DestinationUnusable):
    """There is no session. step: the one of the set-up that is to blame."""

    def __init__(
        self, reason: PauseReason, problem: str, retry_after: float | None = None, step: SetupStep = ADDRESS
    ) -> None:
        super().__init__("Salesforce", reason, problem, retry_after=retry_after)
        self.step = step


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
        self._failure: LoginFailed | None = None

    @property
    def host(self) -> str:
        """Where to log in, or the host of a session that was opened elsewhere."""
        if isinstance(self._auth, OpenSession):
            return self._auth.instance_url.removeprefix("https://")
        return host_of(self._auth.domain)

    @property
    def can_renew(self) -> bool:
        """Whether a new login is possible."""
        return not isinstance(self._auth, OpenSession)

    def session(self, ended: Session | None = None) -> Session:
        """The open session, or a new one if `ended` is the current one. Raises DestinationUnusable."""
        session, org = self._opened(ended)
        if org and self.serves and org.id != self.serves.id:
            self.forget(session)
            raise another_account(SALESFORCE, self.serves, org)
        return session

    def forget(self, session: Session) -> None:
        """Log in before the next call: this session is of no use, and people may have changed why."""
        with self._lock:
            if self._session is session:
                self._session = None

    def org(self) -> CrmAccount | None:
        """The org of the open session, whichever it is; None where the login does not say."""
        session, org = self._opened()
        if org and self.serves and org.id != self.serves.id:
            self.forget(session)
        return org

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
        granted = ask(self._line.session, self._auth)
        if isinstance(granted, Denial):
            raise self._refused(granted)
        return self._built(granted.access_token, granted.instance_url, granted.id)

    def _built(self, session_id: str, instance_url: str, identity: str = "") -> Session:
        self._org = of_login(identity, session_id, instance_url)
        return Session(
            session_id=session_id,
            instance_url=instance_url,
            session=self._line.session,
            version=self.version,
            object_pairs_hook=dict,
        )

    def _refused(self, denial: Denial) -> LoginFailed:
        status, words = denial.status, said(denial.error, denial.description, secrets(self._auth))
        if known := refusal_for(denial.error, denial.description):
            return self._failed(known.reason, known.problem + words, known.retry_after, known.step)
        if denial.astray:
            return self._failed(PauseReason.UNREACHABLE, _ASTRAY)
        if status >= 500:
            problem = f"Salesforce's login is not available (HTTP {status}): wait; status.salesforce.com shows outages"
            return self._failed(PauseReason.OUTAGE, problem)
        if status == 404:
            return self._failed(PauseReason.AUTH, _NOTHING_THERE)
        if 400 <= status < 500 and status not in (420, 429):
            problem = f"the login was rejected with HTTP {status}: check the domain and the credentials{words}"
            return self._failed(PauseReason.AUTH, problem, step=APP)
        why = f"failed, {denial.broken}" if denial.broken else "did not answer"
        answer = f"answered HTTP {status}" if status else why
        return self._failed(PauseReason.UNREACHABLE, f"the login {answer}: check the domain and the network")

    def _failed(
        self, reason: PauseReason, problem: str, retry_after: float | None = None, step: SetupStep = ADDRESS
    ) -> LoginFailed:
        self._failures += 1
        self._failure = LoginFailed(reason, problem, retry_after, step)
        return self._failure
