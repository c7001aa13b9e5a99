"""Signing in through an OpenID Connect provider: who is let in, and what of a provider's answers is not believed."""

from __future__ import annotations

import hmac
import json
import logging
import os
import shlex
import socket
import subprocess
import sys
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from html import unescape
from http.client import HTTPConnection
from pathlib import Path
from threading import Event
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from flask import Flask, Response, jsonify, redirect
from flask.testing import FlaskClient
from joserfc import jwt
from joserfc.jwk import RSAKey
from werkzeug.test import TestResponse

from connector.destinations.deadline import Limits
from connector.errors import FixConfiguration
from connector.running.config import read_process
from connector.running.console_check import check_console
from connector.store import Store
from connector.web.console import create_console
from connector.web.health import create_admin
from connector.web.openid import Problem, SignInRequest
from connector.web.openid import Provider as Client
from connector.web.openid_settings import OpenId, complete, read_openid
from connector.web.origin import read_origin
from connector.web.passwords import Passwords
from connector.web.roster import Roster
from tests.builders import SECRET as HOOK_SECRET
from tests.conftest import Clock
from tests.web.conftest import HASH, KEY, MINUTE, PASSWORD, an_account
from tests.web.provider import ANA, CLIENT, SECRET, Provider, html, provided
from tests.web.test_accounts import ANA as ANAS_PASSWORD
from tests.web.test_accounts import audit, change, hashed, write

URL = "https://connector.example"
BEGIN, CALLBACK = "/console/login/openid", "/console/login/openid/callback"
CONFIGURATION = "/.well-known/openid-configuration"


@pytest.fixture
def ready_address(sqlite_ready: str) -> str:
    """Both databases are tried by the store's own tests."""
    return sqlite_ready


@pytest.fixture
def provider(clock: Clock) -> Iterator[Provider]:
    with provided(lambda: clock() / 1000) as provider:
        yield provider


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write(
        tmp_path / "people.yaml",
        ana={"role": "compliance", "openid": "Ana@agency.example", "agencies": ["sunrise"]},
        ben={"role": "admin", "openid": "sub:auth0|B e n"},
    )


@pytest.fixture
def settings(provider: Provider) -> OpenId:
    return OpenId(provider.issuer, CLIENT, SECRET)


@pytest.fixture
def app(store: Store, clock: Clock, file: Path, settings: OpenId) -> Flask:
    return an_app(store, clock, file, settings)


def an_app(store: Store, clock: Clock, file: Path, openid: OpenId | None, shared: str | None = None) -> Flask:
    console = create_console(
        store,
        Passwords(shared),
        KEY,
        lambda: clock() / 1000,
        [an_account()],
        roster=Roster(file),
        origin=read_origin(URL, ""),
        openid=openid,
    )
    return create_admin(store, [console])


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def get(client: FlaskClient, path: str) -> TestResponse:
    return client.get(path, base_url=URL)


def sent_back(client: FlaskClient, wanted: str = "/console/why") -> str:
    """Where the provider sends a browser that began here."""
    begun = get(client, f"{BEGIN}?{urlencode({'next': wanted})}")
    assert begun.status_code == 303
    there = urlsplit(begun.headers["Location"])
    browser = HTTPConnection(there.netloc)
    browser.request("GET", f"{there.path}?{there.query}")
    back = browser.getresponse().getheader("Location", "")
    browser.close()
    assert back.startswith(f"{URL}{CALLBACK}?")
    return back.removeprefix(URL)


def sign_in(client: FlaskClient, wanted: str = "/console/why") -> TestResponse:
    return get(client, sent_back(client, wanted))


def is_in(client: FlaskClient) -> bool:
    return get(client, "/console/why").status_code == 200


def refusals(store: Store) -> list[str]:
    return [thing for _, action, thing in audit(store) if action == "sign-in refused"]


def refused(client: FlaskClient, store: Store) -> tuple[int, str]:
    """Try to sign in, in vain: the status, and what the audit log says."""
    answer = sign_in(client)
    assert not is_in(client)
    assert not any(word in answer.text for word in ("hostile", "Traceback"))
    return answer.status_code, refusals(store)[-1].removeprefix("OpenID Connect: ")


