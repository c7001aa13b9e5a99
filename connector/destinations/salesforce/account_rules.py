"""Salesforce's errors that are about a request or the whole account.

https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/errorcodes.htm
"""

from __future__ import annotations

from typing import Final

from connector.destinations.salesforce.rule import Kind, Rule
from connector.errors import PauseReason

_SESSION, _STOP, _OUTAGE = Kind.SESSION, Kind.UNUSABLE, Kind.OUTAGE

OF_THE_ACCOUNT: Final = (
    Rule(
        "INVALID_SESSION_ID",
        _STOP,
        "the connector's user may not use the REST API",
        "give the user the API Enabled permission and allow it in the connected app's policies",
        "not valid for use with the REST API|Connected app is not attached",
        PauseReason.AUTH,
    ),
    Rule(
        "INVALID_SESSION_ID SESSION_EXPIRED INVALID_AUTH_HEADER HTTP_401",
        _SESSION,
        "the session ended and a new login did not help",
        "renew the credentials in the agency file and restart the connector",
        reason=PauseReason.AUTH,
    ),
    Rule(
        "INVALID_LOGIN LOGIN_MUST_USE_SECURITY_TOKEN INVALID_OPERATION_WITH_EXPIRED_PASSWORD",
        _STOP,
        "Salesforce rejected the login",
        "correct the credentials in the agency file and restart the connector",
        reason=PauseReason.AUTH,
    ),
    Rule(
        "API_DISABLED_FOR_ORG API_CURRENTLY_DISABLED FUNCTIONALITY_NOT_ENABLED LICENSE_LIMIT_EXCEEDED",
        _STOP,
        "the org's edition or the user's permissions do not allow API access",
        "use an edition with API access and give the user the API Enabled permission",
        reason=PauseReason.AUTH,
    ),
    Rule(
        "REQUEST_LIMIT_EXCEEDED",
        _STOP,
        "too many long requests at once",
        "wait: it is retried after 30 seconds",
        "Concurrent",
        PauseReason.BUSY,
        30,
    ),
    Rule(
        "REQUEST_LIMIT_EXCEEDED",
        _STOP,
        "the org's daily API calls are used up",
        "wait until calls of the last 24 hours expire, or buy more",
        reason=PauseReason.QUOTA,
        retry_after=900,
    ),
    Rule(
        "INSERT_UPDATE_DELETE_NOT_ALLOWED_DURING_MAINTENANCE INVALID_READ_ONLY_USER_DML",
        _STOP,
        "Salesforce is read-only for maintenance",
        "wait for the maintenance to end",
        reason=PauseReason.MAINTENANCE,
        retry_after=300,
    ),
    Rule(
        "UNSUPPORTED_API_VERSION GONE HTTP_410",
        _STOP,
        "Salesforce no longer supports this API version",
        "raise `api_version` in the agency file, or remove it",
        reason=PauseReason.CONFIGURATION,
    ),
    Rule(
        "HTTP_301 HTTP_302 HTTP_303 HTTP_307 HTTP_308",
        _SESSION,
        "Salesforce redirected the request to another address, and a new login did not help",
        "correct `domain` (or `instance_url`) in the agency file",
        reason=PauseReason.UNREACHABLE,
    ),
    Rule(
        "SERVER_UNAVAILABLE SERVICE_UNAVAILABLE BAD_GATEWAY GATEWAY_TIMEOUT "
        "HTTP_408 HTTP_420 HTTP_429 HTTP_502 HTTP_503 HTTP_504",
        _OUTAGE,
        "Salesforce is not available",
        "wait; status.salesforce.com shows known outages",
        reason=PauseReason.OUTAGE,
    ),
    Rule(
        "HTTP_404",
        _SESSION,
        "there is no Salesforce API at this address, and a new login did not help",
        "correct `domain` (or `instance_url`) and `api_version` in the agency file",
        reason=PauseReason.CONFIGURATION,
    ),
    Rule(
        "HTTP_403 HTTP_407",
        _STOP,
        "the request was blocked before it reached the API",
        "allow the connector's IP address in the user's profile and network access list, and check the proxy",
        reason=PauseReason.AUTH,
    ),
    Rule(
        "METHOD_NOT_ALLOWED UNSUPPORTED_MEDIA_TYPE HTTP_405 HTTP_409 HTTP_412 HTTP_415 HTTP_428",
        _STOP,
        "Salesforce rejected the form of our request",
        "check for a proxy that changes requests; if there is none, report it as a bug in the connector",
        reason=PauseReason.REQUEST,
    ),
)
