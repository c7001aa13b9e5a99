"""Send one of each kind of request to the public address, and say what comes back and what to do about it."""

from __future__ import annotations

import re
import secrets
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

import requests

from connector.carecycle.probe import probe
from connector.carecycle.signature import Verifier, sign
from connector.destinations import deadline
from connector.errors import FixConfiguration
from connector.running.findings import Finding, Health

PATIENCE: Final = 15.0
"""Seconds careCycle waits for an answer."""

SLOW: Final = 5.0
"""Seconds after which an answer is slow, with nothing else to do."""

_LARGE: Final = 5 * 1024 * 1024 - 4096
_PIECE: Final = 1000
_LIMITS: Final = replace(deadline.SHORT, read=PATIENCE, total=PATIENCE + 5)
_UNSIGNED: Final = "reached; unsigned messages are rejected"

Sent = tuple[requests.Response, float]


@dataclass(frozen=True, slots=True)
class _Kind:
    """One kind of request. size: of its body. do: what a proxy that refuses it needs."""

    name: str
    do: str
    size: int = 0
    chunked: bool = False
    headers: int = 0
    times: int = 1


_KINDS: Final = (
    _Kind("signed", "the proxy must pass on the body, the path and the signature headers unchanged"),
    _Kind("chunked", "the proxy must accept chunked bodies; nginx: proxy_request_buffering on", 20_000, chunked=True),
    _Kind("8 KiB of headers", "nginx: large_client_header_buffers 4 16k", headers=8),
    _Kind("body near 5 MiB", "allow bodies of 5 MiB; nginx: client_max_body_size 5m; Caddy: max_size 5MiB", _LARGE),
    _Kind("one connection reused", "close idle connections in the proxy sooner than after 20 seconds", times=3),
)


def check_endpoint(
    address: str, secret: str, now: Callable[[], datetime], authorities: str | None = None
) -> Iterator[Finding]:
    """Try the public address: an unsigned message first, then signed ones, which are answered and not kept.

    authorities: a file of those whose certificates are accepted; None for the public ones.
    """
    first = _unsigned(address, authorities)
    yield first
    if first.health is Health.WRONG:
        return
    try:
        Verifier(address, [secret])
    except FixConfiguration as error:
        yield Finding(f"{address}: signed", Health.WRONG, "the agency file's first secret is none", error.hint)
        return
    for kind in _KINDS:
        yield _tried(address, kind, lambda body: _signed(secret, body, now()), authorities)


@contextmanager
def _session(authorities: str | None) -> Iterator[requests.Session]:
    with deadline.session(_LIMITS, insecure=True) as session:  # a URL that somebody typed, and nothing worth reading
        session.verify = authorities or True
        yield session


def _unsigned(address: str, authorities: str | None) -> Finding:
    """Send an unsigned message: only the connector itself rejects it with 401."""
    with _session(authorities) as session:
        try:
            answer, seconds = _post(session, address, b"{}", {})
        except requests.RequestException as error:
            return _unreached(address, error)
    match answer.status_code:
        case 401 if "missing" in answer.text:
            return _in_time(address, _UNSIGNED, seconds)
        case 404:
            return Finding(address, Health.WRONG, "answers 404", _NOT_THERE)
        case 503:
            return Finding(address, Health.WRONG, "reached, but cannot store events now", "check the database")
        case status:
            problem = f"answers {status}, which the connector never does here"
            return Finding(address, Health.WRONG, problem, _ways_out(answer) or _STATUSES.get(status, _SOMETHING_ELSE))


def _tried(address: str, kind: _Kind, signed: Callable[[bytes], dict[str, str]], authorities: str | None) -> Finding:
    thing, longest = f"{address}: {kind.name}", 0.0
    with _session(authorities) as session:
        for _ in range(kind.times):
            body = probe(kind.size)
            headers = signed(body) | {f"X-Probe-{n}": "x" * 1000 for n in range(kind.headers)}
            try:
                answer, seconds = _post(session, address, body, headers, chunked=kind.chunked)
            except requests.RequestException as error:
                return _unreached(thing, error, kind.do)
            if answer.status_code != 204:
                return _refused(thing, answer, kind)
            longest = max(longest, seconds)
    return _in_time(thing, "accepted, and not kept", longest)


def _post(
    session: requests.Session, address: str, body: bytes, headers: dict[str, str], *, chunked: bool = False
) -> Sent:
    """Send one request. Raises requests.RequestException."""
    data = (body[start : start + _PIECE] for start in range(0, len(body), _PIECE)) if chunked else body
    began = time.monotonic()
    answer = session.post(address, data=data, headers=headers, allow_redirects=False)
    return answer, time.monotonic() - began