class TestSigningIn:
    @pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
    def test_a_person_comes_in_and_goes_on_to_the_page_they_wanted(
        self, client: FlaskClient, provider: Provider, algorithm: str
    ) -> None:
        provider.sign_with(algorithm)
        answer = sign_in(client, "/console/why?key=1")
        assert (answer.status_code, 'content="0; url=/console/why?key=1"' in answer.text) == (200, True)
        assert is_in(client)

    def test_it_is_in_the_log_the_metrics_and_the_audit_log(
        self, client: FlaskClient, store: Store, capsys: pytest.CaptureFixture[str]
    ) -> None:
        sign_in(client)
        assert audit(store) == [("console:ana", "sign-in", "compliance from 127.0.0.1 through OpenID Connect")]
        assert 'connector_console_sign_ins_total{result="opened"}' in client.get("/metrics").text
        assert "console sign-in" in capsys.readouterr().out

    @pytest.mark.parametrize("email", ["ana@agency.example", "ANA@Agency.Example"])
    def test_an_address_is_the_same_in_any_case(self, client: FlaskClient, provider: Provider, email: str) -> None:
        provider.person = ANA | {"email": email}
        sign_in(client)
        assert is_in(client)

    def test_somebody_known_by_subject_needs_no_address(self, client: FlaskClient, provider: Provider) -> None:
        provider.person = {"sub": "auth0|B e n"}
        sign_in(client)
        assert is_in(client)

    def test_the_subject_decides_where_the_address_is_somebody_else_s(
        self, client: FlaskClient, provider: Provider, store: Store
    ) -> None:
        provider.person = ANA | {"sub": "auth0|B e n"}
        sign_in(client)
        assert audit(store)[-1][0] == "console:ben"

    def test_role_and_agencies_are_those_of_the_file(self, client: FlaskClient, provider: Provider) -> None:
        provider.person = ANA | {"role": "admin", "groups": ["admin"], "agencies": ["sunset"]}
        sign_in(client)
        assert get(client, "/console/mapping/edit?file=x").status_code == 403
        assert "compliance" in get(client, "/console/accounts").text

    def test_an_address_may_be_in_the_userinfo_alone(self, client: FlaskClient, provider: Provider) -> None:
        provider.person, provider.userinfo = {"sub": "7"}, ANA | {"sub": "7"}
        sign_in(client)
        assert is_in(client)

    def test_the_provider_is_asked_with_all_that_protects_a_login(
        self, client: FlaskClient, provider: Provider
    ) -> None:
        asked = [parse_qs(urlsplit(get(client, BEGIN).headers["Location"]).query) for _ in range(2)]
        fixed = {
            "client_id": [CLIENT],
            "response_type": ["code"],
            "redirect_uri": [URL + CALLBACK],
            "scope": ["openid email"],
            "code_challenge_method": ["S256"],
        }
        assert [{**one, **fixed} for one in asked] == asked
        assert not [name for name in ("state", "nonce", "code_challenge") if asked[0][name] == asked[1][name]]
        assert provider.asked == [CONFIGURATION]

    def test_the_secret_goes_into_the_form_where_the_provider_wants_it_there(
        self, client: FlaskClient, provider: Provider
    ) -> None:
        provider.configuration = {"token_endpoint_auth_methods_supported": ["private_key_jwt", "client_secret_post"]}
        sign_in(client)
        assert is_in(client)

    def test_passwords_stand_beside_it(self, store: Store, clock: Clock, file: Path, settings: OpenId) -> None:
        (file.parent / f".{file.name}.lock").mkdir()
        change(file, "ana", password=hashed(ANAS_PASSWORD))
        app = an_app(store, clock, file, settings, HASH)
        assert [password_works(app, "ana", ANAS_PASSWORD), password_works(app, "", PASSWORD)] == [True, True]
        assert not password_works(app, "ben", "")
        through = app.test_client()
        sign_in(through)
        assert is_in(through)

    def test_the_login_page_offers_what_there_is(
        self, client: FlaskClient, store: Store, clock: Clock, file: Path, settings: OpenId
    ) -> None:
        alone = get(client, "/console/login?next=/console/why").text
        assert (f"{BEGIN}?next=/console/why" in alone, "Log in with 127.0.0.1" in alone) == (True, True)
        assert 'type="password"' not in alone
        beside = get(an_app(store, clock, file, settings, HASH).test_client(), "/console/login").text
        assert (BEGIN in beside, 'type="password"' in beside) == (True, True)
        without = get(an_app(store, clock, file, None, HASH).test_client(), "/console/login").text
        assert BEGIN not in without

    def test_without_settings_there_is_no_way_in_through_it(self, store: Store, clock: Clock, file: Path) -> None:
        client = an_app(store, clock, file, None, HASH).test_client()
        assert get(client, CALLBACK).headers["Location"].startswith("/console/login?next=")

    @pytest.mark.parametrize("changed", [{"openid": "other@agency.example"}, {"role": "viewer"}])
    def test_another_account_or_role_ends_the_session(
        self, client: FlaskClient, file: Path, changed: dict[str, str]
    ) -> None:
        sign_in(client)
        assert is_in(client)
        change(file, "ana", **changed)
        assert not is_in(client)

    def test_nothing_secret_is_logged(
        self, client: FlaskClient, provider: Provider, capsys: pytest.CaptureFixture[str], caplog: Any
    ) -> None:
        caplog.set_level(logging.DEBUG)
        provider.userinfo = ANA
        sign_in(client)
        provider.claims = {"aud": "another"}
        sign_in(client)
        logged = capsys.readouterr().out + "".join(
            record.getMessage() for record in caplog.records if record.name != "werkzeug"
        )
        assert len(provider.secrets) >= 12
        assert [one for one in (*provider.secrets, SECRET, "agency.example") if one in logged] == []


