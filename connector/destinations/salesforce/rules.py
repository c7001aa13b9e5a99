"""What each of Salesforce's errors means, as a table. The first rule that matches applies."""

from __future__ import annotations

from typing import Final

from connector.destinations.salesforce.account_rules import OF_THE_ACCOUNT
from connector.destinations.salesforce.record_rules import OF_A_RECORD
from connector.destinations.salesforce.rule import TRIGGERS, Kind, Rule
from connector.errors import PauseReason

_AGAIN, _ONCE_MORE, _SMALLER = Kind.AGAIN, Kind.ONCE_MORE, Kind.SMALLER
_LOCKED = (
    "the record is locked by other work in Salesforce",
    "look for imports or automation that keep the record locked, then replay",
)

RULES: Final = (
    # Other work on the same record
    Rule(TRIGGERS, _AGAIN, *_LOCKED, "UNABLE_TO_LOCK_ROW|^unable to obtain"),
    Rule("UNABLE_TO_LOCK_ROW", _AGAIN, *_LOCKED),
    Rule(
        "DUPLICATE_VALUE",
        _AGAIN,
        "another writer created the record at the same moment",
        "replay: the next try updates the record",
        "duplicate value found: {key} ",
    ),
    Rule(
        "DUPLICATE_VALUE",
        _ONCE_MORE,
        "a value must be unique, and the record that has it, or the field, is hidden from the connector's user",
        "give the user View All Data and read access to the field, then replay: the record is named then",
        "duplicate value found: <unknown> ",
    ),
    Rule(
        "DUPLICATE_VALUE",
        _AGAIN,
        "the record was sent twice in one request",
        "replay; if it happens again, report it as a bug in the connector",
        "^Duplicate external id specified",
    ),
    # Too much at once
    Rule(
        TRIGGERS,
        _SMALLER,
        "the org's own automation hit a Salesforce limit",
        "make the org's triggers and flows do less work for each record, then replay",
        "Too many SOQL|CPU (time )?limit|limit exceeded|LimitException",
    ),
    Rule(
        "QUERY_TIMEOUT REQUEST_RUNNING_TOO_LONG TOO_MANY_APEX_REQUESTS EXCEEDED_ID_LIMIT URI_TOO_LONG "
        "HTTP_413 HTTP_414 HTTP_431",
        _SMALLER,
        "the request was too large or too slow for Salesforce",
        "replay when the org is less busy; if it happens again, make its automation lighter",
    ),
    Rule(
        "UNKNOWN_EXCEPTION INTERNAL_ERROR INTERNAL_SERVER_ERROR HTTP_500",
        _SMALLER,
        "Salesforce had an internal error",
        "replay; if it happens again, open a case with Salesforce support",
    ),
    *OF_THE_ACCOUNT,
    *OF_A_RECORD,
)

UNKNOWN_FAULT: Final = Rule(
    "",
    Kind.OUTAGE,
    "Salesforce is not available",
    "wait; status.salesforce.com shows known outages",
    reason=PauseReason.OUTAGE,
)
UNKNOWN_REPLY: Final = Rule(
    "",
    Kind.UNUSABLE,
    "the answer is not Salesforce's",
    "check `endpoint` and any proxy or firewall in between",
    reason=PauseReason.REPLY,
)
UNKNOWN: Final = Rule(
    "",
    Kind.REJECTED,
    "Salesforce rejected the record for a reason we do not know",
    "look up the code in Salesforce's documentation, fix the cause, then replay",
)
