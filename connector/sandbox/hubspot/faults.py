"""HubSpot's failures, to plan with Wire.fault."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable

from flask import Response

from connector.sandbox.hubspot.replies import JSON_TYPE, rate_limit

Answer = Callable[[Callable[[], Response]], Response]


class HubSpotFaults:
    """Each method returns an answer for Wire.fault."""

    @staticmethod
    def rate_limited(policy: str = "TEN_SECONDLY_ROLLING", retry_after: int | None = None) -> Response:
        """429 for TEN_SECONDLY_ROLLING, DAILY or SECONDLY; HubSpot often leaves out Retry-After."""
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        return Response(json.dumps(rate_limit(policy)), 429, headers, content_type=JSON_TYPE)

    @staticmethod
    def locked_423() -> Response:
        return _error(423, "The resource is locked; wait at least 2 seconds")

    @staticmethod
    def migration_477(seconds: int | None) -> Response:
        """The portal is moving to another data center."""
        return _error(477, "Migration in progress", {} if seconds is None else {"Retry-After": str(seconds)})

    @staticmethod
    def refused(status: int, category: str, message: str = "refused") -> Response:
        """Any other error in HubSpot's own shape."""
        return _error(status, message, category=category)

    @staticmethod
    def html(status: int) -> Response:
        """A page from Cloudflare or a proxy instead of HubSpot."""
        return Response("<html><body><h1>Please wait</h1></body></html>", status, content_type="text/html")

    @staticmethod
    def not_utf8(status: int = 500) -> Response:
        return Response(b'{"message": "\xff\xfe"}', status, content_type=JSON_TYPE)

    @staticmethod
    def empty_2xx(status: int = 200, body: str = "") -> Response:
        """Success with an empty body."""
        return Response(body, status, content_type=JSON_TYPE)

    @staticmethod
    def success_with_errors() -> Answer:
        """Handle the request, then answer 200 instead of 207."""

        def answer(handle: Callable[[], Response]) -> Response:
            response = handle()
            response.status_code = 200
            return response

        return answer

    @staticmethod
    def warning(name: str, shown: str | None = None) -> Answer:
        """Handle the request, and warn in every result about a property, which keeps the value `shown`."""

        def answer(handle: Callable[[], Response]) -> Response:
            response = handle()
            body = response.get_json()
            for result in body["results"]:
                warning = {"category": "PROPERTY_WARNING", "message": "made up", "context": {"propertyName": name}}
                result["properties"][name] = shown
                result["warnings"] = [warning]
            response.set_data(json.dumps(body))
            return response

        return answer


def _error(
    status: int, message: str, headers: dict[str, str] | None = None, *, category: str | None = None
) -> Response:
    body = {"status": "error", "message": message, "correlationId": str(uuid.uuid4())}
    return Response(
        json.dumps({**body, **({"category": category} if category else {})}), status, headers, content_type=JSON_TYPE
    )
