"""Salesforce's replies in the shapes that are known, with values of our own."""

from __future__ import annotations

from typing import Any, Final

from tests.replies.shared import Recorded, as_reply


def row(code: str, message: str, *fields: str) -> tuple[int, Any]:
    error = {"statusCode": code, "message": message, "fields": list(fields)}
    return 200, [{"success": False, "errors": [error], "created": False}]


def whole(status: int, code: str, message: str) -> tuple[int, Any]:
    return status, [{"message": message, "errorCode": code}]


def login(error: str, description: str) -> tuple[int, Any]:
    return 400, {"error": error, "error_description": description}


_TRIGGER: Final = "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY"
_INTEGRITY: Final = "FIELD_INTEGRITY_EXCEPTION"
PAGE: Final = "<html><body>Back soon</body></html>"
_CONTACT: Final = "003Hb000000001M"

_HALTED: Final = {
    "statusCode": "ALL_OR_NONE_OPERATION_ROLLED_BACK",
    "message": "Record rolled back because not all records were valid",
    "fields": [],
}


def _field(name: str, kind: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "type": kind, "length": 80, "createable": True, "updateable": True, "unique": False, **more}


def described(*names: str) -> dict[str, Any]:
    choice = {"active": True, "defaultValue": False, "label": "Web", "validFor": None, "value": "Web"}
    fields = [_field(name, "picklist", picklistValues=[choice], nillable=True) for name in names]
    return {"name": "Contact", "custom": False, "fields": fields}


def records(kind: str, *names: str) -> dict[str, Any]:
    records = [
        {"attributes": {"type": kind}, "Id": f"001Hb000000000{number}", "Name": name}
        for number, name in enumerate(names)
    ]
    return {"totalSize": len(names), "done": True, "records": records}


def written(*ids: str) -> list[dict[str, Any]]:
    return [{"id": crm_id, "success": True, "errors": []} for crm_id in ids]


