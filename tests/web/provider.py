"""A small OpenID Connect provider over HTTP, which can be told to answer wrongly."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from html import escape
from threading import Thread
from typing import Any
from urllib.parse import urlencode

from flask import Flask, Response, abort, jsonify, redirect, request
from joserfc import jwt
from joserfc.jwk import ECKey, Key, RSAKey
from werkzeug.serving import make_server
from werkzeug.wrappers import Response as AnyResponse

CLIENT, SECRET = "the-connector", "a client secret of the tests"
ANA = {"sub": "24400320", "email": "ana@agency.example", "email_verified": True}
_KEYS = {"RS256": RSAKey.generate_key(2048), "ES256": ECKey.generate_key("P-256")}


class Provider:
    """Signs everybody in at once as `person`. What a test sets in `wrong` is answered instead, by path."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock, self.issuer, self.algorithm, self.kid = clock, "", "RS256", "first"
        self.key: Key = _KEYS["RS256"]
        self.person: Mapping[str, Any] = ANA
        self.claims: Mapping[str, Any] = {}
        """Of the ID token, in place of the correct ones; None leaves one out."""
        self.userinfo: Mapping[str, Any] | None = None
        self.configuration: Mapping[str, Any] = {}
        self.wrong: dict[str, Callable[[], AnyResponse]] = {}
        self.token: Callable[[Mapping[str, Any]], object] = self.signed
        self.shows_page = False
        """Whether people have to click at the provider, as they do the first time."""
        self.asked: list[str] = []
        self.secrets: list[str] = []
        """Everything that must be in no log."""
        self._codes: dict[str, Mapping[str, str]] = {}

    def sign_with(self, algorithm: str, kid: str = "first", key: Key | None = None) -> None:
        self.algorithm, self.kid, self.key = algorithm, kid, key or _KEYS[algorithm]

    def signed(self, claims: Mapping[str, Any]) -> object:
        return jwt.encode({"alg": self.algorithm, "kid": self.kid}, dict(claims), self.key)

    def described(self) -> Mapping[str, Any]:
        known = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
        }
        known |= {"userinfo_endpoint": f"{self.issuer}/userinfo"} if self.userinfo is not None else {}
        return {name: value for name, value in {**known, **self.configuration}.items() if value is not None}

    def authorize(self) -> AnyResponse:
        code = secrets.token_urlsafe(16)
        self._codes[code] = request.args.to_dict()
        self.secrets += [code, request.args["state"], request.args["nonce"]]
        back = f"{request.args['redirect_uri']}?{urlencode({'code': code, 'state': request.args['state']})}"
        return (
            Response(f'<a href="{escape(back)}">Yes</a>', mimetype="text/html") if self.shows_page else redirect(back)
        )

    def tokens(self) -> AnyResponse:
        asked = self._codes.pop(request.form["code"], None)
        verifier, given = request.form["code_verifier"], request.authorization
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        known = (
            (given.username, given.password) if given else (request.form["client_id"], request.form["client_secret"])
        )
        if asked is None or asked["redirect_uri"] != request.form["redirect_uri"]:
            return jsonify(error="invalid_grant", error_description="<script>hostile</script>")
        if known != (CLIENT, SECRET) or not hmac.compare_digest(challenge, asked["code_challenge"]):
            return jsonify(error="invalid_client")
        access = secrets.token_urlsafe(16)
        now = int(self.clock())
        claims: dict[str, Any] = {"iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 300, **self.person}
        claims |= {"nonce": asked["nonce"], **self.claims}
        token = self.token({name: value for name, value in claims.items() if value is not None})
        self.secrets += [verifier, access, str(token)]
        return jsonify(access_token=access, token_type="Bearer", expires_in=60, id_token=token)

    def keys(self) -> AnyResponse:
        return jsonify(keys=[{**self.key.as_dict(private=False), "kid": self.kid, "use": "sig"}])

    def more(self) -> AnyResponse:
        if request.headers["Authorization"].removeprefix("Bearer ") not in self.secrets:
            abort(401)
        return jsonify(self.userinfo)

    def app(self) -> Flask:
        app = Flask("provider")
        views: dict[str, Callable[[], AnyResponse]] = {
            "/.well-known/openid-configuration": lambda: jsonify(self.described()),
            "/authorize": self.authorize,
            "/token": self.tokens,
            "/keys": self.keys,
            "/userinfo": self.more,
        }

        def answer() -> AnyResponse:
            self.asked.append(request.path)
            return self.wrong.get(request.path, views[request.path])()

        for path in views:
            app.add_url_rule(path, path, answer, methods=["GET", "POST"])
        return app


def html(status: int = 200) -> Callable[[], AnyResponse]:
    """A gateway's page."""
    return lambda: Response("<h1>Bad gateway: hostile</h1>", status, mimetype="text/html")


@contextmanager
def provided(clock: Callable[[], float] = time.time) -> Iterator[Provider]:
    """A provider on loopback."""
    provider = Provider(clock)
    server = make_server("127.0.0.1", 0, provider.app(), threaded=True)
    provider.issuer = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
