"""A server that answers with everything it was ever sent, in every place that a reply has."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import quote

from flask import Response, request

Answer = Callable[[Callable[[], Response]], Response]
_PLANTED: Final = re.compile(r"canary[\w@. -]*|\+1312847\d{4}|1931-\d\d-\d\d|9100000\d\d", re.IGNORECASE)
_MOST: Final = 40


def echo(status: int, shape: str, vendor: str) -> Answer:
    """A reply of a CRM. shape: which of its places hold what was sent; vendor: salesforce or hubspot."""

    def answer(_: Callable[[], Response]) -> Response:
        said = request.get_data(as_text=True) + request.full_path
        words = list(dict.fromkeys(_PLANTED.findall(said)))[:_MOST] or ["canary-strange-nothing"]
        return _SHAPES[shape](status, said, words, vendor)

    return answer


def _json(status: int, body: object) -> Response:
    return Response(json.dumps(body), status, content_type="application/json")


def _html(status: int, said: str, _: list[str], __: str) -> Response:
    return Response(f"<html>{said}</html>", status, content_type="text/html")


def _redirect(status: int, said: str, _: list[str], __: str) -> Response:
    return Response("", status, {"Location": f"http://127.0.0.1:1/{quote(said[:900])}"})


def _error(status: int, said: str, words: list[str], vendor: str) -> Response:
    return _json(status, _salesforce_error(said, words) if vendor == "salesforce" else _hubspot_error(said, words))


def _salesforce_error(said: str, words: list[str]) -> object:
    known = {"message": said, "errorCode": "FIELD_CUSTOM_VALIDATION_EXCEPTION", "fields": [said, *words]}
    other = {"message": said, "errorCode": words[0], "fields": {words[0]: said}, "extendedErrorDetails": [said]}
    duplicate = {
        "duplicateResult": {"matchResults": [{"matchRecords": [{"record": {"Id": words[0], words[-1]: said}}]}]}
    }
    return [known, {**other, **duplicate}]


def _hubspot_error(said: str, words: list[str]) -> object:
    context: dict[str, Any] = {
        "properties": [said, *words],
        "id": words,
        words[0]: said,
        "propertyName": {words[0]: [said]},
    }
    inner = {"message": said, "in": words[0], "code": words[-1], "subCategory": said, "context": context}
    return {
        "status": words[0],
        "category": "VALIDATION_ERROR",
        "subCategory": said,
        "message": said,
        "correlationId": words[0],
        "policyName": said,
        "context": context,
        "links": {words[0]: said, "next": f"http://127.0.0.1:1/{quote(said[:300])}"},
        "errors": [inner, {**inner, "context": said}, {**inner, "context": words}, said, None],
        "requestId": words[0],
        said[:200]: said,
    }


def _headers(status: int, said: str, words: list[str], vendor: str) -> Response:
    """Values in headers, in their names, in cookies and in the reason phrase."""
    plain = "; ".join(words)[:900]
    reply = _error(status, said, words, vendor)
    reply.status = f"{status} {plain[:200]}"
    names = ["WWW-Authenticate", "Retry-After", "X-Request-Id", "X-SFDC-Request-Id", "Sforce-Limit-Info", "Date"]
    names += [
        "X-HubSpot-RateLimit-Daily",
        "X-HubSpot-RateLimit-Remaining",
        "X-HubSpot-Correlation-Id",
        "Server",
        "Warning",
    ]
    names += [f"X-{re.sub(r'[^A-Za-z0-9-]', '-', word)}" for word in words]
    for name in names:
        reply.headers[name] = plain
    reply.headers["Set-Cookie"] = f"{re.sub(r'[^A-Za-z0-9-]', '-', words[0])}={quote(plain)}; Path=/"
    reply.headers["Content-Type"] = f"application/json; charset={re.sub(r'[^A-Za-z0-9-]', '-', words[0])}"
    return reply


def _entries(status: int, said: str, words: list[str], vendor: str) -> Response:
    """A verdict for each record, of which some failed and some have what was sent for an id."""
    if vendor == "salesforce":
        errors = [{"statusCode": words[0], "message": said, "fields": [said, *words]}]
        failed = {"id": words[0], "success": False, "created": said, "errors": errors}
        return _json(status, [failed] * 3)
    failed = [{"status": "error", "category": words[0], "message": said, "context": {"ids": words, words[0]: [said]}}]
    kept = {"id": words[0], "properties": dict.fromkeys(words, said), "createdAt": said, "updatedAt": said, "new": said}
    return _json(status, {"status": words[0], "results": [kept], "numErrors": 3, "errors": failed, "startedAt": said})


def _ids(status: int, said: str, words: list[str], vendor: str) -> Response:
    """Success, with what was sent in place of each record's id."""
    if vendor == "salesforce":
        return _json(status, [{"id": words[0], "success": True, "created": True, "errors": []}] * 3)
    kept = {"id": words[0], "properties": {"carecycle_id": "c-known", **dict.fromkeys(words, said)}, "new": True}
    return _json(
        status, {"status": "COMPLETE", "results": [kept], "links": {"next": said}, "paging": {"next": {"after": said}}}
    )


def _cut(status: int, said: str, words: list[str], vendor: str) -> Response:
    whole = _error(status, said, words, vendor).get_data()
    return Response(whole[: len(whole) * 2 // 3], status, content_type="application/json")


def _login(status: int, said: str, words: list[str], _: str) -> Response:
    """A reply of a token endpoint: the secrets it was sent are in every part of it."""
    there = f"https://{re.sub(r'[^a-z0-9-]', '-', words[0].lower())}.example/{quote(said[:200])}"
    body = {
        "error": said[:200],
        "error_description": said,
        "error_uri": there,
        "access_token": said,
        "instance_url": there,
    }
    return _json(status, {**body, "id": there, "token_type": said, "scope": said, "signature": said, words[0]: said})


_SHAPES: Final = {
    "html": _html,
    "redirect": _redirect,
    "json": _error,
    "headers": _headers,
    "entries": _entries,
    "ids": _ids,
    "cut": _cut,
    "login": _login,
}


def repeat(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """A server of neither CRM (careCycle's API, a webhook of alarms) that refuses with what it was sent, as WSGI."""
    length = int(environ.get("CONTENT_LENGTH") or 0)
    sent = environ["wsgi.input"].read(length).decode("utf-8", "replace")
    headers = {name: value for name, value in environ.items() if name.startswith("HTTP_")}
    said = json.dumps({"path": environ["PATH_INFO"], "query": environ["QUERY_STRING"], "sent": sent, **headers})
    plain = re.sub(r"[^ -~]", " ", said)[:900]
    told = [("Content-Type", "application/json"), ("X-Echo", plain), ("Location", f"http://127.0.0.1:1/{quote(plain)}")]
    start_response(f"403 {plain[:200]}", told)
    return [json.dumps({"message": said, "error": {"code": plain, said[:100]: said}}).encode()]
