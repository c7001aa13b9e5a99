"""The sandbox's composite resource: up to 25 subrequests in one call, run in order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Flask
from werkzeug.exceptions import HTTPException

from connector.sandbox.salesforce.values import BadRequest, Refused

LIMIT, HEAVY_LIMIT = 25, 5


def parts(app: Flask, body: Any) -> list[dict[str, Any]]:
    """POST /composite. At most five subrequests may be collections or queries."""
    subrequests = body.get("compositeRequest") if isinstance(body, dict) else None
    if not isinstance(subrequests, list):
        raise BadRequest(400, "JSON_PARSER_ERROR", "compositeRequest is not a list")
    heavy = [part for part in subrequests if "/composite/sobjects" in part["url"] or "/query" in part["url"]]
    if len(subrequests) > LIMIT or len(heavy) > HEAVY_LIMIT:
        raise BadRequest(400, "LIMIT_EXCEEDED", "too many subrequests in one composite request")
    return [_answered(app, part) for part in subrequests]


def _answered(app: Flask, part: Mapping[str, Any]) -> dict[str, Any]:
    with app.test_request_context(part["url"], method=part["method"], json=part.get("body")) as inner:
        (inner.request.view_args or {}).pop("major", None)
        try:
            response: Any = app.dispatch_request()
        except (BadRequest, Refused, HTTPException) as error:
            response = app.handle_user_exception(error)
    return {
        "body": response.get_json(silent=True),
        "httpHeaders": {},
        "httpStatusCode": response.status_code,
        "referenceId": part["referenceId"],
    }