_SHAPES: Final[dict[str, tuple[int, Any]]] = {
    "row-owner-inactive": row("INACTIVE_OWNER_OR_USER", "operation performed with inactive user [005Hb01] as owner"),
    "row-record-type": row(
        "INVALID_CROSS_REFERENCE_KEY", "Record Type ID: this ID value isn't valid for the user: 012Hb01", "RecordTypeId"
    ),
    "row-country-not-in-list": row(
        _INTEGRITY, "There's a problem with this country: Mailing Country", "MailingCountry"
    ),
    "row-state-not-in-list": row(_INTEGRITY, "There's a problem with this state: Mailing State", "MailingState"),
    "row-state-code-not-in-list": row(
        _INTEGRITY, "The MailingStateCode field contains QQ, which isn't an available state."
    ),
    "row-storage-limit": row("STORAGE_LIMIT_EXCEEDED", "storage limit exceeded"),
    "row-duplicate-value-of-key": row("DUPLICATE_VALUE", "duplicate value found: careCycle_Id__c duplicates value"),
    "row-duplicate-value-other": row("DUPLICATE_VALUE", "duplicate value found: Other__c duplicates value on record"),
    "row-duplicate-value-unknown": row("DUPLICATE_VALUE", "duplicate value found: <unknown> duplicates value"),
    "row-required-missing": row("REQUIRED_FIELD_MISSING", "Required fields are missing: [LastName]"),
    "row-unknown-column-on-entity": row("INVALID_FIELD", "No such column 'foo__c' on entity 'Lead'."),
    "row-upsert-needs-view-all": row("INSUFFICIENT_ACCESS", "Upsert requires view all data on a non-unique index"),
    "row-trigger-lock": row(_TRIGGER, "App.Trigger: first error: UNABLE_TO_LOCK_ROW, 003Hb01"),
    "row-trigger-async-limit": row(_TRIGGER, "App.Trigger: AsyncApexExecutions Limit exceeded."),
    "row-too-many-soql": row(_TRIGGER, "App.Trigger: System.LimitException: Too many SOQL queries: 101"),
    "row-foreign-key": row("INVALID_FIELD", "Foreign key external ID: c-7 not found for field Key__c in entity Lead"),
    "row-entity-deleted": row("ENTITY_IS_DELETED", "entity is deleted"),
    "row-lock": row("UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record or 1 records: 003Hb01"),
    "row-no-access": row("INSUFFICIENT_ACCESS_OR_READONLY", "insufficient access rights on object id"),
    "row-twins": row(
        "DUPLICATE_EXTERNAL_ID", "careCycle_Id__c: more than one record found: [003Hb01, 003Hb02]", "careCycle_Id__c"
    ),
    "row-validation-rule": row("FIELD_CUSTOM_VALIDATION_EXCEPTION", "Harbor numbers only", "Phone"),
    "row-restricted-picklist": row(
        "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", "bad value for restricted picklist field: Pier", "LeadSource"
    ),
    "row-field-level-security": row(
        "INVALID_FIELD_FOR_INSERT_UPDATE",
        "Unable to create/update fields: X_Report__c, X_Name__c, Matched__c. Please check the security settings",
        *("X_Report__c", "X_Name__c", "Matched__c"),
    ),
    "row-text-too-long": row("STRING_TOO_LONG", "Description: data value too large: Pier 7", "Description"),
    "row-converted-lead": row("CANNOT_UPDATE_CONVERTED_LEAD", "cannot reference converted lead"),
    "row-duplicate-rule-block": row("DUPLICATES_DETECTED", "Use one of these records?"),
    "403-total-requests": whole(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."),
    "401-header-type": whole(401, "INVALID_AUTH_HEADER", "INVALID_HEADER_TYPE"),
    "describe-404": whole(404, "NOT_FOUND", "The requested resource does not exist"),
    "query-400-unknown-object": whole(400, "INVALID_TYPE", "sObject type 'Pier__c' is not supported."),
    "record-404-deleted": whole(404, "ENTITY_IS_DELETED", "entity is deleted"),
    "collections-400-too-many": whole(400, "EXCEEDED_ID_LIMIT", "record limit reached."),
    "token-400-activation-secret": login("invalid_grant", "activation secret invalid"),
    "token-400-authentication-failure": login("invalid_grant", "authentication failure"),
    "collections-update-200-lost-id": row("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id"),
    "odd-rows-errors-null": (200, [{"id": _CONTACT, "success": True, "errors": None}]),
    "odd-rows-short-list": (200, []),
    "200-maintenance-html": (200, PAGE),
    "404-host-gone": (404, PAGE),
    "401-session-expired": whole(401, "INVALID_SESSION_ID", "Session expired or invalid"),
    "401-not-valid-for-rest": whole(401, "INVALID_SESSION_ID", "This session is not valid for use with the REST API"),
    "500-session-expired": whole(500, "INVALID_SESSION_ID", "Session expired or invalid"),
    "503-object": (503, {"message": "Server Unavailable", "errorCode": "SERVER_UNAVAILABLE"}),
    "410-version-gone": whole(410, "GONE", "no longer available"),
    "query-400-invalid-id": whole(400, "INVALID_QUERY_FILTER_OPERATOR", "\nERROR at Row:1\ninvalid ID field: HB-7"),
    "query-400-malformed": whole(400, "MALFORMED_QUERY", "unexpected token: harbor"),
    "query-400-not-filterable": whole(
        400, "INVALID_FIELD", "\nERROR at Row:1\nfield 'Email' can not be filtered in a query call"
    ),
    "query-414": (414, PAGE),
    "token-400-bad-secret": login("invalid_client", "invalid client credentials"),
    "token-400-no-run-as-user": login("invalid_grant", "no client credentials user enabled"),
    "token-400-bad-key": login("invalid_client_id", "client identifier invalid"),
    "token-400-wrong-domain": login("invalid_grant", "request not supported on this domain"),
    "token-400-flow-off": login("invalid_grant", "client credentials flow not enabled"),
    "token-400-no-valid-scopes": login("invalid_grant", "no valid scopes defined"),
    "token-400-not-approved": login("invalid_grant", "user hasn't approved this consumer"),
    "token-400-audience-invalid": login("invalid_grant", "audience is invalid"),
    "token-400-invalid-assertion": login("invalid_grant", "invalid assertion"),
    "token-400-ip-restricted": login("invalid_grant", "ip restricted"),
    "token-400-inactive-user": login("invalid_grant", "inactive user"),
    "token-400-expired-token": login("invalid_grant", "expired access/refresh token"),
    "token-400-grant-off": login("unsupported_grant_type", "grant type not supported"),
    "token-400-app-access": login("invalid_app_access", "user is not admin approved to access this app"),
    "token-400-login-rate": login("invalid_grant", "login rate exceeded"),
    "token-400-unknown-error": login("unknown_error", "retry your request"),
    "token-503-html": (503, PAGE),
    "collections-create-200": (200, written("003Hb000000000A", "003Hb000000000B")),
    "collections-create-200-all-or-none": (
        200,
        [
            row("REQUIRED_FIELD_MISSING", "Required fields are missing: [LastName]", "LastName")[1][0],
            {"success": False, "errors": [_HALTED]},
        ],
    ),
    "row-duplicates-detected": (
        200,
        [row("DUPLICATES_DETECTED", "Use one of these records?")[1][0], *written("003Hb000000000C")],
    ),
    "query-200": (200, records("Account", *(f"Sample Company {number}" for number in range(1, 6)))),
    "query-200-permission-set": (200, records("PermissionSet", "IntegrationCustomFieldVisibility")),
    "permission-set-assignment-400-duplicate": whole(400, "DUPLICATE_VALUE", "Duplicate PermissionSetAssignment."),
    "describe-200": (200, described("LeadSource", "Salutation")),
    "composite-200-describe": (
        200,
        {
            "compositeResponse": [
                {"body": body, "httpHeaders": {}, "httpStatusCode": 200, "referenceId": f"describe{number}"}
                for number, body in enumerate([described("Id", "IsDeleted", "MasterRecordId", "Name"), described()])
            ]
        },
    ),
}

CORPUS: Final[list[Recorded]] = [
    as_reply(name, status, body, content_type="text/html" if isinstance(body, str) else "application/json")
    for name, (status, body) in _SHAPES.items()
]