def encoded(part: object) -> str:
    """A part of a token."""
    return urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")


def password_works(app: Flask, name: str, password: str) -> bool:
    client = app.test_client()
    form = get(client, "/console/login").text.partition('name="token" value="')[2].partition('"')[0]
    fields = {"token": form, "name": name, "password": password}
    return client.post("/console/login", data=fields, base_url=URL).status_code == 303


class TestWhoIsNotLetIn:
    def test_a_stranger_is_given_what_an_administrator_needs(
        self, client: FlaskClient, provider: Provider, store: Store
    ) -> None:
        provider.person = {"sub": "77", "email": "eve@agency.example", "email_verified": True}
        answer = sign_in(client)
        assert (answer.status_code, is_in(client)) == (403, False)
        assert "you have no account here" in answer.text
        assert "person add NAME --role ROLE --openid eve@agency.example</code>" in answer.text
        assert audit(store) == [("console:127.0.0.1", "sign-in refused", "OpenID Connect: unknown account (sub:77)")]
        assert 'sign_ins_total{result="unknown account"}' in client.get("/metrics").text

    def test_no_subject_becomes_a_command(self, client: FlaskClient, provider: Provider) -> None:
        provider.person = {"sub": "x'; rm -rf /; '<b>"}
        words = unescape(sign_in(client).text).partition("--openid ")[2].partition("</code>")[0]
        assert shlex.split(words) == ["sub:x'; rm -rf /; '<b>"]

    @pytest.mark.parametrize("verified", [False, "false", None, 0, "yes", []])
    def test_an_address_that_is_not_verified_is_nobody_s(
        self, client: FlaskClient, provider: Provider, store: Store, verified: object
    ) -> None:
        provider.claims = {"email_verified": verified}
        assert refused(client, store) == (403, "unknown account (sub:24400320, no verified e-mail address)")

    @pytest.mark.parametrize("email", ["ana@\u212a.example", "ana@k.example\n", "\uff41na@k.example", 7])
    def test_nor_is_what_only_looks_like_it(
        self, client: FlaskClient, provider: Provider, store: Store, file: Path, email: object
    ) -> None:
        change(file, "ana", openid="ana@k.example")
        provider.claims = {"email": email}
        assert refused(client, store)[0] == 403

    def test_one_source_s_address_is_not_verified_by_another(
        self, client: FlaskClient, provider: Provider, store: Store
    ) -> None:
        provider.claims, provider.userinfo = {"email_verified": None}, {"sub": ANA["sub"], "email_verified": True}
        assert refused(client, store)[0] == 403

    def test_userinfo_of_somebody_else_is_not_taken(
        self, client: FlaskClient, provider: Provider, store: Store
    ) -> None:
        provider.person, provider.userinfo = {"sub": "7"}, ANA
        assert refused(client, store) == (403, "answer not verified (its userinfo: another subject)")

    def test_an_account_of_two_people_is_a_mistake_in_the_file(self, file: Path) -> None:
        change(file, "ben", openid="ana@AGENCY.example")
        with pytest.raises(FixConfiguration, match=r"ana@agency\.example: is the openid of several people"):
            Roster(file).require()


