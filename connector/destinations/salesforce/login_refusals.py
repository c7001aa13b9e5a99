"""What Salesforce's refusal of a login means: the first row whose error and text match."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

from connector.destinations.guide import SetupStep
from connector.destinations.salesforce.setup_steps import ADDRESS, APP, RUN_AS, USER
from connector.errors import PauseReason


class LoginRefusal(NamedTuple):
    """A refused login. error: of OAuth. says: the beginning of its description. retry_after: seconds to wait.

    step: the one of the set-up that it concerns.
    """

    error: str
    says: str
    problem: str
    reason: PauseReason = PauseReason.AUTH
    retry_after: float | None = None
    step: SetupStep = APP


_SLOWLY: Final = 900
"""Seconds until a login is tried again that repeated failures could lock the user out of."""

REFUSALS: Final = (
    LoginRefusal("invalid_client_id", "", "the app is unknown: check client_id"),
    LoginRefusal("invalid_client", "", "the app rejected the login: check client_id and client_secret"),
    LoginRefusal(
        "invalid_grant",
        "no client credentials user enabled",
        "the app has no Run As user: choose one in the app's policies, under Client Credentials Flow",
        step=RUN_AS,
    ),
    LoginRefusal(
        "invalid_grant",
        "request not supported on this domain",
        "the login went to the wrong address: set domain to the org's My Domain, such as acme.my.salesforce.com",
        step=ADDRESS,
    ),
    LoginRefusal(
        "invalid_grant",
        "client credentials flow not enabled",
        "the app does not allow this flow: select Enable Client Credentials Flow in the app's settings",
    ),
    LoginRefusal(
        "invalid_grant",
        "no valid scopes",
        "the app has no scope: add the scope Manage user data via APIs (api) to the app",
    ),
    LoginRefusal(
        "invalid_grant",
        "user hasn't approved this consumer",
        "the user has not approved the app: pre-authorize the user with a permission set in the app's policies",
        step=RUN_AS,
    ),
    LoginRefusal(
        "invalid_grant",
        "audience is invalid",
        "the login is meant for another kind of org: set domain to login for production, or to test for a sandbox or "
        "scratch org",
        step=ADDRESS,
    ),
    LoginRefusal(
        "invalid_grant",
        "invalid assertion",
        "the private key does not fit the app's certificate, or this machine's clock is wrong: check both",
    ),
    LoginRefusal(
        "invalid_grant",
        "ip restricted",
        "logins from this IP address are not allowed: extend the user's or the app's IP ranges, or relax them",
        step=USER,
    ),
    LoginRefusal("invalid_grant", "inactive user", "the user is inactive or frozen: activate the user", step=USER),
    LoginRefusal(
        "invalid_grant",
        "login rate exceeded",
        "the user logged in too often within an hour: wait, it is retried after 20 minutes",
        PauseReason.RATE,
        1200,
        step=ADDRESS,
    ),
    LoginRefusal(
        "invalid_grant",
        "expired access/refresh token",
        "the token expired and cannot be renewed: provide new credentials in the agency file",
    ),
    LoginRefusal(
        "invalid_grant",
        "authentication failure",
        "the user name or password is wrong, or the org blocks this flow: check the user, or use client_credentials",
        retry_after=_SLOWLY,
    ),
    LoginRefusal(
        "invalid_grant",
        "",
        "the login was rejected: check the user, its approval of the app, the domain and the key",
        retry_after=_SLOWLY,
    ),
    LoginRefusal("unauthorized_client", "", "the app does not allow this flow: enable it in the app"),
    LoginRefusal(
        "unsupported_grant_type",
        "",
        "the app does not allow this flow: enable it in the app, and use the org's My Domain",
    ),
    LoginRefusal(
        "invalid_app_access",
        "",
        "the user is not allowed to use the app: admit the user's profile or permission set in its policies",
        step=RUN_AS,
    ),
    LoginRefusal("inactive_user", "", "the user is inactive: activate the user", step=USER),
    LoginRefusal("inactive_org", "", "the org is locked or closed: ask Salesforce about the org", step=ADDRESS),
    LoginRefusal(
        "unknown_error",
        "",
        "Salesforce could not answer the login: wait, it is retried",
        PauseReason.OUTAGE,
        60,
        step=ADDRESS,
    ),
)


_ERROR: Final = re.compile(r"[a-z_]{3,40}")
_WORD: Final = re.compile(r"[A-Za-z,.:;'/()-]{1,24}|\d{1,4}")
_LONGEST: Final = 120


def said(error: str, description: str, secrets: Iterable[str] = ()) -> str:
    """What Salesforce says of a refused login, in brackets, without words that may be ids, addresses or secrets.

    >>> said("invalid_grant", "ip restricted"), said("invalid_grant", "user 005Hb01 is locked"), said("", "")
    (' (invalid_grant, "ip restricted")', ' (invalid_grant, "user ... is locked")', '')
    >>> said("invalid_grant", "opensesame is wrong", ["opensesame"])
    ' (invalid_grant, "... is wrong")'
    """
    for secret in filter(None, secrets):
        description = description.replace(secret, "\0")
    words = [word if _WORD.fullmatch(word) else "..." for word in description[:_LONGEST].split()]
    parts = [error] if _ERROR.fullmatch(error) else []
    parts += [f'"{" ".join(words)}"'] if any(word != "..." for word in words) else []
    return f" ({', '.join(parts)})" if parts else ""


def refusal_for(error: str, description: str) -> LoginRefusal | None:
    """The first row that matches; None for an error that we do not know."""
    words = description.lower()
    return next((row for row in REFUSALS if row.error == error and words.startswith(row.says)), None)
