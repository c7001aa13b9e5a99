"""The sandbox's composite resource: up to 25 requests in one call, answered one after the other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Flask
from werkzeug.exceptions import HTTPException

from connector.sandbox.salesforce.values import BadRequest, Refused

LIMIT, HEAVY_LIMIT = 25, 5


def parts(app: Flask, body: Any) -> list[dict[str, Any]]:
    """POST /composite: of collections and queries it takes five."""
    asked = body.get("compositeRequest") if isinstance(body, dict) else None
    if not isinstance(asked, list):
        raise BadRequest(400, "JSON_PARSER_ERROR", "compositeRequest is not a list")
    heavy = [one for one in asked if "/composite/sobjects" in one["url"] or "/query" in one["url"]]
    if len(asked) > LIMIT or len(heavy) > HEAVY_LIMIT:
        raise BadRequest(400, "LIMIT_EXCEEDED", "too many subrequests in one composite request")
    return [_answered(app, one) for one in asked]


def _answered(app: Flask, asked: Mapping[str, Any]) -> dict[str, Any]:
    with app.test_request_context(asked["url"], method=asked["method"], json=asked.get("body")) as inner:
        (inner.request.view_args or {}).pop("major", None)
        try:
            response: Any = app.dispatch_request()
        except (BadRequest, Refused, HTTPException) as error:
            response = app.handle_user_exception(error)
    told = {"body": response.get_json(silent=True), "httpHeaders": {}, "httpStatusCode": response.status_code}
    return told | {"referenceId": asked["referenceId"]}