class TestTheIdToken:
    @pytest.mark.parametrize(
        ("claims", "why"),
        [
            ({"aud": "another"}, "invalid_claim aud"),
            ({"aud": ["another"], "azp": CLIENT}, "invalid_claim aud"),
            ({"aud": [CLIENT, "another"]}, "missing_claim azp"),
            ({"azp": "another"}, "invalid_claim azp"),
            ({"aud": None}, "missing_claim aud"),
            ({"iss": "https://evil.example"}, "invalid_claim iss"),
            ({"iss": None}, "missing_claim iss"),
            ({"nonce": "another"}, "invalid_claim nonce"),
            ({"nonce": None}, "missing_claim nonce"),
            ({"exp": 1}, "expired_token exp"),
            ({"exp": None}, "missing_claim exp"),
            ({"exp": "never"}, "invalid_claim exp"),
            ({"iat": 1 << 40}, "invalid_claim iat"),
            ({"nbf": 1 << 40}, "invalid_claim nbf"),
            ({"sub": None}, "missing_claim sub"),
            ({"sub": "a\nb"}, "invalid_claim sub"),
            ({"sub": "x" * 256}, "invalid_claim sub"),
            ({"at_hash": "bm90IGl0cyBoYXNo"}, "invalid_claim at_hash"),
        ],
    )
    def test_each_claim_must_be_right(
        self, client: FlaskClient, provider: Provider, store: Store, claims: dict[str, object], why: str
    ) -> None:
        provider.claims = claims
        assert refused(client, store) == (403, f"answer not verified (its ID token: {why})")

    @pytest.mark.parametrize(("seconds", "came_in"), [(-400, False), (-330, True), (45, True), (90, False)])
    def test_the_provider_s_clock_may_be_off_by_a_minute(
        self, client: FlaskClient, provider: Provider, clock: Clock, seconds: int, came_in: bool
    ) -> None:
        provider.clock = lambda: clock() / 1000 + seconds
        sign_in(client)
        assert is_in(client) == came_in

    def test_it_must_be_signed(self, client: FlaskClient, provider: Provider, store: Store) -> None:
        provider.token = lambda claims: f"{encoded({'alg': 'none'})}.{encoded(claims)}."
        provider.configuration = {"id_token_signing_alg_values_supported": ["none"]}
        assert refused(client, store) == (403, "answer not verified (its ID token: unsupported_algorithm)")

    @pytest.mark.parametrize("secret", [SECRET, "the public key"])
    def test_a_secret_that_both_know_signs_nothing(
        self, client: FlaskClient, provider: Provider, store: Store, secret: str
    ) -> None:
        known = provider.key.as_pem(private=False) if secret == "the public key" else secret.encode()

        def signed(claims: Any) -> str:
            content = f"{encoded({'alg': 'HS256', 'kid': 'first'})}.{encoded(claims)}"
            return f"{content}.{urlsafe_b64encode(hmac.digest(known, content.encode(), 'sha256')).decode().rstrip('=')}"

        provider.token = signed
        provider.configuration = {"id_token_signing_alg_values_supported": ["HS256"]}
        assert refused(client, store) == (403, "answer not verified (its ID token: unsupported_algorithm)")

    def test_another_key_of_the_same_name_signs_nothing(
        self, client: FlaskClient, provider: Provider, store: Store
    ) -> None:
        other = RSAKey.generate_key(2048)
        provider.token = lambda claims: jwt.encode({"alg": "RS256", "kid": "first"}, dict(claims), other)
        assert refused(client, store) == (403, "answer not verified (its ID token: bad_signature)")

    def test_the_provider_may_change_its_keys_at_any_time(self, client: FlaskClient, provider: Provider) -> None:
        for algorithm, kid in (("RS256", "first"), ("ES256", "second")):
            provider.sign_with(algorithm, kid)
            sign_in(client)
            assert is_in(client)
            client.delete_cookie("__Host-connector_session", path="/")

    @pytest.mark.parametrize("token", ["", "garbage", "a.b.c", 7, None, {"a": 1}, "e30.e30.", "x" * 300_000])
    def test_what_is_none_is_refused(
        self, client: FlaskClient, provider: Provider, store: Store, token: object
    ) -> None:
        provider.token = lambda claims: token
        status, why = refused(client, store)
        assert (status, why.startswith("answer not verified (its ID token")) == (403, True)

    @pytest.mark.parametrize(
        "keys",
        [
            {},
            {"keys": 7},
            {"keys": []},
            {"keys": [7]},
            {"keys": [{}]},
            {"keys": [{"kty": "RSA"}]},
            {"keys": [{"kty": "RSA", "n": 5, "e": []}]},
            {"keys": [{"kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": "first"}]},
            {"keys": [{"kty": ["RSA"]}]},
            {"keys": [{"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA", "kid": "first"}]},
        ],
    )
    def test_so_are_keys_that_are_none(
        self, client: FlaskClient, provider: Provider, store: Store, keys: dict[str, object]
    ) -> None:
        provider.wrong["/keys"] = lambda: jsonify(keys)
        status, why = refused(client, store)
        assert (status, why.startswith("answer not verified (its ID token")) == (403, True)


