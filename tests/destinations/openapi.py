"""HubSpot's own OpenAPI descriptions, which judge what is sent to a sandbox where copies of them are at hand.

HUBSPOT_OPENAPI names that of the legacy paths; those of the dated ones are beside it, with the version in their names.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest
from flask import Response, request

from connector.destinations.hubspot import attached, bench, calls, pipelines, removal
from connector.destinations.hubspot.settings import LEGACY
from connector.sandbox.hubspot import HubSpotSandbox

NAMED: Final = os.environ.get("HUBSPOT_OPENAPI", "")
VERSIONS: Final = (LEGACY, "2026-03", "2026-09")
_HOST: Final = "https://api.hubapi.com"
_CLIENT: Final = "hubspot-api-client"
"""How the client library calls itself: tests also ask the sandbox by themselves."""
NOT_COPIED: Final = frozenset(
    {calls.ME, pipelines.PIPELINES, bench.DELETE, bench.REMOVE, removal.ARCHIVE, attached.SCHEMAS}
)
"""Paths of which the copies at hand have no description."""


def description(version: str) -> Path:
    """The copy of the description of one version, which may not exist."""
    named = Path(NAMED or "none")
    return named if version == LEGACY else named.with_stem(f"{named.stem}-{version}")


class Referee:
    """Judges what a sandbox is asked; `verdicts` holds what was wrong, `judged` the paths that were looked at.

    replies: whether to judge the sandbox's replies as well.
    """

    def __init__(self, sandbox: HubSpotSandbox, *, replies: bool = False) -> None:
        self.verdicts: list[str] = []
        self.judged: list[str] = []
        self._replies = replies
        sandbox.app.after_request(self._judge)

    def _judge(self, response: Response) -> Response:
        version = next((version for version in VERSIONS if f"/{version}" in request.path), LEGACY)
        judge = _judge_of(version)
        if judge and request.user_agent.string.startswith(_CLIENT) and not _is_not_copied(version):
            self.judged.append(request.path)
            wrong = judge(_completed(response) if self._replies and response.data else None)
            self.verdicts += [f"{request.method} {request.path} {response.status_code}: {text}" for text in wrong]
        return response


def _is_not_copied(version: str) -> bool:
    """Whether the current request is to a path that no copy describes."""
    patterns = (re.sub(r"{\w+}", "[^/]+", own.of(version)) for own in NOT_COPIED if own.method == request.method)
    return any(re.fullmatch(pattern, request.path) for pattern in patterns)


@cache
def _judge_of(version: str) -> Callable[[Response | None], list[str]] | None:
    """What says what is wrong with the current request, and with its reply if it is given."""
    path = description(version)
    if not path.is_file():
        return None
    core = pytest.importorskip("openapi_core")
    wrappers = pytest.importorskip("openapi_core.contrib.werkzeug")
    openapi = core.OpenAPI.from_dict({**json.loads(path.read_text()), "servers": [{"url": _HOST}]})

    class Asked(wrappers.WerkzeugOpenAPIRequest):  # type: ignore[misc, name-defined]  # a class that is imported late
        host_url = _HOST

    def wrong(response: Response | None) -> list[str]:
        asked = Asked(request)
        checks: list[Callable[[], Any]] = [lambda: openapi.validate_request(asked)]
        if response is not None:
            told = wrappers.WerkzeugOpenAPIResponse(response)
            checks.append(lambda: openapi.validate_response(asked, told))
        problems = []
        for check in checks:
            try:
                check()
            except core.exceptions.OpenAPIError as error:
                problems.append(_reasons(error))
        return problems

    return wrong


def _reasons(error: BaseException) -> str:
    return "; ".join(str(one.message) for one in getattr(error.__cause__, "schema_errors", ())) or repr(error)


def _completed(response: Response) -> Response:
    """HubSpot's own batch errors lack parts its description requires: fill those in."""
    body: Any = response.get_json(silent=True)
    if isinstance(body, dict) and response.status_code in (200, 201, 207):
        for error in body.get("errors", []):
            error.update(errors=[], links={})
    text = response.get_data(as_text=True) if body is None else json.dumps(body)
    return Response(text, response.status_code, content_type="application/json")
