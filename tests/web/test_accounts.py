"""People with names of their own: signing in, their sessions, and who may see and end them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.security import generate_password_hash
from werkzeug.test import TestResponse

from connector.errors import FixConfiguration
from connector.store import Store
from connector.web.console import create_console
from connector.web.health import create_admin
from connector.web.origin import Origin, read_origin
from connector.web.passwords import Passwords, is_old, problem_of
from connector.web.roster import Roster, read_people
from tests.builders import DESTINATION, LANE
from tests.conftest import Clock
from tests.web.conftest import (
    CHEAP,
    HASH,
    KEY,
    MINUTE,
    PASSWORD,
    VIEWERS_HASH,
    act,
    an_account,
    log_in,
    taken_away,
    token,
)

ANA, BEN = "anas own long words", "bens own long words"
URL = "https://connector.example"


@pytest.fixture
def ready_address(sqlite_ready: str) -> str:
    """Both databases are tried by the store's own tests."""
    return sqlite_ready


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / ".people.yaml.lock").mkdir()  # nobody can edit it: the cheap hashes of the tests stay
    return write(
        tmp_path / "people.yaml",
        ana={"role": "admin", "password": hashed(ANA)},
        ben={"role": "operator", "password": hashed(BEN), "agencies": ["sunrise"]},
    )


def hashed(password: str) -> str:
    return generate_password_hash(password, CHEAP)


def write(file: Path, **people: object) -> Path:
    file.write_text(yaml.safe_dump({"people": people}))
    file.chmod(0o600)
    return file


def change(file: Path, name: str, **fields: object) -> None:
    people = yaml.safe_load(file.read_text())["people"]
    write(file, **{**people, name: {**people[name], **fields}})


@pytest.fixture
def start(store: Store, clock: Clock, file: Path) -> Callable[..., Flask]:
    """Start a console process; several share a database."""

    def start(passwords: Passwords | None = None, origin: Origin | None = None) -> Flask:
        shared = passwords or Passwords(HASH, VIEWERS_HASH)
        console = create_console(
            store, shared, KEY, lambda: clock() / 1000, [an_account()], roster=Roster(file), origin=origin
        )
        return create_admin(store, [console])

    return start


@pytest.fixture
def app(start: Callable[..., Flask]) -> Flask:
    return start()


def sign_in(app: Flask, name: str, password: str, address: str = "192.0.2.1") -> FlaskClient:
    client = a_client(app, address)
    assert log_in(client, password, name=name).status_code == 303
    return client


def a_client(app: Flask, address: str = "192.0.2.1") -> FlaskClient:
    client = app.test_client()
    client.environ_base["REMOTE_ADDR"] = address
    return client


def cookie_of(client: FlaskClient, name: str = "connector_session", path: str = "/console") -> str:
    cookie = client.get_cookie(name, path=path)
    assert cookie is not None
    return cookie.value


def is_in(client: FlaskClient) -> bool:
    return client.get("/console/why").status_code == 200


def audit(store: Store) -> list[tuple[str, str, str]]:
    return [(entry.who, entry.action, entry.thing) for entry in reversed(store.audit.entries())]


def end(client: FlaskClient, whose: str) -> TestResponse:
    form = re.search(rf'name="id" value="(\d+)">\s*<button[^>]*aria-label="End the session of {whose} ', page(client))
    assert form is not None
    return act(client, "/console/accounts/end", id=form[1])


def page(client: FlaskClient) -> str:
    return client.get("/console/accounts").text


