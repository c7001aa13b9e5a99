"""Where an org answers: not at a former address, not for an API version it no longer has, not at an endless URL."""

from __future__ import annotations

from typing import Final

from flask import Response, request

from connector.sandbox.salesforce.faults import error_reply

OLDEST: Final = 31
_NEWEST: Final = 68
_RETIRED: Final = range(21, OLDEST)
_LONGEST_URL: Final = 16_384


def left_behind(address: str) -> Response:
    """Build the reply of an address that the org no longer has; it redirects to the new one, if given."""
    if not address:
        return _page(404, "URL No Longer Exists")
    return Response("", 302, {"Location": address + request.full_path.rstrip("?")})


def unserved(url: str, version: int) -> Response | None:
    """Build the refusal of a URL that is too long or of an API version that does not exist; None if it is served."""
    if len(url) > _LONGEST_URL:
        return _page(414, "URI Too Long")
    if version in _RETIRED:
        return error_reply(410, "GONE", "The requested resource is no longer available")
    if not OLDEST <= version <= _NEWEST:
        return error_reply(404, "NOT_FOUND", "The requested resource does not exist")
    return None


def _page(status: int, text: str) -> Response:
    return Response(f"<html><body>{text}</body></html>", status, content_type="text/html")