class TestTheWayBack:
    def test_what_the_provider_says_of_an_error_is_neither_shown_nor_noted(
        self, client: FlaskClient, store: Store, capsys: pytest.CaptureFixture[str]
    ) -> None:
        for error, noted in (("access_denied", "access_denied"), ("<b>hostile</b>", "another error")):
            state = parse_qs(urlsplit(sent_back(client)).query)["state"][0]
            said = {"error": error, "error_description": "hostile: call +1 555 0100", "state": state}
            answer = get(client, f"{CALLBACK}?{urlencode(said)}")
            assert (answer.status_code, "did not log you in" in answer.text) == (403, True)
            assert "hostile" not in answer.text + capsys.readouterr().out
            assert refusals(store)[-1] == f"OpenID Connect: refused by the provider ({noted})"

    def test_it_can_be_gone_once(self, client: FlaskClient, store: Store) -> None:
        back = sent_back(client)
        get(client, back)
        answer = get(client, back)
        assert (answer.status_code, "is over already" in answer.text) == (403, True)
        assert refusals(store) == ["OpenID Connect: not started here"]
        assert is_in(client)

    def test_nor_again_with_the_cookie_of_then(self, client: FlaskClient, app: Flask, store: Store) -> None:
        back, copied = sent_back(client), app.test_client()
        cookie = client.get_cookie("__Host-connector_openid", path="/", domain="connector.example")
        assert cookie is not None
        get(client, back)
        copied.set_cookie("__Host-connector_openid", cookie.value, domain="connector.example", secure=True)
        assert get(copied, back).status_code == 403
        assert refusals(store) == ["OpenID Connect: refused by the provider (invalid_grant)"]

    def test_nobody_is_signed_in_by_what_another_browser_began(
        self, client: FlaskClient, app: Flask, store: Store, provider: Provider
    ) -> None:
        victim = app.test_client()
        for wait_there in (False, True):
            if wait_there:
                sent_back(victim)
            del provider.asked[:]
            answer = get(victim, sent_back(client))
            assert (answer.status_code, is_in(victim), "/token" in provider.asked) == (403, False, False)
        assert refusals(store) == ["OpenID Connect: not started here"] * 2

    @pytest.mark.parametrize("query", ["", "?code=a", "?code=a&state=", "?code=a&state=%C3%A9", "?error=access_denied"])
    def test_what_has_no_state_is_refused(self, client: FlaskClient, query: str) -> None:
        get(client, BEGIN)
        assert get(client, CALLBACK + query).status_code == 403

    def test_it_takes_ten_minutes_at_most(self, client: FlaskClient, clock: Clock) -> None:
        back = sent_back(client)
        clock.forward(11 * MINUTE)
        assert "took too long" in get(client, back).text

    @pytest.mark.parametrize(
        "wanted", ["https://evil.example", "//evil.example", "/console\\@evil.example", "/hooks", ""]
    )
    def test_it_leads_to_our_own_pages_alone(self, client: FlaskClient, wanted: str) -> None:
        back = sent_back(client, wanted)
        assert 'content="0; url=/console"' in get(client, f"{back}&next=https://evil.example").text

    def test_another_issuer_may_not_have_sent_the_browser(
        self, client: FlaskClient, provider: Provider, store: Store
    ) -> None:
        back = sent_back(client)
        assert get(client, f"{back}&iss=https://evil.example").status_code == 403
        assert "/token" not in provider.asked
        sign_in_again = sent_back(client)
        get(client, f"{sign_in_again}&{urlencode({'iss': provider.issuer})}")
        assert is_in(client)
        assert refusals(store) == ["OpenID Connect: answer not verified (another issuer sent the browser back)"]

    def test_a_provider_that_always_names_itself_must(
        self, client: FlaskClient, provider: Provider, store: Store
    ) -> None:
        provider.configuration = {"authorization_response_iss_parameter_supported": True}
        assert refused(client, store)[0] == 403

    def test_its_cookie_comes_along_from_another_site_and_no_script_reads_it(self, client: FlaskClient) -> None:
        cookie = get(client, BEGIN).headers["Set-Cookie"]
        assert cookie.startswith("__Host-connector_openid=")
        assert [part for part in ("Secure", "HttpOnly", "Path=/;", "SameSite=Lax") if part not in cookie + ";"] == []

    def test_logins_are_slowed_down_before_the_provider_is_asked(
        self, client: FlaskClient, provider: Provider, store: Store
    ) -> None:
        provider.claims = {"aud": "another"}
        answers = [sign_in(client).status_code for _ in range(6)]
        assert (answers, provider.asked.count("/token")) == ([403] * 5 + [429], 5)
        assert refusals(store)[-1] == "OpenID Connect: throttled"

    def test_they_keep_nobody_from_a_password(
        self, store: Store, clock: Clock, file: Path, settings: OpenId, provider: Provider
    ) -> None:
        app = an_app(store, clock, file, settings, HASH)
        provider.claims = {"aud": "another"}
        for number in range(12):
            client = app.test_client()
            client.environ_base["REMOTE_ADDR"] = f"192.0.2.{number}"
            sign_in(client)
        assert password_works(app, "", PASSWORD)


