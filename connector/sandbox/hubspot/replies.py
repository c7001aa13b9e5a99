"""The shapes of HubSpot's replies: error bodies, batch envelopes, times."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from typing import Any

JSON_TYPE = "application/json;charset=utf-8"


class Refusal(Exception):
    """HubSpot rejects a request or a record of a batch. `named`: extra context that only a batch error shows."""

    def __init__(
        self,
        status: int,
        message: str,
        category: str | None = "VALIDATION_ERROR",
        named: dict[str, list[str]] | None = None,
        **more: Any,
    ) -> None:
        super().__init__(category)
        self.status, self.message, self.category, self.named, self.more = status, message, category, named or {}, more

    def body(self) -> dict[str, Any]:
        """Build the body of the whole reply, without the correlation id."""
        category = {"category": self.category} if self.category else {}
        return {"status": "error", "message": self.message, **category, **self.more}

    def entry(self, trace: str | None) -> dict[str, Any]:
        """Build an error of a batch reply, where only the message names the property."""
        context = {**self.more.get("context", {}), **self.named, **({"objectWriteTraceId": [trace]} if trace else {})}
        return {"status": "error", "category": self.category, "message": self.message, "context": context}


def invalid(problems: list[dict[str, Any]]) -> Refusal:
    """Reject a record for its property values; each property has its own problem."""
    details = [
        {"message": p["message"], "code": p["error"], "context": {"propertyName": [p["name"]]}} for p in problems
    ]
    return Refusal(400, "Property values were not valid: " + json.dumps(problems), errors=details)


def clash(existing: str, *, named: bool) -> Refusal:
    """Reject an email address that belongs to another contact. named: whether to say which; HubSpot does not always."""
    if not named:
        return Refusal(409, "Contact already exists", "CONFLICT")
    message = f"Contact already exists. Existing ID: {existing}"
    return Refusal(409, message, "CONFLICT", named={"existingId": [existing]})


def absent(kind: str, *identities: str) -> Refusal:
    """Reject records of a batch that do not exist."""
    noun = {"companies": "COMPANY"}.get(kind, kind.removesuffix("s").upper())
    message = f"Could not get some {noun} objects, they may be deleted or not exist. Check that ids are valid."
    return Refusal(404, message, "OBJECT_NOT_FOUND", context={"ids": list(identities)})


def not_found() -> Refusal:
    """Reject a request for a single record that does not exist: a 404 without a category."""
    return Refusal(404, "resource not found", None)


def problem(name: str, code: str, message: str) -> dict[str, Any]:
    """Build a property's problem as HubSpot lists it inside a message."""
    return {"isValid": False, "message": message, "error": code, "name": name}


def iso(seconds: float) -> str:
    """Format Unix time as HubSpot does: milliseconds, Z."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def envelope(results: list[Any], at: float, errors: list[Any] | None = None) -> dict[str, Any]:
    """Build the body of a batch reply."""
    body = {"status": "COMPLETE", "results": results, "startedAt": iso(at), "completedAt": iso(at)}
    return {**body, "numErrors": len(errors), "errors": errors} if errors else body


def missing_scopes(scopes: list[str]) -> Refusal:
    """Reject a request whose token lacks these scopes."""
    page = "https://developers.hubspot.com/scopes"
    text = "This app hasn't been granted all required scopes to make this call. Read more about required scopes here: "
    detail = {"message": "One or more of the following scopes are required.", "context": {}}
    return Refusal(
        403,
        f"{text}{page}.",
        "MISSING_SCOPES",
        errors=[{**detail, "context": {"requiredGranularScopes": scopes}}],
        links={"scopes": page},
    )


def rate_limit(policy: str) -> dict[str, Any]:
    """Build the body of a 429, which has no category (hubspot-api-python#117)."""
    words = {"DAILY": "daily", "SECONDLY": "secondly"}.get(policy, "ten_secondly_rolling")
    return {
        "status": "error",
        "message": f"You have reached your {words} limit.",
        "errorType": "RATE_LIMIT",
        "correlationId": str(uuid.uuid4()),
        "policyName": policy,
        "groupName": "privateapp:sandbox",
    }
