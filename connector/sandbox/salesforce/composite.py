"""The sandbox's composite resource: up to 25 subrequests in one call, run in order."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from flask import Flask
from werkzeug.exceptions import HTTPException

from connector.sandbox.salesforce.values import BadRequest, Refused

LIMIT, HEAVY_LIMIT = 25, 5
_INHERITED: Final = frozenset({"accept", "authorization", "content-type"})
_REFERENCE: Final = re.compile(r"@\{(\w+)[^}]*\}?")


def parts(app: Flask, body: Any) -> list[dict[str, Any]]:
    """POST /composite. At most five subrequests may be collections or queries."""
    subrequests = body.get("compositeRequest") if isinstance(body, dict) else None
    if not isinstance(subrequests, list):
        raise BadRequest(400, "JSON_PARSER_ERROR", "compositeRequest is not a list")
    _check(subrequests)
    return [_answered(app, part) for part in subrequests]


def _check(subrequests: list[Any]) -> None:
    heavy = [part for part in subrequests if re.search("/composite/sobjects|/query", part["url"])]
    if len(subrequests) > LIMIT or len(heavy) > HEAVY_LIMIT:
        raise BadRequest(400, "LIMIT_EXCEEDED", "too many subrequests in one composite request")
    for part in subrequests:
        if not re.fullmatch(r"[A-Za-z0-9]\w*", part["referenceId"], re.ASCII):
            raise BadRequest(400, "JSON_PARSER_ERROR", "Provided referenceId must contain only letters and numbers")
        if _INHERITED & {name.lower() for name in part.get("httpHeaders") or {}}:
            raise BadRequest(400, "JSON_PARSER_ERROR", "a subrequest has a header that it inherits")


def rows(body: Any) -> int:
    """Count the records that a composite request writes."""
    bodies = (part.get("body") or {} for part in body.get("compositeRequest", ()))
    return sum(len(own.get("records", ())) for own in bodies)


def _answered(app: Flask, part: Mapping[str, Any]) -> dict[str, Any]:
    headers = part.get("httpHeaders") or {}  # of the request's own, it inherits only those that nobody reads here
    with app.test_request_context(part["url"], method=part["method"], json=part.get("body"), headers=headers) as inner:
        (inner.request.view_args or {}).pop("major", None)
        try:
            _resolve(part)
            response: Any = app.dispatch_request()
        except (BadRequest, Refused, HTTPException) as error:
            response = app.handle_user_exception(error)
    return {
        "body": response.get_json(silent=True),
        "httpHeaders": {},
        "httpStatusCode": response.status_code,
        "referenceId": part["referenceId"],
    }


def _resolve(part: Mapping[str, Any]) -> None:
    """Refuse a subrequest that refers to another: none here has a name that a value could repeat."""
    if reference := _REFERENCE.search(json.dumps([part["url"], part.get("body")])):
        message = f"Invalid reference specified. No value for {reference[1]} found"
        raise BadRequest(400, "PROCESSING_HALTED", message)