class TestAProviderInTrouble:
    @pytest.mark.parametrize(
        ("answer", "why"),
        [
            (html(502), "its configuration: answered 502"),
            (html(), "its configuration: no JSON object"),
            (lambda: jsonify([1]), "its configuration: no JSON object"),
            (lambda: Response("[" * 100_000), "its configuration: no JSON object"),
            (lambda: redirect("/keys"), "its configuration: answered 302"),
            (lambda: Response("x" * 2_000_000), "the answer is larger than 1,048,576 bytes"),
        ],
    )
    def test_its_configuration_may_be_anything(
        self, client: FlaskClient, provider: Provider, store: Store, answer: Callable[[], Response], why: str
    ) -> None:
        provider.wrong[CONFIGURATION] = answer
        shown = get(client, BEGIN)
        assert (shown.status_code, "cannot be used at the moment" in shown.text) == (503, True)
        assert "hostile" not in shown.text
        assert refusals(store) == [f"OpenID Connect: provider unavailable ({why})"]
        provider.wrong.clear()
        sign_in(client)
        assert is_in(client)

    @pytest.mark.parametrize(
        ("configuration", "why"),
        [
            ({"issuer": "https://evil.example"}, "names another issuer"),
            ({"issuer": None}, "names another issuer"),
            ({"authorization_endpoint": "javascript:alert(1)"}, "no https address as authorization_endpoint"),
            ({"token_endpoint": "http://192.0.2.1/token"}, "no https address as token_endpoint"),
            ({"jwks_uri": None}, "no https address as jwks_uri"),
            ({"jwks_uri": "https://"}, "no https address as jwks_uri"),
            ({"jwks_uri": "https://a@b.example"}, "no https address as jwks_uri"),
            ({"jwks_uri": "https://[b"}, "no https address as jwks_uri"),
            ({"userinfo_endpoint": ["x"]}, "no https address as userinfo_endpoint"),
        ],
    )
    def test_and_may_name_anything(
        self, client: FlaskClient, provider: Provider, store: Store, configuration: dict[str, object], why: str
    ) -> None:
        provider.configuration = configuration
        assert get(client, BEGIN).status_code == 503
        assert why in refusals(store)[0]

    @pytest.mark.parametrize(
        ("path", "answer", "status", "why"),
        [
            ("/token", html(502), 503, "provider unavailable (its tokens: answered 502)"),
            ("/token", html(), 503, "provider unavailable (its tokens: no JSON object as expected)"),
            ("/token", lambda: redirect("/keys"), 503, "provider unavailable (its tokens: no JSON object as expected)"),
            ("/token", lambda: jsonify(error="invalid_client"), 403, "refused by the provider (invalid_client)"),
            ("/token", lambda: jsonify(error=["hostile"]), 403, "refused by the provider (another error)"),
            ("/token", lambda: jsonify({}), 403, "answer not verified (its ID token or keys: KeyError)"),
            (
                "/token",
                lambda: Response('{"expires_in": Infinity}'),
                503,
                "provider unavailable (its tokens: no JSON object as expected)",
            ),
            ("/keys", html(404), 503, "provider unavailable (its keys: answered 404)"),
            ("/userinfo", html(403), 503, "provider unavailable (its userinfo: answered 403)"),
        ],
    )
    def test_each_answer_may_be_wrong(
        self,
        client: FlaskClient,
        provider: Provider,
        store: Store,
        path: str,
        answer: Callable[[], Response],
        status: int,
        why: str,
    ) -> None:
        provider.person, provider.userinfo = {"sub": "7"}, {}
        provider.wrong[path] = answer
        assert refused(client, store) == (status, why)

    def test_it_may_not_be_there(self, store: Store, clock: Clock, file: Path) -> None:
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            settings = OpenId(f"http://127.0.0.1:{closed.getsockname()[1]}", CLIENT, SECRET)
            client = an_app(store, clock, file, settings, HASH).test_client()
            assert get(client, BEGIN).status_code == 503
        assert refusals(store) == ["OpenID Connect: provider unavailable (ConnectionError)"]

    def test_a_provider_that_sends_a_byte_now_and_then_holds_nobody(self, provider: Provider, settings: OpenId) -> None:
        over = Event()

        def drip() -> Iterator[bytes]:
            while not over.wait(0.05):
                yield b" "

        provider.wrong[CONFIGURATION] = lambda: Response(drip())
        client = Client(settings, "connector.example", lambda: 0.0, Limits(1.0, 1.0, 0.3, 1000))
        with pytest.raises(Problem, match=r"no complete answer within 0\.3 s"):
            client.address(SignInRequest.new())
        over.set()

    def test_no_more_than_eight_wait_for_it(self, provider: Provider, settings: OpenId) -> None:
        client = Client(settings, "connector.example", lambda: 0.0)
        waiting = [client.session() for _ in range(8)]
        for one in waiting:
            one.__enter__()
        with pytest.raises(Problem, match="not yet answered others"):
            client.check()
        for one in waiting:
            one.__exit__(None, None, None)
        client.check()

    def test_its_configuration_is_asked_for_once_an_hour(
        self, client: FlaskClient, provider: Provider, clock: Clock
    ) -> None:
        for minutes in (0, 59, 2):
            clock.forward(minutes * MINUTE)
            get(client, BEGIN)
        assert provider.asked == [CONFIGURATION] * 2


