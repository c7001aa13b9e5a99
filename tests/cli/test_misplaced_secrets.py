"""A secret in any place of an agency file, a mapping or the environment is repeated nowhere, in no form."""

from __future__ import annotations

import base64
import copy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import yaml
from click.testing import CliRunner

from connector.cli import cli

TOKEN = "pat-na1-5e0c2b8c-9d1f-4c6a-8b7e-canary3f2a1b"
WORD = "Canary7Horse9Battery"
KEY = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9wcanaryS\nQ0w5Zk8xTnB4canaryR2c3aGt\n-----END PRIVATE KEY-----"
SECRETS = {
    "a token": TOKEN,
    "a password": WORD,
    "a private key": KEY,
    "a signing secret": "whsec_Y2FuYXJ5Y2FuYXJ5Y2FuYXJ5",
}
ENVIRONMENT = {
    "WEBHOOK": "whsec_c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0",
    "ID": "a-consumer-key",
    "SECRET": "a-consumer-secret",
    "TOKEN": "a-token",
    "PASSWORD": "a-password",
    "ALARM": "https://hooks.example/services/x",
}
AGENCY: dict[str, Any] = {
    "agency": "sunrise",
    "webhook": {"secrets": ["${WEBHOOK}"]},
    "timezone": "America/Phoenix",
    "destinations": {
        "sf": {
            "mapping": "salesforce-contact",
            "auth": {
                "flow": "client_credentials",
                "client_id": "${ID}",
                "client_secret": "${SECRET}",
                "domain": "sunrise.my.salesforce.com",
            },
            "budget": "20%",
            "partitions": 2,
            "renew_by": "2027-03-31",
        },
        "hs": {
            "mapping": "hubspot",
            "auth": {"access_token": "${TOKEN}"},
            "endpoint": "https://crm.example",
            "portal": 12345678,
        },
    },
    "retention": {"payloads": 30, "dead_letters": 90, "undo": 7},
    "alarms": {
        "webhook": "${ALARM}",
        "every": 60,
        "mail": {
            "to": ["ana@agency.example"],
            "sender": "connector@agency.example",
            "server": "smtp.example.com:587",
            "security": "starttls",
            "username": "connector",
            "password": "${PASSWORD}",
        },
    },
    "reveal_values": False,
}
MAPPING: dict[str, Any] = {
    "version": 1,
    "extends": "hubspot",
    "records": {"contact": {"fields": {"jobtitle": {"value": "client", "write": "always"}}}},
}


