"""What each of Salesforce's refusals means for us: a table. The first rule that fits is the one.

https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/errorcodes.htm and the StatusCode enumeration
of the Enterprise WSDL.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    """What to do about a refusal."""

    AGAIN = "again"  # within the attempt; then deferred
    SMALLER = "smaller"  # a whole request is split; a single record is deferred
    LATER = "later"  # deferred
    REJECTED = "rejected"
    OUTAGE = "outage"  # a whole request is tried again and then makes the account unusable; a single record is deferred
    UNUSABLE = "unusable"
    SESSION = "session"  # a new login may help, once


@dataclass(frozen=True, slots=True)
class Rule:
    """codes: separated by spaces. says: what the message must match. problem: for an admin, with `{fields}`.

    retry_after: seconds. every: it is true of every record of the request.
    """

    codes: str
    kind: Kind
    problem: str
    says: str = ""
    reason: str = ""
    retry_after: float | None = None
    every: bool = False


_AGAIN, _SMALLER, _LATER, _NO, _OUTAGE, _STOP, _SESSION = Kind
_TRIGGERS = "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY CANNOT_EXECUTE_FLOW_TRIGGER APEX_ERROR"

RULES: Final = (
    # Somebody else's work on the same record
    Rule(
        f"UNABLE_TO_LOCK_ROW {_TRIGGERS}",
        _AGAIN,
        "the record is locked by other work in Salesforce",
        "UNABLE_TO_LOCK_ROW|^unable to obtain",
    ),
    Rule("UNABLE_TO_LOCK_ROW", _AGAIN, "the record is locked by other work in Salesforce"),
    Rule(
        "DUPLICATE_VALUE",
        _AGAIN,
        "another writer created the record at the same moment",
        "duplicate value found: (<unknown>|{key}) ",
    ),
    Rule("DUPLICATE_VALUE", _AGAIN, "the record was sent twice in one request", "^Duplicate external id specified"),
    # Too much at once
    Rule(
        _TRIGGERS,
        _SMALLER,
        "the org's own automation ran into a limit of Salesforce",
        "Too many SOQL|CPU (time )?limit|limit exceeded|LimitException",
    ),
    Rule(
        "QUERY_TIMEOUT REQUEST_RUNNING_TOO_LONG TOO_MANY_APEX_REQUESTS EXCEEDED_ID_LIMIT HTTP_413",
        _SMALLER,
        "the request was too much for Salesforce at once",
    ),
    Rule(
        "UNKNOWN_EXCEPTION INTERNAL_ERROR INTERNAL_SERVER_ERROR HTTP_500",
        _SMALLER,
        "Salesforce failed inside; if this stays, ask Salesforce support",
    ),
    # The whole account
    Rule(
        "INVALID_SESSION_ID",
        _STOP,
        "the user may not use the REST API: check the connected app's policies and the profile's API access",
        "not valid for use with the REST API|Connected app is not attached",
        "auth",
    ),
    Rule(
        "INVALID_SESSION_ID SESSION_EXPIRED INVALID_AUTH_HEADER HTTP_401",
        _SESSION,
        "the session ended and a new login did not help",
        reason="auth",
    ),
    Rule(
        "INVALID_LOGIN LOGIN_MUST_USE_SECURITY_TOKEN INVALID_OPERATION_WITH_EXPIRED_PASSWORD",
        _STOP,
        "the login is refused: check the credentials",
        reason="auth",
    ),
    Rule(
        "API_DISABLED_FOR_ORG API_CURRENTLY_DISABLED FUNCTIONALITY_NOT_ENABLED LICENSE_LIMIT_EXCEEDED",
        _STOP,
        "the org's edition or the user's permissions do not allow API access",
        reason="auth",
    ),
    Rule("REQUEST_LIMIT_EXCEEDED", _STOP, "too many long requests at once", "Concurrent", "busy", 30),
    Rule("REQUEST_LIMIT_EXCEEDED", _STOP, "the org's daily API calls are used up", reason="quota", retry_after=900),
    Rule(
        "STORAGE_LIMIT_EXCEEDED",
        _STOP,
        "the org's storage is full: free some or buy more",
        reason="storage",
        retry_after=3600,
    ),
    Rule(
        "INSERT_UPDATE_DELETE_NOT_ALLOWED_DURING_MAINTENANCE INVALID_READ_ONLY_USER_DML",
        _STOP,
        "Salesforce is read-only for maintenance",
        reason="maintenance",
        retry_after=300,
    ),
    Rule(
        "UNSUPPORTED_API_VERSION GONE HTTP_410",
        _STOP,
        "Salesforce no longer speaks this API version: raise api_version",
        reason="configuration",
    ),
    Rule(
        "HTTP_301 HTTP_302 HTTP_303 HTTP_307 HTTP_308",
        _STOP,
        "Salesforce sent us to another address: check the domain",
        reason="unreachable",
    ),
    Rule(
        "SERVER_UNAVAILABLE SERVICE_UNAVAILABLE BAD_GATEWAY GATEWAY_TIMEOUT "
        "HTTP_408 HTTP_420 HTTP_429 HTTP_502 HTTP_503 HTTP_504",
        _OUTAGE,
        "Salesforce is not available",
        reason="outage",
    ),
    Rule("HTTP_404", _STOP, "nothing answers there: check the domain and api_version", reason="configuration"),
    Rule("HTTP_403 HTTP_407", _STOP, "refused before the API: check IP ranges and the proxy", reason="auth"),
    Rule(
        "METHOD_NOT_ALLOWED URI_TOO_LONG UNSUPPORTED_MEDIA_TYPE "
        "HTTP_405 HTTP_409 HTTP_412 HTTP_414 HTTP_415 HTTP_428 HTTP_431",
        _STOP,
        "our request is not taken in this form: look for a proxy in between, or report it as a fault of the connector",
        reason="request",
    ),
    # This record, later
    Rule("INVALID_FIELD", _LATER, "the record it points at is not in Salesforce yet", "^Foreign key external ID"),
    Rule(
        "ENTITY_IS_LOCKED RECORD_IN_USE_BY_WORKFLOW",
        _LATER,
        "the record is locked by an approval or a workflow",
        retry_after=900,
    ),
    Rule(
        "ENTITY_IS_DELETED INVALID_CROSS_REFERENCE_KEY",
        _LATER,
        "the record, or one it points at, was deleted or merged in Salesforce",
    ),
    Rule(
        "ALL_OR_NONE_OPERATION_ROLLED_BACK PROCESSING_HALTED",
        _LATER,
        "the record was held back by another one of its request",
    ),
    # The mapping, or what the connector's user may do
    Rule(
        "INVALID_FIELD INVALID_FIELD_FOR_INSERT_UPDATE",
        _NO,
        "{fields} cannot be written: it is misspelt, missing, read-only or hidden from the connector's user",
    ),
    Rule(
        "NOT_FOUND INVALID_TYPE INVALID_ENTITY_FOR_UPSERT",
        _NO,
        "the object or its key field is missing or hidden from the connector's user",
        every=True,
    ),
    Rule("INVALID_EXTERNAL_ID_FIELD_NAME", _NO, "the key field is not an external id", every=True),
    Rule(
        "JSON_PARSER_ERROR",
        _NO,
        "a value has the wrong type for its field: check text against numbers, dates and check boxes",
    ),
    Rule("MALFORMED_QUERY", _NO, "a query of ours is not understood: report it as a fault of the connector"),
    Rule("MALFORMED_ID", _NO, "{fields} needs the id of a Salesforce record"),
    Rule(
        "INSUFFICIENT_ACCESS INSUFFICIENT_ACCESS_OR_READONLY INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY "
        "TXN_SECURITY_NO_ACCESS",
        _NO,
        "the connector's user may not write this record: check its permissions and sharing",
    ),
    Rule("INACTIVE_OWNER_OR_USER", _NO, "the owner is not an active user"),
    # The record itself
    Rule("MISSING_ARGUMENT", _NO, "the record's key is empty"),
    Rule("REQUIRED_FIELD_MISSING", _NO, "{fields} is required and was not given"),
    Rule("STRING_TOO_LONG", _NO, "{fields} is longer than its field: add cut: true to the mapping"),
    Rule(
        "MAX_TASK_DESCRIPTION_EXCEEEDED MAX_TASK_DESCRIPTION_EXCEEDED",
        _NO,
        "the description is longer than a task's may be: add cut: true to the mapping",
    ),
    Rule(
        "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
        _NO,
        "{fields} does not offer this value: add it in Salesforce or to the mapping's table",
    ),
    Rule("INVALID_EMAIL_ADDRESS", _NO, "{fields} is not an e-mail address Salesforce accepts"),
    Rule("NUMBER_OUTSIDE_VALID_RANGE DATE_OUT_OF_RANGE", _NO, "{fields} is out of range"),
    Rule("INVALID_TYPE_ON_FIELD_IN_RECORD", _NO, "{fields} has the wrong type, or a check box was to be cleared"),
    Rule("TEXT_DATA_OUTSIDE_SUPPORTED_CHARSET", _NO, "{fields} holds characters Salesforce does not keep"),
    Rule(
        "FIELD_CUSTOM_VALIDATION_EXCEPTION FIELD_FILTER_VALIDATION_EXCEPTION",
        _NO,
        "a validation rule of the org refuses the record",
    ),
    Rule(
        "FIELD_INTEGRITY_EXCEPTION",
        _NO,
        "{fields} does not fit: a look-up to the wrong kind of record, or a state or country outside the org's list",
    ),
    Rule(_TRIGGERS, _NO, "a trigger or flow of the org refuses the record"),
    Rule("DUPLICATE_VALUE", _NO, "another record already holds a value that must be unique"),
    Rule(
        "DUPLICATE_EXTERNAL_ID HTTP_300", _NO, "several records hold this key: merge them and make the key field unique"
    ),
    Rule(
        "DUPLICATES_DETECTED", _NO, "a duplicate rule of the org blocks the record: merge the twins or loosen the rule"
    ),
    Rule(
        "CANNOT_UPDATE_CONVERTED_LEAD",
        _NO,
        "the lead was converted, and the contact it became is not to be found: map this customer to a contact",
    ),
    Rule("ENTITY_IS_ARCHIVED", _NO, "the record is archived"),
    Rule("INVALID_PERSON_ACCOUNT_OPERATION", _NO, "the fields do not fit a person account"),
)

UNKNOWN_FAULT: Final = Rule("", Kind.OUTAGE, "Salesforce is not available", reason="outage")
UNKNOWN: Final = Rule("", Kind.REJECTED, "Salesforce refuses the record for a reason we do not know")