class TestSigningIn:
    def test_a_person_signs_in_by_name_however_it_is_written(self, app: Flask, store: Store) -> None:
        sign_in(app, " Ana ", ANA)
        assert audit(store) == [("console:ana", "sign-in", "admin from 192.0.2.1")]

    def test_what_a_person_does_is_noted_with_the_name(self, app: Flask, store: Store) -> None:
        store.lanes.open({LANE: DESTINATION})
        act(sign_in(app, "ben", BEN), "/console/lanes/pause", lane=LANE)
        assert audit(store)[-1] == ("console:ben", "pause", LANE)

    def test_the_shared_password_remains_and_needs_no_name(self, app: Flask) -> None:
        assert is_in(sign_in(app, "", PASSWORD))

    @pytest.mark.parametrize(
        ("name", "password"), [("ana", BEN), ("ana", PASSWORD), ("", ANA), ("eve", ANA), ("\u0430na", ANA)]
    )
    def test_a_password_is_that_of_its_name_alone(self, app: Flask, name: str, password: str) -> None:
        answer = log_in(a_client(app), password, name=name)
        assert (answer.status_code, "Wrong name or password." in answer.text) == (403, True)

    def test_a_name_nobody_has_is_noted_nowhere(
        self, app: Flask, store: Store, capsys: pytest.CaptureFixture[str]
    ) -> None:
        log_in(a_client(app), "whatever it is", name="my secret words")
        assert audit(store) == [("console:192.0.2.1", "sign-in refused", "unknown name: unknown name")]
        assert "secret" not in capsys.readouterr().out + page(sign_in(app, "ana", ANA))

    def test_a_wrong_password_is_noted_with_the_name(self, app: Flask, store: Store) -> None:
        log_in(a_client(app), "whatever it is", name="ana")
        assert audit(store) == [("console:192.0.2.1", "sign-in refused", "ana: wrong password")]

    def test_the_letters_of_a_password_may_be_composed_or_not(self, app: Flask, file: Path) -> None:
        change(file, "ana", password=hashed("M\u00fcllers Gr\u00f6\u00dfe 12"))
        assert is_in(sign_in(app, "ana", "Mu\u0308llers Gro\u0308\u00dfe 12"))

    def test_an_endless_password_is_not_hashed(self, app: Flask) -> None:
        assert log_in(a_client(app), "x" * 400_000, name="ana").status_code in (403, 413)

    def test_an_older_hash_is_made_again_as_it_is_done_today(self, app: Flask, file: Path) -> None:
        (file.parent / f".{file.name}.lock").rmdir()
        assert is_in(sign_in(app, "ana", ANA))
        assert {name for name, person in read_people(file).items() if is_old(person.hash)} == {"ben"}

    def test_it_always_begins_a_new_session_and_ends_the_one_before(self, app: Flask) -> None:
        client = sign_in(app, "ana", ANA)
        fixed = cookie_of(client)
        assert log_in(client, BEN, name="ben").status_code == 303
        planted = app.test_client()
        planted.set_cookie("connector_session", fixed, path="/console")
        assert (cookie_of(client) != fixed, is_in(client), is_in(planted)) == (True, True, False)

    def test_works_while_the_database_is_away_and_ends_with_a_plain_page(self, app: Flask, store: Store) -> None:
        client = a_client(app)
        form = {"token": token(client, "/console/login"), "name": "ana", "password": ANA}
        with taken_away(store):
            assert client.post("/console/login", data=form).status_code == 303
            assert client.get("/console/why").status_code == 503
        assert is_in(client)


class TestGuessing:
    def test_one_person_is_guessed_ten_times_whatever_the_addresses(self, app: Flask) -> None:
        answers = [log_in(a_client(app, f"192.0.2.{n}"), "guess", name="ana").status_code for n in range(12)]
        assert answers == [403] * 10 + [429] * 2

    def test_it_does_not_keep_the_person_from_a_browser_they_used(self, app: Flask, clock: Clock) -> None:
        known = sign_in(app, "ana", ANA)
        act(known, "/console/logout")
        for n in range(12):
            log_in(a_client(app, f"198.51.100.{n}"), "guess", name="ana")
        assert log_in(known, ANA, name="ana").status_code == 303

    def test_nor_anybody_of_another_name(self, app: Flask) -> None:
        for n in range(12):
            log_in(a_client(app, f"198.51.100.{n}"), "guess", name="ana")
        assert is_in(sign_in(app, "ben", BEN, "198.51.100.99"))

    def test_processes_share_what_was_guessed(self, start: Callable[..., Flask]) -> None:
        answers = [log_in(a_client(process), "guess", name="ana").status_code for process in (start(), start()) * 3]
        assert answers == [403] * 5 + [429]

    def test_a_network_of_ipv6_is_one_address(self, app: Flask) -> None:
        answers = [log_in(a_client(app, f"2001:db8::{n}"), "guess", name=f"n{n}").status_code for n in range(6)]
        assert answers == [403] * 5 + [429]

    def test_names_nobody_has_are_slowed_down_alike(self, app: Flask) -> None:
        answers = [log_in(a_client(app, f"192.0.2.{n}"), "guess", name="eve").status_code for n in range(12)]
        assert answers == [403] * 10 + [429] * 2

    def test_a_clock_set_back_locks_nobody_out_for_longer(self, app: Flask, clock: Clock) -> None:
        clock.forward(24 * 60 * MINUTE)
        for _ in range(6):
            log_in(a_client(app), "guess", name="ana")
        clock.forward(-24 * 60 * MINUTE)
        log_in(a_client(app), "guess", name="ana")
        clock.forward(2 * MINUTE)
        assert is_in(sign_in(app, "ana", ANA))

    def test_refusals_do_not_fill_the_audit_log(self, app: Flask, store: Store) -> None:
        client = a_client(app)
        for _ in range(70):
            client.post("/console/login")
        assert len(store.audit.entries(500)) == 60