def places(node: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every path of a file, of blocks and lists too."""
    if way:
        yield way
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for name, inner in items:
        yield from places(inner, (*way, name))


def changed(file: dict[str, Any], way: tuple[Any, ...], change: Callable[[Any, Any], None]) -> dict[str, Any]:
    made = copy.deepcopy(file)
    around = made
    for name in way[:-1]:
        around = around[name]
    change(around, way[-1])
    return made


def put(value: Any) -> Callable[[Any, Any], None]:
    return lambda around, name: around.__setitem__(name, value)


def rename(secret: str) -> Callable[[Any, Any], None]:
    def change(around: Any, name: Any) -> None:
        if isinstance(around, dict):
            around[secret] = around.pop(name)

    return change


def misspell(secret: str) -> Callable[[Any, Any], None]:
    def change(around: Any, name: Any) -> None:
        if isinstance(around, dict):
            around[f"{name}x"] = secret

    return change


FORMS: dict[str, Callable[[str], Callable[[Any, Any], None]]] = {
    "as it is": put,
    "in a list": lambda secret: put([secret]),
    "in a block": lambda secret: put({"acces_token": secret}),
    "as a key of a block": lambda secret: put({secret: "x"}),
    "as a key": rename,
    "under a misspelt key": misspell,
    "in braces": lambda secret: put(f"${{{secret}}}"),
    "after a dollar": lambda secret: put(f"${secret}"),
    "in double braces": lambda secret: put(f"{{{{ {secret} }}}}"),
    "as a file": lambda secret: put(f"file:{secret}"),
    "in an address": lambda secret: put(f"https://user:{secret}@crm.example"),
    "as an address's user": lambda secret: put(f"http://{secret}@127.0.0.1:1/x"),
}


BROKEN = (
    "{start}{secret}",
    "{start}key:{secret}",
    "{start}key: [{secret}",
    "{line} {secret}",
    '{start}key: "{secret}',
    "{start}? {secret}",
    "{start}key: &{secret} x",
    "{start}key: *{secret}",
    "{start}key: !{secret} x",
    "\t{secret}: x",
    "{start}{secret}: 1\n{start}{secret}: 2",
    "{start}“{secret}”",
)


def said(secret: str) -> set[str]:
    """Every way in which a secret may be written, line by line."""
    lines = [line for line in secret.splitlines() if "PRIVATE" not in line] if "\n" in secret else [secret]
    ways = {way for line in lines for way in (line, quote(line, safe=""), line.encode().hex(), repr(line)[1:-1])}
    ways |= {base64.b64encode(line.encode()).decode()[:-4] for line in lines}
    return {way.lower() for way in ways}


def seen(secret: str, output: str) -> bool:
    plain = output.lower()
    return any(way in plain for way in said(secret))


def output(*arguments: str, **environment: str) -> str:
    done = CliRunner().invoke(cli, [*arguments], env={**ENVIRONMENT, **environment})
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.output + done.stderr


class TestAnAgencyFile:
    @pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS.keys())
    @pytest.mark.parametrize("form", FORMS)
    def test_with_a_secret_in_any_place_shows_it_nowhere(self, tmp_path: Path, form: str, secret: str) -> None:
        file, shown = tmp_path / "agency.yaml", []
        for way in places(AGENCY):
            text = yaml.safe_dump(changed(AGENCY, way, FORMS[form](secret)), sort_keys=False, width=1000)
            file.write_text(text)
            if seen(secret, said_of := output("check", "-c", str(file), "--classes")):
                shown.append((way, said_of))
        assert shown == []

    @pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS.keys())
    def test_that_is_no_yaml_shows_no_secret_either(self, tmp_path: Path, secret: str) -> None:
        file, shown = tmp_path / "agency.yaml", []
        lines = yaml.safe_dump(AGENCY, sort_keys=False).splitlines()
        for number, line in enumerate(lines):
            start = line[: len(line) - len(line.lstrip())]
            for form in BROKEN:
                broken = form.format(start=start, secret=secret, line=line)
                file.write_text("\n".join([*lines[:number], broken, *lines[number:]]))
                if seen(secret, said_of := output("check", "-c", str(file))):
                    shown.append((broken, said_of))
        assert shown == []

    @pytest.mark.parametrize("command", ["doctor", "setup", "run", "provision"])
    def test_is_refused_by_every_command_alike(self, tmp_path: Path, command: str) -> None:
        file = tmp_path / "agency.yaml"
        file.write_text(yaml.safe_dump({**AGENCY, "acces_token": TOKEN, WORD: "x", "timezone": WORD}))
        database = f"sqlite:///{tmp_path}/connector.db"
        found = output(command, "-c", str(file), CONNECTOR_DATABASE_URL=database)
        assert "agency.yaml:" in found
        assert not seen(TOKEN, found)
        assert not seen(WORD, found)

    def test_names_the_key_and_the_line(self, tmp_path: Path) -> None:
        file = tmp_path / "agency.yaml"
        file.write_text(yaml.safe_dump({**AGENCY, "acces_token": TOKEN}, sort_keys=False))
        found = output("check", "-c", str(file))
        line = file.read_text().splitlines().index(f"acces_token: {TOKEN}") + 1
        assert f"agency.yaml:{line}:1: acces_token: there is no such setting" in found


class TestAMapping:
    @pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS.keys())
    @pytest.mark.parametrize("form", FORMS)
    def test_with_a_secret_in_any_place_shows_it_nowhere(self, tmp_path: Path, form: str, secret: str) -> None:
        file, shown = tmp_path / "ours.yaml", []
        for way in places(MAPPING):
            file.write_text(yaml.safe_dump(changed(MAPPING, way, FORMS[form](secret)), sort_keys=False, width=1000))
            for how in ((), ("--json",), ("--sarif",)):
                if seen(secret, said_of := output("check", str(file), *how)):
                    shown.append((way, said_of))
        assert shown == []

    @pytest.mark.parametrize(
        "line",
        [
            "password: {}",
            "auth: {{client_id: x, access_token: '{}', api_key: {}}}",
            "records: {{contact: {{fields: {{Phone: {{client_secret: {}}}}}}}}}",
        ],
    )
    def test_shows_no_password_of_plain_words_beside_its_name(self, tmp_path: Path, line: str) -> None:
        file = tmp_path / "ours.yaml"
        file.write_text("version: 1\nextends: salesforce-contact\n" + line.format(*["correct-horse"] * 2))
        for how in ((), ("--json",), ("--sarif",)):
            found = output("check", str(file), *how)
            assert "M110" in found
            assert "correct-horse" not in found


NAMES = [
    "CONNECTOR_DATABASE_URL",
    "CONNECTOR_DATA_KEY",
    "CONNECTOR_DATA_KEY_FILE",
    "CONNECTOR_LISTEN",
    "CONNECTOR_ADMIN_LISTEN",
    "CONNECTOR_ADMIN_HOSTS",
    "CONNECTOR_CONSOLE_PASSWORD_HASH",
    "CONNECTOR_CONSOLE_VIEWER_PASSWORD_HASH",
    "CONNECTOR_CONSOLE_URL",
    "CONNECTOR_CONSOLE_PROXIES",
    "CONNECTOR_CONSOLE_OPENID_ISSUER",
    "CONNECTOR_CONSOLE_OPENID_CLIENT_ID",
    "CONNECTOR_CONSOLE_OPENID_CLIENT_SECRET",
    "CONNECTOR_LOG_LEVEL",
    "CONNECTOR_INBOX_LIMIT",
    "CONNECTOR_LEASE_SECONDS",
    "CONNECTOR_ACCEPT_DATA_LOSS",
    "CONNECTOR_OUTAGE_SECONDS",
    "CONNECTOR_WORKER_LANES",
    "HTTPS_PROXY",
]
DATABASES = [
    "postgresql://user:{}@127.0.0.1:1/connector?connect_timeout=1",
    "postgresql://user@127.0.0.1:1/connector?connect_timeout=1&password={}",
    "postgresql://{}@127.0.0.1:1/connector?connect_timeout=1",
    "mysql://user:{}@127.0.0.1:1/x",
    "postgresql://user:{}@127.0.0.1:port/x",
    "{}",
]


class TestTheEnvironment:
    @pytest.mark.parametrize("name", NAMES)
    def test_with_a_secret_under_any_name_shows_it_nowhere(self, tmp_path: Path, name: str) -> None:
        database = f"sqlite:///{tmp_path}/connector.db"
        for secret in (TOKEN, WORD):
            for value in ("{}", "https://user:{}@127.0.0.1:1/x"):
                known = {"CONNECTOR_DATABASE_URL": database, name: value.format(secret)}
                assert not seen(secret, output("doctor", "-c", str(tmp_path), "--json", **known))

    @pytest.mark.parametrize("address", DATABASES)
    def test_with_a_password_in_the_address_of_a_database_shows_it_nowhere(self, address: str) -> None:
        for secret in (TOKEN, WORD):
            assert not seen(secret, output("status", CONNECTOR_DATABASE_URL=address.format(secret)))
