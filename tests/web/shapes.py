"""Requests made by structure: line, headers, signatures, framing and JSON, each as it should be or spoilt."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import random
import time
from dataclasses import dataclass
from typing import Any, Final

from connector.carecycle.catalogue import FIELDS
from tests.builders import NOBODYS, SECRET, a_call, a_customer

CANARY: Final = "cAnArY-b7f3"
"""In every value that is sent, and in no line that is logged."""

_KEY: Final = base64.b64decode(SECRET.removeprefix("whsec_"))
_NAMES: Final = sorted({part for path in FIELDS for part in path.split(".")} | {"event_type"})
_METHODS: Final = ("GET", "PUT", "HEAD", "OPTIONS", "TRACE", "post", "P0ST", "PO ST", "", "\x01", "M" * 300)
_PATHS: Final = (
    *("/", "*", "/hooks/", "/hooks/sunrise/", "//hooks/sunrise", "/hooks/%73unrise", "/hooks/x", "/hooks/%00"),
    *("/hooks/%ff", "http://[::1/hooks/sunrise", "http://x/hooks/sunrise", "/hooks/sunrise?a=%zz", "hooks/sunrise"),
    *("/hooks/../hooks/sunrise", "/hooks/sunrise#x", f"/{CANARY}", "/hooks/" + "a" * 3_000),
)
_VERSIONS: Final = ("HTTP/1.0", "HTTP/2.0", "HTTP/0.9", "HTTP/1.10", "http/1.1", "", "HTTP/1.1 x")
_SIZES: Final = (b"zz", b"-5", b"", b"0x5", b"F" * 16, b"F" * 17, b"5 5", b" 5", b"5\t", b"+5", b"5,5", b"\xd9\xa5")
_EXTENSIONS: Final = (b";a", b";a=b", b';a="b c"', b";" + b"x" * 200, b" ;a=b", b";=;;", b";a=\xff")
_TRAILERS: Final = (
    *(b"X: y\r\n", b"Content-Length: 5\r\n", b"svix-id: other\r\n", b"no colon\r\n", b"X: y\n"),
    b"X: \xff\r\n" * 40,
)
_LENGTHS: Final = (
    *("-1", "+5", "5, 6", "0x5", "", " ", "99999999999999999999", "6000000", "5.0", "five", "\u0665"),
)  # fmt: skip
_CODINGS: Final = (
    *("gzip, chunked", "identity", "chunked, chunked", "CHUNKED", "xchunked", "", "chunked;q=1", "chunked, identity"),
)
_IDS: Final = ("a.b", "a b", "é", "x" * 257, "a,b", "\x7f", "", "a\tb", ".", "%00", "msg_1\\n")
_TIMES: Final = ("nan", "inf", "1", "-1", "1e9", "0x1", "9" * 12, "9" * 30, "", "1_0", "\u0663", "1.0", "+1")
_SIGNED: Final = (
    *(NOBODYS, "v1", "v1,", "v1,a", "v1,==", "v1a,AAAA", "v2,AAAA", ",", "v1,%", "v1,a,b", "x" * 500, "v1,\xe9", "="),
)
_OTHERS: Final = (
    *("Expect: 100-continue", "Expect: 200-maybe", "Upgrade: websocket", "Connection: upgrade, close", "Host: y"),
    *(f"X-Forwarded-For: {CANARY}", f"Cookie: {CANARY}={CANARY}", "Content-Encoding: gzip", "Content-Type: text/html"),
    *("X_Forwarded_For: 1", "TE: trailers", "Transfer-Encoding : chunked", " Folded: x", "NoColon", ": empty"),
    *("Content-Length\t: 5", "X: \x00", f"X: {'y' * 3_000}", f"X-Name: {CANARY}\xeb", "Range: bytes=0-1"),
)


@dataclass(slots=True)
class Shape:
    """One request. is_good: nothing in it is spoilt. is_open: its end is not said, so the connection must end it."""

    said: bytes
    message_id: str
    body: bytes
    is_good: bool
    is_open: bool


def a_shape(rng: random.Random, message_id: str, *, last: bool, spoilt: float = 0.12) -> Shape:
    """A request, in which each part is spoilt with this probability."""

    def spoil() -> bool:
        return rng.random() < spoilt

    bad = is_open = False
    method, path, version = "POST", "/hooks/sunrise", "HTTP/1.1"
    body = a_body(rng)
    if spoil():
        bad = True
        which = rng.randrange(3)
        method = rng.choice(_METHODS) if which == 0 else method
        path = rng.choice(_PATHS) if which == 1 else path
        version = rng.choice(_VERSIONS) if which == 2 else version
    headers, spoils = _signatures(rng, message_id, body, spoil)
    bad |= spoils
    for _ in range(rng.choice((0, 0, 0, 1, 2))):
        if spoil():
            bad = True
            headers.append(rng.choice(_OTHERS))
        else:
            headers.append(f"X-{rng.randrange(99)}: {CANARY}")
    if rng.random() < 0.02:
        bad = True
        headers += [f"X-{number}: {'z' * rng.randrange(900)}" for number in range(rng.randrange(120))]
    framing, framed, spoils, is_open = _framed(rng, body, spoil)
    bad |= spoils
    headers += framing
    rng.shuffle(headers)
    headers.insert(0, "Host: x")
    if last:
        headers.append("Connection: close")
    end = "\r\n" if not spoil() else rng.choice(("\r\n", "\n", "\r", "\r\n "))
    bad |= end != "\r\n"
    lines = [f"{method} {path} {version}".strip(" ") if not bad else f"{method} {path} {version}", *headers]
    said = (end.join(lines) + end + end).encode("latin-1", "replace") + framed
    if rng.random() < spoilt / 4:
        bad = is_open = True
        said = said[: rng.randrange(len(said) + 1)]
    return Shape(said, message_id, body, not bad, is_open or bad)


def _signatures(rng: random.Random, message_id: str, body: bytes, spoil: Any) -> tuple[list[str], bool]:
    bad, headers = False, []
    families = rng.choice((["svix"], ["svix"], ["webhook"], ["svix", "webhook"]))
    for family in families:
        own, at = message_id, str(int(time.time()) + rng.randrange(-200, 200))
        if spoil():
            bad, own = True, message_id + rng.choice(_IDS)
        if spoil():
            bad, at = True, rng.choice(_TIMES)
        good = sign(own, at, body)
        listed = [good]
        for _ in range(rng.choice((0, 0, 1, 3))):
            listed.insert(rng.randrange(len(listed) + 1), rng.choice(_SIGNED))
        if spoil():
            bad = True
            listed = [rng.choice(_SIGNED) for _ in range(rng.choice((0, 1, 50)))]
        parts = [("id", own), ("timestamp", at), ("signature", " ".join(listed))]
        if spoil():
            bad = True
            parts = rng.choice((parts[1:], parts[:-1], [*parts, parts[0]], [*parts, parts[1]]))
        headers += [f"{_cased(rng, family)}-{name}: {value}" for name, value in parts]
    if any("\xe9" in header or "\u0663" in header for header in headers):
        bad = True  # what is not ASCII makes its header absent
    return headers, bad


def sign(message_id: str, at: str, body: bytes) -> str:
    content = f"{message_id}.{at}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(_KEY, content, hashlib.sha256)).decode()


def _cased(rng: random.Random, name: str) -> str:
    return rng.choice((name, name, name.upper(), name.title()))


def _framed(rng: random.Random, body: bytes, spoil: Any) -> tuple[list[str], bytes, bool, bool]:
    """Headers and bytes; whether they are spoilt, and whether their end is open."""
    if rng.random() < 0.5:
        if not spoil():
            return [f"Content-Length: {len(body)}"], body, False, False
        length = rng.choice((*_LENGTHS, str(len(body) + 7), str(max(0, len(body) - 7))))
        more = rng.choice(([], [f"Content-Length: {len(body)}"], ["Transfer-Encoding: chunked"]))
        return [f"Content-Length: {length}", *more], body, True, True
    bad, framed, start = False, b"", 0
    while start < len(body):
        part = body[start : start + rng.choice((1, 7, 100, 5_000))]
        start += len(part)
        size = rng.choice((b"%x", b"%X", b"0%x")) % len(part)
        if rng.random() < 0.02 and spoil():
            bad, size = True, rng.choice(_SIZES)
        extension = rng.choice(_EXTENSIONS[:3]) if rng.random() < 0.1 else b""
        if rng.random() < 0.02 and spoil():
            bad, extension = True, rng.choice(_EXTENSIONS)
        framed += size + extension + b"\r\n" + part + b"\r\n"
        if len(framed) > 40_000:
            return [f"Content-Length: {len(body)}"], body, False, False
    trailer = b""
    if rng.random() < 0.1:
        bad, trailer = True, rng.choice(_TRAILERS)
    end = b"0\r\n" + trailer + b"\r\n"
    if spoil():
        bad, end = True, rng.choice((b"", b"0\r\n", b"0", b"00\r\n\r\n", b"0\r\n\r\nrest", b"\r\n"))
    coding = "chunked"
    if spoil():
        bad, coding = True, rng.choice(_CODINGS)
    return [f"Transfer-Encoding: {coding}"], framed + end, bad, bad


def a_body(rng: random.Random) -> bytes:
    """JSON of careCycle's names or any others, in some encoding, or something else."""
    match rng.randrange(12):
        case 0:
            return bytes(rng.randrange(256) for _ in range(rng.randrange(200)))
        case 1:
            depth = rng.choice((1, 50, 500, 3_000))
            return rng.choice((b"[" * depth, b'{"a":' * depth + b"1" + b"}" * depth))
        case 2:
            return json.dumps(_value(rng, 3)).encode()
        case 3:
            return json.dumps(_event(rng)).encode()[: rng.randrange(400)]
        case 4:
            encoding = rng.choice(("utf-8", "utf-16", "utf-32", "utf-8-sig"))
            return json.dumps(_event(rng), ensure_ascii=False).encode(encoding, "surrogatepass")
        case 5:
            return json.dumps({**_event(rng), "address": CANARY * rng.choice((1, 100, 5_000))}).encode()
        case 6:
            twice = rng.choice(_NAMES)
            return json.dumps(_event(rng)).encode()[:-1] + f', "{twice}": 1, "{twice}": "{CANARY}"}}'.encode()
        case _:
            return json.dumps(_event(rng)).encode()


def _event(rng: random.Random) -> dict[str, Any]:
    changes = {rng.choice(_NAMES): _value(rng, 2) for _ in range(rng.choice((0, 0, 1, 3)))}
    event = a_customer(firstName=CANARY) if rng.random() < 0.6 else a_call(a_customer(firstName=CANARY), summary=CANARY)
    return {**event, **changes}


def _value(rng: random.Random, depth: int) -> Any:
    plain = (None, True, False, 0, -0.0, 1e308, float("inf"), float("nan"), 10 ** rng.choice((3, 30, 400, 4_000)), 0.1)
    texts = ("", CANARY, "\ud800", "\udc80", "\0", "é", "😀", "true", "2026-02-30T99:00:00Z", "x" * 3_000)
    match rng.randrange(6 if depth else 4):
        case 0 | 1:
            return rng.choice(plain)
        case 2 | 3:
            return rng.choice(texts)
        case 4:
            return [_value(rng, depth - 1) for _ in range(rng.randrange(4))]
        case _:
            return {rng.choice((*_NAMES, *texts)): _value(rng, depth - 1) for _ in range(rng.randrange(4))}