class TestEnding:
    @pytest.mark.parametrize(
        "changed", [{"password": hashed("another long one")}, {"role": "viewer"}, {"agencies": ["sunset"]}]
    )
    def test_another_password_role_or_agency_ends_the_sessions_in_every_process(
        self, start: Callable[..., Flask], file: Path, changed: dict[str, object]
    ) -> None:
        one, two = start(), start()
        ben, ana = sign_in(one, "ben", BEN), sign_in(one, "ana", ANA)
        other = two.test_client()
        other.set_cookie("connector_session", cookie_of(ben), path="/console")
        assert is_in(other)
        change(file, "ben", **changed)
        assert (is_in(ben), is_in(other), is_in(ana)) == (False, False, True)

    def test_a_removed_person_is_out(self, app: Flask, file: Path) -> None:
        ben = sign_in(app, "ben", BEN)
        write(file, ana={"role": "admin", "password": hashed(ANA)})
        assert not is_in(ben)

    def test_logging_out_ends_it_for_whoever_copied_the_cookie(self, start: Callable[..., Flask]) -> None:
        one, two = start(), start()
        client, copied = sign_in(one, "ben", BEN), two.test_client()
        copied.set_cookie("connector_session", cookie_of(client), path="/console")
        act(client, "/console/logout")
        assert not is_in(copied)

    def test_logging_out_works_while_the_database_is_away(self, app: Flask, store: Store) -> None:
        client, copied = sign_in(app, "ben", BEN), app.test_client()
        copied.set_cookie("connector_session", cookie_of(client), path="/console")
        form = {"token": token(client)}
        with taken_away(store):
            assert client.post("/console/logout", data=form).status_code == 303
        assert not is_in(copied)

    def test_the_token_is_in_no_table(self, app: Flask, store: Store) -> None:
        cookie = cookie_of(sign_in(app, "ben", BEN)).encode()
        file = Path(str(store.database.engine.url.database).removeprefix("file:").partition("?")[0])
        parts = [part for part in file.parent.glob(f"{file.name}*") if part.is_file()]
        assert parts
        assert not any(cookie in part.read_bytes() for part in parts)

    @pytest.mark.parametrize("cookie", ["", "eyJ1bnRpbCI6OTk5OTk5OTk5OX0.AAAA", "\u00e9", "x" * 4000])
    def test_a_cookie_of_an_older_version_or_of_anybody_opens_nothing(self, app: Flask, cookie: str) -> None:
        client = app.test_client()
        client.set_cookie("connector_session", cookie, path="/console")
        assert client.get("/console/why").status_code == 303


