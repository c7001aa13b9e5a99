"""HubSpot's replies in every shape that is known, with values of our own."""

from __future__ import annotations

import json
from typing import Any, Final

from tests.replies.shared import Recorded, as_reply

OURS: Final = {
    "account": "77 production app-eu1.hubspot.com",
    "portal": "77 unknown",
    "company": "41001",
    "company_name": "Harbor Insurance",
    "company_properties": "3 properties, 1 read-only",
    "conditional": "plan_state",
    "conflicting": "40210",
    "contact": "40101",
    "contact2": "40102",
    "contact_properties": "4 properties, 2 read-only",
    "deal": "42001",
    "deals": "42001 42002",
    "domain": "harbor.example",
    "end": "41002",
    "existing": "40220",
    "first": "ada@example.org",
    "firstname": "Grace",
    "found": "40301",
    "found2": "40302",
    "from": "40110",
    "from22": "42010",
    "good": "grace@example.org",
    "holder": "40230",
    "ignored": "hs_lead_status",
    "listed_holder": "40240",
    "lost": "40103",
    "meeting": "43001",
    "missing": "GoneContact7",
    "on_create": "lead_source",
    "owner": "omar@example.org",
    "owner_id": "50002",
    "owner_of_seven": "owner3@example.org",
    "owner_of_seven_id": "50013",
    "owner_repeated": "lena@example.org",
    "owner_repeated_id": "50021",
    "reference": "AGENCY-7",
    "required": "stage agency",
    "scope": "tickets",
    "second": "kim@example.org",
    "start": "40120",
    "tickets": "44001 44002 44003",
    "title": "Renewal",
    "to": "41010",
    "to22": "40111",
    "top_scope": "crm.schemas.custom.read",
    "unknown": "frist_name lsat_name",
    "updated": "41003",
}
"""The values in this corpus, by what they are."""

_AT: Final = "2026-11-02T15:04:05.000Z"
_RATES: Final = {"x_hubspot_ratelimit_max": "110", "x_hubspot_ratelimit_interval_milliseconds": "10000"}
_NOT_VALID: Final = "Property values were not valid"
_SCOPES: Final = "One or more of the following scopes are required."
_HTML: Final = "<!DOCTYPE html><html><head><title>{}</title></head><body>Please try again later.</body></html>"
_ABSENT: Final = {"category": "OBJECT_NOT_FOUND", "message": "Could not get some CONTACT objects, they may be deleted."}


def _refused(message: str | None, category: str = "VALIDATION_ERROR", **more: Any) -> dict[str, Any]:
    named = {"category": category} if category else {}
    return {"status": "error", "message": message, "correlationId": "7e6b", **named, **more}


def listed(code: str, *names: str, text: str = "no") -> str:
    """How HubSpot names properties inside a message."""
    return f"{_NOT_VALID}: " + json.dumps(
        [{"isValid": False, "message": text, "error": code, "name": name} for name in names]
    )