def environment(**changed: str) -> dict[str, str]:
    given = {"ISSUER": "https://login.example", "CLIENT_ID": CLIENT, "CLIENT_SECRET": SECRET, **changed}
    return {
        "CONNECTOR_CONSOLE_URL": URL,
        **{f"CONNECTOR_CONSOLE_OPENID_{name}": value for name, value in given.items()},
    }


class TestSettings:
    def test_without_any_it_is_off(self) -> None:
        assert complete(read_openid({}), "") is None

    def test_the_secret_may_be_in_a_file_and_is_in_no_text(self, tmp_path: Path) -> None:
        (tmp_path / "secret").write_text(f"{SECRET}\n")
        given = read_openid(environment(CLIENT_SECRET="", CLIENT_SECRET_FILE=str(tmp_path / "secret")))
        settings = complete(given, URL)
        assert settings is not None
        assert settings.client_secret == SECRET
        assert SECRET not in repr(read_process(environment()))

    @pytest.mark.parametrize(
        ("changed", "problem"),
        [
            ({"CLIENT_ID": "", "CLIENT_SECRET": ""}, "OPENID_CLIENT_ID, CONNECTOR_CONSOLE_OPENID_CLIENT_SECRET: must"),
            ({"ISSUER": ""}, "CONNECTOR_CONSOLE_OPENID_ISSUER: must be set as well"),
            ({"CLIENT_SECRET": "", "CLIENT_SECRET_FILE": "/nowhere"}, "/nowhere: the client secret cannot be read"),
            ({"ISSUER": "http://login.example"}, "must be an https address"),
            ({"ISSUER": "http://127.0.0.1.example"}, "must be an https address"),
            ({"ISSUER": "https://login.example/?a"}, "must be an https address"),
            ({"ISSUER": "login.example"}, "must be an https address"),
        ],
    )
    def test_what_is_missing_or_wrong_stops_the_start(self, changed: dict[str, str], problem: str) -> None:
        with pytest.raises(FixConfiguration, match=problem):
            complete(read_openid(environment(**changed)), URL)

    def test_it_needs_the_console_s_address(self) -> None:
        with pytest.raises(FixConfiguration, match="CONNECTOR_CONSOLE_URL: must be set as well"):
            complete(read_openid(environment()), "")

    @pytest.mark.parametrize("issuer", ["http://127.0.0.1:8080/realms/a", "http://localhost:1", "http://[::1]:2"])
    def test_http_will_do_on_this_machine(self, issuer: str) -> None:
        assert complete(read_openid(environment(ISSUER=issuer)), URL)

    def test_without_the_extra_the_console_does_not_start(self, tmp_path: Path, file: Path) -> None:
        program = "import sys; sys.modules['authlib'] = None; from connector.cli import main; main()"
        (tmp_path / "agency.yaml").write_text(
            "agency: sunrise\nwebhook: {secrets: ['${HOOK_SECRET}']}\n"
            "destinations: {hubspot: {mapping: hubspot, auth: {access_token: '${TOKEN}'}}}\n"
        )
        given = {"HOOK_SECRET": HOOK_SECRET, "TOKEN": "t", "CONNECTOR_CONSOLE_PEOPLE": str(file)}
        started = subprocess.run(
            [sys.executable, "-c", program, "console", "-c", str(tmp_path / "agency.yaml")],
            env={**os.environ, **environment(), **given, "CONNECTOR_DATABASE_URL": f"sqlite:///{tmp_path}/c.db"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert "carecycle-crm-connector[oidc]" in started.stderr
        assert started.returncode == 2


class TestDoctor:
    def finding(self, file: Path, **settings: str) -> tuple[str, str]:
        given = {f"CONNECTOR_CONSOLE_OPENID_{name}": value for name, value in settings.items()}
        found = check_console(
            read_process({"CONNECTOR_CONSOLE_PEOPLE": str(file), "CONNECTOR_CONSOLE_URL": URL, **given})
        )
        return found.health, found.found

    def test_it_asks_the_provider(self, file: Path, provider: Provider) -> None:
        given = {"ISSUER": provider.issuer, "CLIENT_ID": CLIENT, "CLIENT_SECRET": SECRET}
        assert self.finding(file, **given) == ("fine", "is on")
        provider.wrong[CONFIGURATION] = html(502)
        health, found = self.finding(file, **given)
        assert (health, found) == (
            "doubtful",
            "is on, but 127.0.0.1 cannot be used: its configuration: answered 502",
        )

    def test_it_names_whom_nothing_lets_in(self, file: Path) -> None:
        health, found = self.finding(file)
        assert (health, "CONNECTOR_CONSOLE_OPENID_ISSUER these people cannot log in: ana, ben" in found) == (
            "doubtful",
            True,
        )