class TestThePage:
    def test_an_administrator_sees_everybody_and_ends_their_sessions(self, app: Flask, store: Store) -> None:
        ana, ben = sign_in(app, "ana", ANA), sign_in(app, "ben", BEN, "198.51.100.4")
        assert "198.51.100.4" in page(ana)
        assert "The session of ben is ended." in end(ana, "ben").text
        assert (is_in(ana), is_in(ben)) == (True, False)
        assert audit(store)[-1] == ("console:ana", "end session", "ben from 198.51.100.4")

    def test_others_see_and_end_their_own_alone(self, app: Flask) -> None:
        ana, ben, elsewhere = sign_in(app, "ana", ANA), sign_in(app, "ben", BEN), sign_in(app, "ben", BEN)
        assert ">ana" not in page(ben)
        assert page(ben).count('name="id"') == 2
        ids = re.findall(r'name="id" value="(\d+)"', page(ana))
        assert {act(ben, "/console/accounts/end", id=max(ids, key=int) + "9").status_code} == {404}
        assert act(ben, "/console/accounts/end", id=min(ids, key=int)).status_code == 404
        assert (is_in(ana), is_in(elsewhere)) == (True, True)

    def test_a_shared_password_s_session_is_its_own_business(self, app: Flask) -> None:
        viewers = [sign_in(app, "", "staple battery horse correct", f"192.0.2.{n}") for n in (8, 9)]
        assert ("192.0.2.8" in page(viewers[0]), "192.0.2.9" in page(viewers[0])) == (True, False)

    def test_an_administrator_of_one_agency_sees_its_people_alone(self, app: Flask, file: Path) -> None:
        change(file, "ana", agencies=["sunset"])
        ana, _ = sign_in(app, "ana", ANA), sign_in(app, "ben", BEN)
        assert (">ben" in page(ana), ">shared password" in page(ana)) == (False, False)
        change(file, "ana", agencies=["sunrise", "sunset"])
        assert ">ben" in page(sign_in(app, "ana", ANA))

    def test_a_file_that_cannot_be_used_is_shown_and_locks_nobody_out(self, app: Flask, file: Path) -> None:
        ana, good = sign_in(app, "ana", ANA), file.read_text()
        for problem, spoil in {
            "is not YAML at line 2": lambda: file.write_text("people:\n  - ]"),
            "may be read by others": lambda: file.chmod(0o644),
            "is gone": file.unlink,
        }.items():
            spoil()
            assert problem in page(ana)
            assert is_in(sign_in(app, "ben", BEN))
            file.write_text(good)
            file.chmod(0o600)
            assert "cannot be used" not in page(ana)


class TestTheFile:
    @pytest.mark.parametrize(
        ("entry", "problem"),
        [
            ({"role": "boss", "password": HASH}, "role must be one of viewer, operator, compliance, admin"),
            ({"role": "viewer", "password": "secret"}, "must be a hash"),
            ({"role": "viewer", "password": HASH, "agencies": []}, "agencies must be a list"),
            ({"role": "viewer", "password": HASH, "agencies": "sunrise"}, "agencies must be a list"),
            ({"role": "viewer", "password": HASH, "agency": "sunrise"}, "unknown: agency"),
            (None, "must have role, and password or openid"),
            ({"role": "viewer"}, "password must be a hash"),
            ({"role": "viewer", "openid": "ana"}, "openid must be an e-mail address"),
            ({"role": "viewer", "openid": "sub:"}, "openid must be an e-mail address"),
            ({"role": "viewer", "openid": "ana@agency.example", "password": "secret"}, "must be a hash"),
        ],
    )
    def test_a_wrong_entry_is_named_without_its_hash(self, tmp_path: Path, entry: object, problem: str) -> None:
        with pytest.raises(FixConfiguration, match=problem) as raised:
            Roster(write(tmp_path / "people.yaml", ana=entry)).require()
        assert "ana" in str(raised.value)
        assert "scrypt" not in str(raised.value)

    @pytest.mark.parametrize("name", ["Ana", "\u0430na", "ana\n", "a" * 64, "", "-ana"])
    def test_a_name_is_plain(self, tmp_path: Path, name: str) -> None:
        with pytest.raises(FixConfiguration, match="the name must be"):
            read_people(write(tmp_path / "people.yaml", **{name: {"role": "viewer", "password": HASH}}))

    def test_there_need_be_none(self, tmp_path: Path) -> None:
        assert Roster(tmp_path / "none.yaml").people() == {}


class TestPasswords:
    @pytest.mark.parametrize(
        "password",
        [
            "elevenchars",
            "password1234",
            "P@ssw0rd2026!",
            "Sunshine-2026",
            "qwertyqwerty",
            "123456789012",
            "abcdefghijkl",
            "aaaaaaaaaaaaaa",
            "monkey monkey",
            "ana-ana-2026",
            "x" * 257,
        ],
    )
    def test_what_is_guessed_early_is_refused(self, password: str) -> None:
        assert problem_of(password, "ana")

    @pytest.mark.parametrize(
        "password", ["correct horse battery", "kT9#vLq2!xRw", "überlange Wörter hier", "x9" * 3 + "plum tree"]
    )
    def test_others_may_be_used(self, password: str) -> None:
        assert problem_of(password, "ana") == ""


