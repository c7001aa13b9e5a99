"""Call Salesforce's REST API: a reply or an error is returned; an unusable account raises."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import requests
from simple_salesforce.exceptions import SalesforceError
from tenacity import RetryCallState, Retrying, retry_if_result, stop_after_attempt, wait_exponential_jitter

from connector.destinations.deadline import broken_limit
from connector.destinations.salesforce import api_error, errors
from connector.destinations.salesforce.api_error import ApiError
from connector.destinations.salesforce.login import Login
from connector.destinations.salesforce.rule import Kind, Rule
from connector.destinations.salesforce.transport import Line
from connector.errors import DestinationUnusable, PauseReason

NO_ANSWER: Final = "NO_ANSWER"
UNREADABLE: Final = "UNREADABLE_REPLY"

Sleep = Callable[[float], None]


def within_attempt(again: Callable[[Any], bool], tries: int, sleep: Sleep) -> Retrying:
    """Retry for seconds, not minutes, while `again(result)` is true; the last result is returned."""

    def last(state: RetryCallState) -> Any:
        return state.outcome.result() if state.outcome else None

    return Retrying(
        retry=retry_if_result(again),
        stop=stop_after_attempt(tries),
        wait=wait_exponential_jitter(initial=1, max=8),
        sleep=sleep,
        retry_error_callback=last,
    )


class Client:
    """Calls to one account. One whose reply is lost is repeated: that changes nothing, or is refused."""

    def __init__(self, line: Line, login: Login, headers: Mapping[str, str], *, tries: int, sleep: Sleep) -> None:
        self.line, self._login, self.headers = line, login, headers
        self.tries, self.sleep = tries, sleep
        self.base = f"/services/data/v{login.version}/"

    def call(self, method: str, path: str, **options: Any) -> Any:
        """The JSON of a reply, or its ApiError. `path` is below /services/data/vXX.0/. Raises DestinationUnusable."""
        reply = self.ask(method, path, tries=self.tries, **options)
        if isinstance(reply, ApiError):
            rule = errors.rule_for(reply)
            if reply.code == NO_ANSWER:
                problem = f"{reply.message or 'no answer'}: check the domain and the network"
                raise DestinationUnusable("Salesforce", PauseReason.UNREACHABLE, problem)
            if rule.kind in (Kind.UNUSABLE, Kind.OUTAGE, Kind.SESSION):
                raise errors.unusable(rule)
        return reply

    def ask(
        self, method: str, path: str, *, tries: int, again: Callable[[Any], bool] | None = None, **options: Any
    ) -> Any:
        """The JSON of a reply, or its ApiError, whatever it means. again: whether a reply is worth another try."""
        retrying = within_attempt(again or is_temporary, tries, self.sleep)
        return retrying(self._logged_in, method, path, options)

    def _logged_in(self, method: str, path: str, options: dict[str, Any]) -> Any:
        session = self._login.session()
        reply = self._once(session, method, path, options)
        if isinstance(reply, ApiError) and self._may_help(errors.rule_for(reply)):
            session = self._login.session(ended=session)
            reply = self._once(session, method, path, options)
        if isinstance(reply, ApiError) and errors.rule_for(reply).reason is PauseReason.AUTH:
            self._login.forget(session)
        return reply

    def _may_help(self, rule: Rule) -> bool:
        """Whether a new login may help: the session ended, or the org has another address, which a login names."""
        if rule.kind is Kind.SESSION:
            return rule.reason is PauseReason.AUTH or self._login.can_renew
        return False

    def _once(self, session: Any, method: str, path: str, options: dict[str, Any]) -> Any:
        try:
            return session.restful(path, method=method, headers=self.headers, **options)
        except SalesforceError as error:
            return api_error.read(error.status, error.content)
        except requests.exceptions.JSONDecodeError:
            return ApiError(self.line.last.status, UNREADABLE)
        except requests.RequestException as error:
            silent = "no reply in time" if isinstance(error, requests.ReadTimeout) else ""
            return ApiError(0, NO_ANSWER, broken_limit(error) or silent)
        except (TypeError, ValueError, RecursionError):  # a bare number has no len(); too many digits; too deep
            return ApiError(self.line.last.status, UNREADABLE)


def is_temporary(reply: Any) -> bool:
    """Whether a retry may help: no answer, or an outage."""
    return isinstance(reply, ApiError) and (reply.code == NO_ANSWER or errors.rule_for(reply).kind is Kind.OUTAGE)