def _signed(secret: str, body: bytes, at: datetime) -> dict[str, str]:
    message_id = f"msg_doctor{secrets.token_hex(9)}"
    return {
        "svix-id": message_id,
        "svix-timestamp": str(int(at.timestamp())),
        "svix-signature": sign(secret, message_id, at, body.decode()),
        "content-type": "application/json",
    }


def _in_time(thing: str, result: str, seconds: float) -> Finding:
    if seconds <= SLOW:
        return Finding(thing, Health.FINE, result)
    slow = f"{result}, after {seconds:.0f} s"
    return Finding(thing, Health.DOUBTFUL, slow, f"careCycle waits {PATIENCE:.0f} s: find out what takes so long")


_NOT_THERE: Final = (
    "the path is /hooks/<agency>, as in the agency file; if the address has it, the proxy changes it (as nginx does "
    "with a slash at the end of proxy_pass), or leads to another port than CONNECTOR_LISTEN"
)
_SOMETHING_ELSE: Final = "something else answers: check the reverse proxy"
_REASONS: Final = {
    "signature headers missing": "the proxy removes the signature headers: svix-id, svix-timestamp, svix-signature",
    "stale timestamp": "set this machine's clock, or the receiver's, with NTP",
    "timestamp in the future": "set this machine's clock, or the receiver's, with NTP",
}
_STATUSES: Final = {
    403: "a firewall or the proxy refuses it: allow POST to /hooks/ with JSON bodies",
    404: "the proxy passes another path on: it must be /hooks/<agency>, without a slash at the end",
    405: "the proxy must pass on POST",
    408: "the proxy passes the body on too slowly",
    429: "a rate limit is too low: 50 requests a second, with a burst of 200, are plenty",
    500: "see the receiver's log, and the proxy's",
    502: "the proxy does not reach the connector, or its connection was closed: is the connector running?",
    503: "the connector or the proxy is overloaded, or the database cannot be written: see their logs",
    504: "the connector does not answer the proxy in time: see its log",
}


def _refused(thing: str, answer: requests.Response, kind: _Kind) -> Finding:
    """Say what a signed message was answered, and what to do about it."""
    said = answer.text.strip()
    if answer.status_code == 401 and said == "wrong signature":
        changed = "the body is changed on the way, or the agency file's first secret is not the receiver's"
        do = kind.do if kind.chunked else "the proxy must pass the body on byte by byte: no rewriting, no decompressing"
        return Finding(thing, Health.WRONG, f"answers 401: {changed}", do)
    if answer.status_code == 401 and said in _REASONS:
        return Finding(thing, Health.WRONG, f"answers 401: {said}", _REASONS[said])
    do = _ways_out(answer) or _STATUSES.get(answer.status_code) or kind.do
    return Finding(thing, Health.WRONG, f"answers {answer.status_code}", do)


def _ways_out(answer: requests.Response) -> str:
    """What to do about a redirect; empty for any other answer."""
    if not answer.is_redirect and answer.status_code // 100 != 3:
        return ""
    whole = re.fullmatch(
        r"(https?)://([A-Za-z0-9.-]{1,253}(?::\d{1,5})?)(/[A-Za-z0-9/._-]{0,200})?.*",
        answer.headers.get("Location", ""),
    )
    where = f" (to {whole[1]}://{whole[2]}{whole[3] or ''})" if whole else ""
    return f"careCycle follows no redirect{where}: give it the address that answers without one, with https://"


def _unreached(thing: str, error: requests.RequestException, do: str = "") -> Finding:
    """Say why no answer came."""
    if isinstance(error, requests.exceptions.SSLError):
        return Finding(thing, Health.WRONG, f"its certificate is not accepted: {_tls(error)}", _CERTIFICATE)
    problem = deadline.broken_limit(error) or type(error).__name__
    return Finding(
        thing, Health.WRONG, f"cannot be reached: {problem}", do or "check DNS, the firewall and the reverse proxy"
    )


_CERTIFICATE: Final = "the proxy needs a certificate of this host name, with its chain, from a public authority"


def _tls(error: BaseException) -> str:
    """What OpenSSL says of a certificate, in its own few words."""
    inner: BaseException | None = error
    while inner is not None:
        if isinstance(inner, ssl.SSLCertVerificationError):
            return inner.verify_message
        inner = inner.__cause__ or inner.__context__
    return "TLS does not come about"
