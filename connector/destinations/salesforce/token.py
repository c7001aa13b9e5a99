"""Ask Salesforce's token endpoint for a session, at the address that the org has now.

https://help.salesforce.com/s/articleView?id=xcloud.remoteaccess_oauth_flows.htm
"""

from __future__ import annotations

import base64
import json
import time
from dataclasses import dataclass
from typing import Any, Final, assert_never

import requests
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from pydantic import Field

from connector.destinations.deadline import broken_limit
from connector.destinations.lenient import Lenient
from connector.destinations.salesforce.auth import ClientCredentials, JwtBearer, Password
from connector.destinations.salesforce.hosts import audience, host_of, own_host

TokenFlow = ClientCredentials | JwtBearer | Password

_JWT_BEARER: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_LIFETIME: Final = 180
"""Seconds that a JWT is valid; Salesforce allows five minutes."""


class Grant(Lenient):
    """A session. id: the URL that names the org and its user; empty where the reply does not say."""

    access_token: str = Field(repr=False)
    instance_url: str
    id: str = ""


@dataclass(frozen=True, slots=True)
class Denial:
    """No session. status: of the reply, 0 without one. error, description: OAuth's. broken: the limit exceeded.

    astray: the reply leads to an address that no credentials may go to, or in a circle.
    """

    status: int = 0
    error: str = ""
    description: str = ""
    broken: str = ""
    astray: bool = False


class _Refusal(Lenient):
    error: str = ""
    error_description: str = ""


def ask(session: requests.Session, auth: TokenFlow) -> Grant | Denial:
    """Log in. A redirect is followed to Salesforce's own hosts, to each of them once."""
    host = host_of(auth.domain)
    asked: set[str] = set()
    while host and host not in asked:
        asked.add(host)
        try:
            reply = session.post(f"https://{host}/services/oauth2/token", **_request(auth, host))
        except requests.RequestException as error:
            return Denial(broken=broken_limit(error))
        if not reply.is_redirect:
            return _read(reply)
        host = own_host(reply.headers["Location"])
    return Denial(reply.status_code, astray=True)


def _request(auth: TokenFlow, host: str) -> dict[str, Any]:
    match auth:
        case ClientCredentials():
            secret = auth.client_secret.get_secret_value()
            return {"data": {"grant_type": "client_credentials"}, "auth": (auth.client_id, secret)}
        case Password():
            form = {
                "client_id": auth.client_id,
                "client_secret": auth.client_secret.get_secret_value(),
                "username": auth.username,
                "password": auth.password.get_secret_value() + auth.security_token.get_secret_value(),
            }
            return {"data": {"grant_type": "password", **form}}
        case JwtBearer():
            return {"data": {"grant_type": _JWT_BEARER, "assertion": _assertion(auth, host)}}
        case _:
            assert_never(auth)


def _assertion(auth: JwtBearer, host: str) -> str:
    ends = str(int(time.time()) + _LIFETIME)
    claims = {"iss": auth.client_id, "sub": auth.username, "aud": audience(host), "exp": ends}
    signed = b".".join(_encoded(json.dumps(part).encode()) for part in ({"alg": "RS256", "typ": "JWT"}, claims))
    key = load_pem_private_key(auth.private_key.get_secret_value().encode(), password=None)
    if not isinstance(key, RSAPrivateKey):  # checked when the agency file was read
        raise TypeError
    return b".".join((signed, _encoded(key.sign(signed, PKCS1v15(), SHA256())))).decode()


def _encoded(part: bytes) -> bytes:
    return base64.urlsafe_b64encode(part).rstrip(b"=")


def _read(reply: requests.Response) -> Grant | Denial:
    try:
        body = reply.json()
        if reply.status_code != 200:
            refusal = _Refusal.model_validate(body)
            return Denial(reply.status_code, refusal.error, refusal.error_description)
        grant = Grant.model_validate(body)
    except (ValueError, RecursionError):  # no JSON, too deep, or no token reply
        return Denial(reply.status_code)
    return grant if own_host(grant.instance_url) else Denial(reply.status_code, astray=True)