def _record(number: str, shown: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return {"id": number, "properties": shown or {}, "createdAt": _AT, "updatedAt": _AT, "archived": False, **more}


def _batch(*results: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"status": "COMPLETE", "results": list(results), "startedAt": _AT, "completedAt": _AT, **more}


def _with_errors(*errors: dict[str, Any], results: Any = ()) -> dict[str, Any]:
    return _batch(*results, numErrors=len(errors), errors=list(errors))


def _upserted(**changes: Any) -> dict[str, Any]:
    return {**_record("40001", {"carecycle_id": "c-0"}, new=True, objectWriteTraceId="0"), **changes}


def half(**changes: Any) -> dict[str, Any]:
    """The first row was written, the second rejected."""
    error = {
        "status": "error",
        "category": "VALIDATION_ERROR",
        "message": listed("INVALID_OPTION", "hs_language"),
        "context": {"objectWriteTraceId": ["1"]},
        **changes,
    }
    return _with_errors(error, results=[_upserted()])


def _detail(**parts: Any) -> list[dict[str, Any]]:
    return [{"message": "no", **parts}]


def _page(*records: dict[str, Any], after: str = "") -> dict[str, Any]:
    paging = {"paging": {"next": {"after": after}}} if after else {}
    return {"total": 9, "results": list(records), **paging}


def _owner(number: str, address: str) -> dict[str, Any]:
    return {"id": number, "email": address, "type": "PERSON", "userId": 7, "archived": False, "createdAt": _AT}


def _property(name: str, kind: str = "string", form: str = "text", *, fixed: bool = False, **more: Any) -> Any:
    changes = {"archivable": True, "readOnlyDefinition": True, "readOnlyValue": fixed}
    options: list[Any] = []
    return {"name": name, "type": kind, "fieldType": form, "options": options, "modificationMetadata": changes, **more}


def _labeled(start: str, *ends: str) -> dict[str, Any]:
    one = {"fromObjectTypeId": "0-1", "toObjectTypeId": "0-2", "labels": []}
    return _batch(*({**one, "fromObjectId": int(start), "toObjectId": int(end)} for end in ends))


def _pairs(start: str, end: str, **kind: Any) -> dict[str, Any]:
    """Both directions of an association."""
    return _batch(
        {"from": {"id": start}, "to": {"id": end}, **kind}, {"from": {"id": end}, "to": {"id": start}, **kind}
    )


def _limit(words: str, **more: Any) -> dict[str, Any]:
    return {"status": "error", "message": f"You have reached your {words} limit.", **more}


def _taken(holder: str) -> str:
    kind = "portalId=77, objectTypeId=ObjectTypeId{legacyObjectType=CONTACT}"
    where = f"PropertyValueCoordinates{{{kind}, propertyName=carecycle_id, value=propertyName=x}}"
    return f"Cannot set {where} on 40001. {holder} already has that value."


_HELD: Final = f"Cannot set it on 1. {OURS['listed_holder']} already has that value."

_WHOLE: Final[dict[str, tuple[int, Any]]] = {
    "200-empty": (200, _batch(errors=[])),
    "400-conditional-required": (
        400,
        _refused(
            _NOT_VALID,
            errors=[
                {
                    "code": "MISSING_CONDITIONAL_REQUIRED_PROPERTY",
                    "message": f"{OURS['conditional']} is required because of a conditional property rule",
                    "context": {"propertyName": [OURS["conditional"]]},
                }
            ],
        ),
    ),
    "400-invalid-json": (400, _refused("Invalid input JSON on line 2, column 4: Cannot deserialize value", "")),
    "400-key-not-unique": (
        400,
        _refused("Unable to perform update/upsert by non-unique 0-2 property tag in portal ID 77"),
    ),
    "400-required-on-create": (
        400,
        _refused(
            _NOT_VALID,
            errors=_detail(
                code="MISSING_REQUIRED_PROPERTY",
                message=f"A value for {OURS['on_create']} must be provided",
            ),
        ),
    ),
    "400-required-properties": (
        400,
        _refused(
            "Error creating TICKET. Some required properties were not set.",
            context={"properties": OURS["required"].split()},
        ),
    ),
    "400-unique-value-taken-listed": (
        400,
        _refused(
            listed(
                "CONFLICTING_UNIQUE_VALUE",
                "carecycle_id",
                text=_HELD,
            )
        ),
    ),
    "401": (401, _refused("Authentication credentials not found.", "INVALID_AUTHENTICATION")),
    "403-required-scopes": (
        403,
        _refused(
            "The app lacks scopes.", "MISSING_SCOPES", errors=_detail(context={"requiredScopes": [OURS["scope"]]})
        ),
    ),
    "403-scopes-nested": (
        403,
        _refused(
            "The app lacks scopes.",
            "MISSING_SCOPES",
            errors=_detail(context={"requiredGranularScopes": ["crm.objects.contacts.write"]}),
        ),
    ),
    "404-lean": (404, _refused("resource not found", "")),
    "429-category": (429, _limit("ten_secondly_rolling", category="RATE_LIMITS")),
    "429-search-second": (429, _limit("secondly", errorType="RATE_LIMIT", policyName="SECONDLY")),
    "account-info-200": (200, {"portalId": 77, "accountType": "STANDARD", "uiDomain": "app-eu1.hubspot.com"}),
    "integrations-me-200": (200, {"portalId": 77, "timeZone": "US/Mountain"}),
    "contacts-400-invalid-email": (
        400,
        _refused(listed("INVALID_EMAIL", "email", text="Email address ada@nowhere is invalid")),
    ),
    "contacts-400-unique-value-taken": (400, _refused(_taken(OURS["holder"]))),
    "contacts-409-existing-id": (409, _refused(f"Contact already exists. Existing ID: {OURS['existing']}", "CONFLICT")),
    "contacts-batch-create-409-no-id": (409, _refused("Contact already exists", "CONFLICT")),
    "contacts-batch-create-400-unknown-properties": (
        400,
        _refused(
            listed("PROPERTY_DOESNT_EXIST", *OURS["unknown"].split(), *OURS["unknown"].split()),
            errors=[
                {"code": "PROPERTY_DOESNT_EXIST", "message": "no", "context": {"propertyName": [name]}}
                for name in OURS["unknown"].split()
            ],
        ),
    ),
    "contacts-batch-update-400-duplicate-ids": (
        400,
        _refused("Duplicate IDs found in batch input: [7]. IDs must be unique", context={"ids": ["7"]}),
    ),
    "contacts-v1-409": (
        409,
        {
            "status": "error",
            "message": "Contact already exists",
            "identityProfile": {"vid": 7, "identity": []},
            "errors": [{"message": "It exists already.", "in": "email"}],
            "category": "OBJECT_ALREADY_EXISTS",
            "error": "CONTACT_EXISTS",
        },
    ),
    "lists-400-required-field": (
        400,
        _refused("Invalid input JSON on line 1. Some required fields were not set: [name]"),
    ),
    "objects-404-missing-by-unique-value": (
        404,
        _refused(
            _ABSENT["message"],
            "OBJECT_NOT_FOUND",
            context={"missingObjectPropertyValueCoordinates": ["0-1 carecycle_id:c-1"]},
        ),
    ),
    "property-create-409-exists": (
        409,
        _refused("It exists already.", "OBJECT_ALREADY_EXISTS", subCategory="Properties.PROPERTY_WITH_NAME_EXISTS"),
    ),
    "property-read-404": (404, _refused("Property carecycle_id does not exist", "OBJECT_NOT_FOUND")),
    "schemas-403-scopes-top-level": (
        403,
        _refused(_SCOPES, "MISSING_SCOPES", context={"requiredGranularScopes": [OURS["top_scope"]], "links": ["x"]}),
    ),
    "search-400-unknown-object": (400, _refused("Unable to infer object type from: moths", "")),
    "unsubscribe-all-400-already": (400, _refused("The subscriber is already unsubscribed")),
    "unsubscribe-all-400-no-channel": (400, _refused("channel is missing")),
    "unsubscribe-all-get-200-empty": (200, _batch()),
}
_READ: Final[dict[str, tuple[int, Any]]] = {
    "companies-properties-200": (
        200,
        {
            "results": [
                _property("about", calculated=False),
                _property("score", "number", "calculation_score", fixed=True, calculated=True),
                _property("place", "object_coordinates", "newfangled"),
            ]
        },
    ),
    "contacts-properties-200": (
        200,
        {
            "results": [
                _property("plan_state", "enumeration", "select", externalOptions=True),
                _property("agent_notes", hidden=True),
                _property("first_seen", "datetime", "date", fixed=True),
                _property("hs_score", "number", "number", fixed=True),
            ]
        },
    ),
    "contacts-property-create": (200, _property("carecycle_id", hasUniqueValue=False)),
    "property-create-201-restored": (201, _property("carecycle_id", hasUniqueValue=False, createdAt=_AT)),
    "contacts-search-page-1": (200, _page(_record("40301", {"firstname": "Grace", "phone": None}), after="1")),
    "contacts-search-page-2": (200, _page(_record("40302", {"firstname": "Grace", "phone": "+1520"}))),
    "companies-search-200": (200, _page(_record("41003", {"name": "Harbor Insurance", "city": None}))),
    "deals-search-200": (
        200,
        _page(*(_record(number, {"dealname": "Renewal"}) for number in OURS["deals"].split()), after="2"),
    ),
    "tickets-search-200": (
        200,
        _page(*(_record(number, {"subject": "Renewal"}) for number in OURS["tickets"].split()), after="3"),
    ),
    "meetings-search-200": (
        200,
        _page(_record("43001", {"hs_meeting_title": "Renewal", "hs_meeting_body": "<p>x</p>"})),
    ),
    "owners-200": (200, {"results": [_owner("50001", "nina@example.org"), _owner("50002", OURS["owner"])]}),
    "owners-200-seven": (200, {"results": [_owner(f"5001{n}", f"owner{n}@example.org") for n in range(7)]}),
    "odd-owners-cursor-repeats": (
        200,
        {"results": [_owner("50021", OURS["owner_repeated"])], "paging": {"next": {"after": "WA=="}}},
    ),
}
_WRITTEN: Final[dict[str, tuple[int, Any]]] = {
    "contacts-batch-create-201": (
        201,
        _batch(*(_record(str(n), {"email": address}) for n, address in enumerate((OURS["second"], OURS["first"])))),
    ),
    "contacts-batch-create-207-conflict": (
        207,
        _with_errors(
            {
                "status": "error",
                "category": "CONFLICT",
                "message": f"Contact already exists. Existing ID: {OURS['conflicting']}",
                "context": {"objectWriteTraceId": ["0"], "existingId": [OURS["conflicting"]]},
            },
            results=[_record("40111", {"email": OURS["good"], "firstname": "Grace"})],
        ),
    ),
    "contacts-batch-update-200": (
        200,
        _batch(_record("40102", {"lifecyclestage": "lead"}), _record("40101", {"hs_is_unworked": "true"})),
    ),
    "contacts-batch-update-207-missing-id": (
        207,
        _with_errors({"status": "error", **_ABSENT, "context": {"ids": [OURS["missing"]]}}, results=[_record("40102")]),
    ),
    "companies-batch-create-200": (200, _batch(_record("41004", {"domain": OURS["domain"], "city": "Mesa"}))),
    "companies-batch-update-200": (200, _batch(_record("41003", {"city": "Mesa"}))),
    "companies-batch-upsert-200-2026-09": (
        200,
        _batch(_record("41005", {"customer_reference": "AGENCY-7"}, new=False, objectWriteTraceId="first")),
    ),
    "associations-create-201-labelled": (201, _labeled("40110", "41010", "41011")),
    "associations-create-201-labelled-2022": (201, _labeled("42010", "40111")),
    "associations-create-207-2022": (
        207,
        _with_errors({"status": "error", "category": "VALIDATION_ERROR", "message": "CONTACT=1234 is not valid"}),
    ),
    "associations-create-207-errors": (
        207,
        _with_errors(
            {
                "status": "error",
                "category": "VALIDATION_ERROR",
                "subCategory": "crm.associations.INVALID_IDENTIFIER",
                "message": "nobody is not a valid ID",
                "context": {"id": ["nobody"]},
            },
            {"status": "error", "category": "VALIDATION_ERROR", "message": "Object 7 cannot be associated to itself"},
        ),
    ),
    "associations-default-200": (200, _pairs("42001", "41001", associationSpec={"associationTypeId": 5})),
    "associations-v3-create-both-directions": (200, _pairs("40120", "41002", type="contact_to_company")),
}
_ODD: Final[dict[str, tuple[int, Any]]] = {
    "odd-200-errors-null": (200, _batch(_upserted(), errors=None)),
    "odd-200-value-number": (200, _batch(_upserted(properties={"carecycle_id": "c-0", "visits": 4}))),
    "odd-200-id-number": (200, _batch(_upserted(id=40001))),
    "odd-200-properties-null": (200, _batch(_upserted(properties=None))),
    "odd-200-warnings": (
        200,
        _batch(_upserted(warnings=[{"category": "X", "message": "no", "context": {"propertyName": OURS["ignored"]}}])),
    ),
    "odd-200-with-errors": (200, half()),
    "odd-207-control": (207, half()),
    "odd-207-context-null": (207, half(context=None)),
    "odd-207-message-null": (207, half(message=None)),
    "odd-207-category-null": (207, half(category=None)),
    "odd-207-errors-null": (207, half(errors=None, links=None, id=None)),
    "odd-207-detail-code-null": (207, half(errors=_detail(code=None))),
    "odd-207-detail-context-null": (207, half(errors=_detail(context=None, **{"in": None}))),
    "odd-207-detail-context-text": (
        207,
        half(errors=_detail(code="INVALID_OPTION", context="{missingScopes=[a, b]}", **{"in": "properties"})),
    ),
    "odd-207-context-number": (
        207,
        half(context={"objectWriteTraceId": ["1"], "existingId": [40250]}),
    ),
    "odd-207-context-nested": (207, half(context={"objectWriteTraceId": ["1"], "more": {"deep": ["er"]}})),
    "odd-400-context-null": (400, _refused("Unable to perform update/upsert by non-unique property tag", context=None)),
    "odd-400-detail-code-null": (
        400,
        _refused(listed("INVALID_OPTION", "hs_language"), errors=_detail(code=None)),
    ),
    "odd-400-detail-context-text": (
        400,
        _refused(_NOT_VALID, errors=_detail(code="INVALID_OPTION", context="{propertyName=[hs_language]}")),
    ),
    "odd-403-detail-context-text": (
        403,
        _refused(
            "No.", "MISSING_SCOPES", errors=_detail(context="{requiredGranularScopes=[crm.objects.contacts.write]}")
        ),
    ),
    "odd-404-detail-context-text": (
        404,
        _refused("Object not found.", "OBJECT_NOT_FOUND", errors=_detail(context=f"{{id=[{OURS['lost']}]}}")),
    ),
    "odd-429-detail-context-text": (
        429,
        _limit("daily", errorType="RATE_LIMIT", policyName="DAILY", errors=_detail(context="{}")),
    ),
}

CORPUS: Final[dict[str, Recorded]] = {
    **{name: as_reply(name, *reply) for name, reply in (_WHOLE | _READ | _WRITTEN | _ODD).items()},
    "200-maintenance-html": as_reply("", 200, _HTML.format("Maintenance"), content_type="text/html"),
    "403-cloudflare": as_reply("", 403, _HTML.format("Blocked"), content_type="text/html;charset=UTF-8"),
    "429-ten-seconds": as_reply(
        "", 429, _limit("ten_secondly_rolling", errorType="RATE_LIMIT", policyName="TEN_SECONDLY_ROLLING"), **_RATES
    ),
}
"""Reply by name, as the recorded ones are named."""
