"""The sandbox's token endpoint: client credentials, JWT bearer and password."""

from __future__ import annotations

import base64
import binascii
import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key

JWT_BEARER: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_SHARED_HOSTS: Final = ("login.salesforce.com", "test.salesforce.com")


class Denied(Exception):
    """An OAuth error, sent as a JSON object; every other Salesforce error is a list."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(description)
        self.status, self.body = 400, {"error": error, "error_description": description}


@dataclass(slots=True)
class Consumer:
    """A connected app. public_key: in PEM, for the JWT flow."""

    secret: str = field(repr=False)
    public_key: bytes = b""


class Gate:
    """Issues tokens to known apps and users of an org, and keeps the open sessions. login: host of identity URLs."""

    def __init__(
        self, consumers: dict[str, Consumer], users: dict[str, str], instance_url: str, org_id: str, login: str
    ) -> None:
        self.consumers, self.users, self.instance_url = consumers, users, instance_url
        self.org_id, self.login = org_id, login
        self.tokens: set[str] = set()

    def token(self, form: Mapping[str, str], basic: tuple[str, str] | None, host: str) -> dict[str, Any]:
        """Answer a token request. Raises Denied."""
        match form.get("grant_type"):
            case "client_credentials":
                self._client_credentials(form, basic, host)
            case "password":
                self._password(form)
            case grant if grant == JWT_BEARER:
                self._jwt(form.get("assertion", ""))
            case _:
                raise Denied("unsupported_grant_type", "grant type not supported")
        return self._grant()

    def open(self) -> str:
        """Open a session and return its token."""
        token = f"{self.org_id[:15]}!{secrets.token_urlsafe(24)}"
        self.tokens.add(token)
        return token

    def _grant(self) -> dict[str, Any]:
        return {
            "access_token": self.open(),
            "instance_url": self.instance_url,
            "api_instance_url": "https://api.salesforce.com",
            "id": f"https://{self.login}/id/{self.org_id}/005Hs0000000001MAA",
            "token_type": "Bearer",
            "issued_at": str(int(time.time() * 1000)),
            "signature": "c2lnbmF0dXJl",
            "scope": "api",
        }

    def _client_credentials(self, form: Mapping[str, str], basic: tuple[str, str] | None, host: str) -> None:
        if host in _SHARED_HOSTS:
            raise Denied("invalid_grant", "request not supported on this domain")
        self._consumer(*(basic or (form.get("client_id", ""), form.get("client_secret", ""))))

    def _password(self, form: Mapping[str, str]) -> None:
        self._consumer(form.get("client_id", ""), form.get("client_secret", ""))
        password = self.users.get(form.get("username", ""))
        if not password or not secrets.compare_digest(password, form.get("password", "")):
            raise Denied("invalid_grant", "authentication failure")

    def _consumer(self, id: str, secret: str) -> None:
        consumer = self.consumers.get(id)
        if consumer is None:
            raise Denied("invalid_client_id", "client identifier invalid")
        if not secrets.compare_digest(consumer.secret.encode(), secret.encode()):
            raise Denied("invalid_client", "invalid client credentials")

    def _jwt(self, assertion: str) -> None:
        claims, signed, signature = _decoded(assertion)
        consumer = self.consumers.get(str(claims.get("iss")))
        if consumer is None:
            raise Denied("invalid_client_id", "client identifier invalid")
        if not _verified(consumer.public_key, signed, signature):
            raise Denied("invalid_grant", "invalid assertion")
        if claims.get("aud") not in (f"https://{self.login}", self.instance_url):
            raise Denied("invalid_grant", "audience is invalid")
        if not 0 < _seconds(claims.get("exp")) - time.time() <= 300:
            raise Denied("invalid_grant", "assertion expired or its lifetime is too long")
        if claims.get("sub") not in self.users:
            raise Denied("invalid_grant", "user hasn't approved this consumer")


def _seconds(value: Any) -> float:
    return float(value) if str(value).isdigit() else 0.0  # a string is allowed, and is what simple-salesforce sends


def _decoded(assertion: str) -> tuple[dict[str, Any], bytes, bytes]:
    try:
        head, body, signature = (
            base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in assertion.split(".")
        )
        if json.loads(head).get("alg") != "RS256":
            raise Denied("invalid_grant", "algorithm not supported")
        return json.loads(body), assertion.rpartition(".")[0].encode(), signature
    except (ValueError, binascii.Error):
        raise Denied("invalid_grant", "invalid assertion") from None


def _verified(public_key: bytes, signed: bytes, signature: bytes) -> bool:
    try:
        key = load_pem_public_key(public_key)
        if not isinstance(key, rsa.RSAPublicKey):
            return False
        key.verify(signature, signed, padding.PKCS1v15(), hashes.SHA256())
    except (ValueError, InvalidSignature):
        return False
    return True
