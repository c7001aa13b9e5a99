"""Nothing is sent to link-local addresses, and nothing unencrypted to another machine, whatever a name leads to."""

from __future__ import annotations

import datetime
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from connector.destinations import deadline, outgoing
from connector.destinations.deadline import SHORT, broken_limit
from connector.destinations.hubspot import account as hubspot
from connector.destinations.hubspot.auth import HubSpotAuth
from connector.destinations.salesforce import account as salesforce
from connector.errors import AlarmNotSent, DestinationUnusable
from connector.insight import notify
from tests.destinations import hubspot_fixtures, salesforce_fixtures
from tests.destinations.servers import HEAD, serving

LINK_LOCAL = (
    "169.254.169.254",
    "169.254.0.1.",
    "2852039166",
    "0xA9FEA9FE",
    "0251.0376.0251.0376",
    "169.254.43518",
    "[fe80::1]",
    "[fe80::a9fe:a9fe%251]",
    "[febf::1]",
    "[::ffff:169.254.169.254]",
    "[::ffff:a9fe:a9fe]",
    "[::a9fe:a9fe]",
    "[64:ff9b::a9fe:a9fe]",
    "[2002:a9fe:a9fe::1]",
    "[fd00:ec2::254]",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "[64:ff9b:1::a9fe:a9fe]",
    "[::ffff:0:a9fe:a9fe]",
    "[2001:0:c0a8:1::5601:5601]",
)
ELSEWHERE = ("crm-proxy", "10.0.0.7", "0.0.0.0", "[::]", "[2001:db8::1]", "127.0.0.1.example", "localhost.example")
HERE = ("127.0.0.1", "127.255.0.1", "localhost", "LOCALHOST", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1")
NAME = "crm-proxy.example"


def answer(say: Callable[[bytes], object], _: threading.Event) -> None:
    say(HEAD + b"Content-Length: 2\r\n\r\n{}")


class Names:
    """What a name leads to: the first answer, then the next, the last one for good."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *answers: str) -> None:
        self._answers, self._ask = list(answers), socket.getaddrinfo
        monkeypatch.setattr(socket, "getaddrinfo", self._lookup)

    def _lookup(self, host: Any, *args: Any, **options: Any) -> Any:
        if host == NAME:
            host = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        return self._ask(host, *args, **options)


@pytest.fixture
def own_address() -> str:
    """This machine's address in its network: by plain HTTP it is another machine's."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        return str(probe.getsockname()[0])


@contextmanager
def in_the_network(tls: ssl.SSLContext | None = None) -> Iterator[tuple[int, list[bytes]]]:
    """A server on all of this machine's addresses: its port, and what it heard."""
    heard: list[bytes] = []
    with socket.create_server(("0.0.0.0", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    taken, _ = listening.accept()
                except OSError:
                    return
                try:
                    with tls.wrap_socket(taken, server_side=True) if tls else taken as used:
                        heard.append(used.recv(65_536))
                except OSError:
                    continue

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listening.getsockname()[1], heard
        listening.shutdown(socket.SHUT_RDWR)
        thread.join(60)


def refused(url: str, **options: bool) -> str:
    with deadline.session(SHORT, **options) as session, pytest.raises(requests.RequestException) as caught:
        session.post(url, data=b"canary")
    return broken_limit(caught.value)


class TestReadingAnAddress:
    @pytest.mark.parametrize("scheme", ["http", "https"])
    @pytest.mark.parametrize("host", LINK_LOCAL)
    @pytest.mark.parametrize("port", ["", ":8080"])
    def test_a_link_local_one_is_refused_however_it_is_written(self, host: str, port: str, scheme: str) -> None:
        assert outgoing.refusal(f"{scheme}://{host}{port}/latest", insecure=True) == outgoing.LINK_LOCAL

    @pytest.mark.parametrize("host", ["169\u3002254\uff0e169\u3002254", "\uff11\uff16\uff19.254.169.254"])
    def test_wide_digits_are_none_or_mean_the_same(self, host: str) -> None:
        assert outgoing.of_host(host) == outgoing.LINK_LOCAL
        assert outgoing.refusal(f"https://{host}/", insecure=True) != ""

    @pytest.mark.parametrize("before", ["user:pass@", "127.0.0.1@", "localhost:80@"])
    def test_what_is_written_before_the_host_deceives_nobody(self, before: str) -> None:
        assert outgoing.refusal(f"http://{before}169.254.169.254/", insecure=True) == outgoing.LINK_LOCAL
        assert outgoing.refusal(f"http://{before}crm-proxy:8080", insecure=False) == outgoing.NOT_ENCRYPTED

    @pytest.mark.parametrize("host", ELSEWHERE)
    def test_another_machine_is_reached_encrypted_or_on_demand(self, host: str) -> None:
        assert outgoing.refusal(f"http://{host}:8080", insecure=False) == outgoing.NOT_ENCRYPTED
        assert outgoing.refusal(f"HTTP://{host}:8080", insecure=False) == outgoing.NOT_ENCRYPTED
        assert outgoing.refusal(f"http://{host}:8080", insecure=True) == ""
        assert outgoing.refusal(f"https://{host}:8080", insecure=False) == ""

    @pytest.mark.parametrize("host", HERE)
    def test_this_machine_needs_no_encryption(self, host: str) -> None:
        assert outgoing.refusal(f"http://{host}:8091", insecure=False) == ""

    @pytest.mark.parametrize(
        "url", ["http://[::1", "http://\u2028x y", "http:169.254.169.254", "http:/169.254.169.254"]
    )
    def test_what_is_no_address_is_refused(self, url: str) -> None:
        assert outgoing.refusal(url, insecure=True) != ""


class TestConnecting:
    @pytest.mark.parametrize("host", LINK_LOCAL)
    @pytest.mark.parametrize("scheme", ["http", "https"])
    def test_nothing_goes_to_a_link_local_address(self, scheme: str, host: str) -> None:
        why = refused(f"{scheme}://{host}/latest/meta-data", insecure=True)
        assert why in (f"its name {outgoing.LINK_LOCAL}", "")  # empty: the library takes it for no host at all

    @pytest.mark.parametrize("answered", ["169.254.169.254", "fe80::1", "::ffff:169.254.169.254", "fd00:ec2::254"])
    def test_nor_to_a_name_that_leads_there(self, monkeypatch: pytest.MonkeyPatch, answered: str) -> None:
        Names(monkeypatch, answered)
        assert "link-local" in refused(f"https://{NAME}/")

    def test_a_name_that_leads_to_another_machine_at_the_second_look_up_gets_nothing(
        self, monkeypatch: pytest.MonkeyPatch, own_address: str
    ) -> None:
        Names(monkeypatch, "127.0.0.1", own_address)
        with in_the_network() as (port, heard):
            assert "another machine" in refused(f"http://{NAME}:{port}/")
        assert b"".join(heard) == b""

    def test_another_machine_gets_nothing_by_plain_http(self, own_address: str) -> None:
        with in_the_network() as (port, heard):
            assert "another machine" in refused(f"http://{own_address}:{port}/")
        assert b"".join(heard) == b""

    def test_unless_somebody_said_so(self, own_address: str) -> None:
        with in_the_network() as (port, heard):
            refused(f"http://{own_address}:{port}/", insecure=True)
        assert b"".join(heard).startswith(b"POST / ")  # the body may come later

    def test_a_redirect_leads_to_neither(self, own_address: str) -> None:
        for there in ("http://169.254.169.254/", f"http://{own_address}:1/"):
            moved = f"HTTP/1.1 307 Moved\r\nLocation: {there}\r\nContent-Length: 0\r\n\r\n".encode()
            with serving(lambda say, _, moved=moved: say(moved)) as (port, _):
                assert refused(f"http://127.0.0.1:{port}/") != ""

    def test_this_machine_is_reached(self) -> None:
        with serving(answer) as (port, _), deadline.session() as session:
            assert session.get(f"http://127.0.0.1:{port}").json() == {}


def to_crms(endpoint: str, *, insecure: bool) -> list[Any]:
    options: dict[str, Any] = {"on_call": lambda *_: None, "sleep": lambda _: None, "limits": SHORT}
    options |= {"endpoint": endpoint, "insecure": insecure}
    session = {"flow": "session", "session_id": "s", "instance_url": "https://x.my.salesforce.com"}
    credentials = salesforce_fixtures.credentials(**session)
    return [
        hubspot.HubSpot(HubSpotAuth.model_validate({"access_token": "t"}), **options),
        salesforce.Salesforce(credentials, tries=1, **options),
    ]


class TestCrms:
    def rows(self) -> list[Any]:
        return [hubspot_fixtures.a_contact(), salesforce_fixtures.a_contact()]

    def test_a_lane_whose_endpoint_leads_to_a_link_local_address_pauses_and_says_so(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        Names(monkeypatch, "169.254.169.254")
        for crm, row in zip(to_crms(f"https://{NAME}", insecure=True), self.rows(), strict=True):
            with pytest.raises(DestinationUnusable, match="link-local"):
                crm.write([row])

    def test_a_token_goes_unencrypted_to_another_machine_only_if_somebody_said_so(self, own_address: str) -> None:
        for insecure in (False, True):
            with in_the_network() as (port, heard):
                crms = to_crms(f"http://{own_address}:{port}", insecure=insecure)
                for crm, row in zip(crms, self.rows(), strict=True):
                    with pytest.raises(DestinationUnusable):
                        crm.write([row])
            assert (b"Bearer" in b"".join(heard)) is insecure


def certificate(folder: Path) -> Path:
    """A certificate that nobody vouches for, with its key."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x")])
    now = datetime.datetime.now(datetime.UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    lasting = made.not_valid_before(now).not_valid_after(now + datetime.timedelta(days=1))
    signed = lasting.sign(key, hashes.SHA256())
    text = signed.public_bytes(serialization.Encoding.PEM)
    text += key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "server.pem").write_bytes(text)
    return folder / "server.pem"


class TestMail:
    def test_a_server_that_cannot_prove_who_it_is_gets_no_letter(self, tmp_path: Path, own_address: str) -> None:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(certificate(tmp_path))
        with in_the_network(tls) as (port, heard):
            mail = notify.Mail(["a@x.example"], "c@x.example", own_address, port, "tls")
            with pytest.raises(AlarmNotSent, match="certificate cannot be verified"):
                notify.send(mail, "hot", "body")
        assert b"".join(heard) == b""

    def test_nor_does_another_machine_without_encryption(self, own_address: str) -> None:
        with in_the_network() as (port, _):
            mail = notify.Mail(["a@x.example"], "c@x.example", own_address, port, "none")
            with pytest.raises(AlarmNotSent, match="another machine"):
                notify.send(mail, "hot", "body")

    def test_nor_one_whose_name_leads_to_a_link_local_address(self, monkeypatch: pytest.MonkeyPatch) -> None:
        Names(monkeypatch, "169.254.169.254")
        mail = notify.Mail(["a@x.example"], "c@x.example", NAME, 25, "none", insecure=True)
        with pytest.raises(AlarmNotSent, match="link-local"):
            notify.send(mail, "hot", "body")