class TestItsAddress:
    @pytest.fixture
    def app(self, start: Callable[..., Flask]) -> Flask:
        return start(origin=read_origin(URL, "10.0.0.0/8"))

    @staticmethod
    def post(app: Flask, **headers: str) -> int:
        client = app.test_client()
        cookie = client.get("/console/login", base_url=URL)
        found = re.search(r'name="token" value="([^"]+)"', cookie.text)
        assert found is not None
        form = {"token": found[1], "password": PASSWORD}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return client.post("/console/login", base_url=URL, data=form, headers=named).status_code

    def test_cookies_are_bound_to_the_host_and_to_https(self, app: Flask) -> None:
        answer = app.test_client().get("/console/login", base_url="http://connector.example")
        cookie = answer.headers["Set-Cookie"]
        assert cookie.startswith("__Host-connector_login=")
        assert [part for part in ("Secure", "HttpOnly", "Path=/;", "SameSite=Strict") if part not in cookie + ";"] == []
        assert "Domain" not in cookie

    def test_browsers_are_bound_to_https(self, app: Flask, start: Callable[..., Flask]) -> None:
        answer = app.test_client().get("/console/login", base_url=URL)
        assert answer.headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains"
        assert "Strict-Transport-Security" not in start().test_client().get("/console/login").headers

    @pytest.mark.parametrize(
        "host", ["evil.example", "localhost:8081", "connector.example.evil.example", "connector.example:8081"]
    )
    def test_another_host_is_refused(self, app: Flask, store: Store, host: str) -> None:
        answer = app.test_client().get("/console/login", base_url=f"https://{host}")
        assert (answer.status_code, "not the console" in answer.text) == (421, True)
        assert "evil.example" not in answer.text
        assert audit(store) == [("console:127.0.0.1", "refused", "wrong host: login_form")]

    def test_no_address_leads_to_the_host_that_a_request_names(self, app: Flask) -> None:
        answer = app.test_client().get("/console//login", base_url="https://evil.example")
        assert "evil.example" not in answer.headers.get("Location", "")

    def test_a_form_of_another_site_is_refused(self, app: Flask) -> None:
        assert self.post(app) == 303
        assert self.post(app, Origin=URL, Sec_Fetch_Site="same-origin") == 303
        assert self.post(app, Origin="https://evil.example") == 400
        assert self.post(app, Origin="null") == 400
        assert self.post(app, Sec_Fetch_Site="same-site") == 400

    def test_a_proxy_is_believed_only_if_it_is_trusted(self, app: Flask, store: Store) -> None:
        forwarded = {"X-Forwarded-For": "203.0.113.9, 198.51.100.7, 10.0.0.2"}
        for address in ("10.0.0.1", "192.0.2.1"):
            client = a_client(app, address)
            client.get("/console/login", base_url="https://evil.example", headers=forwarded)
        assert [who for who, _, _ in audit(store)] == ["console:198.51.100.7", "console:192.0.2.1"]

    def test_a_proxy_is_known_by_its_ipv4_address_on_a_listener_for_both(self, app: Flask, store: Store) -> None:
        client = a_client(app, "::ffff:10.0.0.1")
        forwarded = {"X-Forwarded-For": "203.0.113.9"}
        client.get("/console/login", base_url="https://evil.example", headers=forwarded)
        assert [who for who, _, _ in audit(store)] == ["console:203.0.113.9"]

    @pytest.mark.parametrize("forwarded", ["", "evil\r\nX: y".replace("\r\n", " "), "999.1.1.1", ",,,", "<script>"])
    def test_what_is_no_address_is_not_taken_for_one(self, app: Flask, store: Store, forwarded: str) -> None:
        client = a_client(app, "10.0.0.1")
        client.get("/console/login", base_url="https://evil.example", headers={"X-Forwarded-For": forwarded})
        assert [who for who, _, _ in audit(store)] == ["console:10.0.0.1"]

    @pytest.mark.parametrize(
        "url",
        [
            "http://connector.example",
            "connector.example",
            "https://a@connector.example",
            "https://x/crm",
            "https://x:port",
        ],
    )
    def test_an_address_that_is_none_stops_the_start(self, url: str) -> None:
        with pytest.raises(FixConfiguration, match="CONNECTOR_CONSOLE_URL"):
            read_origin(url, "")

    def test_proxies_that_are_none_stop_the_start(self) -> None:
        with pytest.raises(FixConfiguration, match="CONNECTOR_CONSOLE_PROXIES"):
            read_origin(URL, "10.0.0.0/8, the proxy")
