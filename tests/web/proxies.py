"""Real reverse proxies, as docs/operating.md configures them, in front of a receiver."""

from __future__ import annotations

import grp
import os
import pwd
import re
import shutil
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.patience import until
from tests.ports import free_port

DOCS = Path(__file__).parents[2] / "docs/operating.md"
HOST = "connector.your-agency.example"
STREAM_ENDED = 92
PLACES = "/usr/sbin:/usr/local/sbin:/sbin"

NGINX = """\
daemon off;
user {user} {group};
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
events {{ }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {block}
}}
"""

APACHE = """\
ServerRoot {folder}
PidFile {folder}/apache.pid
ErrorLog {folder}/apache.log
DefaultRuntimeDir {folder}
{modules}
Listen 127.0.0.1:{port}
{block}
"""

MODULES = ("mpm_event", "authz_core", "socache_shmcb", "ssl", "http2", "proxy", "proxy_http", "reqtimeout")


@dataclass(slots=True)
class Proxy:
    """One proxy. changed: what of the block in the documentation is something else in this test."""

    name: str
    folder: Path
    upstream: int
    changed: Mapping[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Proxy:
        certificate(self.folder)
        (self.folder / "config").write_text(self._config())
        with (self.folder / "output").open("wb") as output:
            home = {**os.environ, "HOME": str(self.folder)}
            self.process = subprocess.Popen(self._command(), stdout=output, stderr=output, env=home)
        until(lambda: self._answers() or self.process is None or self.process.poll() is not None)
        assert self.process.poll() is None, (self.folder / "output").read_text()
        return self

    def __exit__(self, *_: object) -> None:
        assert self.process is not None
        with suppress(ProcessLookupError):
            os.kill(self.process.pid, signal.SIGTERM)
        self.process.wait(60)

    def _answers(self) -> bool:
        return curl(self, "/hooks/", data=None)[0] != 0

    def _command(self) -> list[str]:
        config = str(self.folder / "config")
        return {
            "nginx": [program("nginx"), "-c", config, "-e", str(self.folder / "nginx.log")],
            "caddy": [program("caddy"), "run", "--adapter", "caddyfile", "--config", config],
            "haproxy": [program("haproxy"), "-db", "-f", config],
            "apache": [program("apache2"), "-f", config, "-D", "FOREGROUND"],
        }[self.name]

    def _config(self) -> str:
        block = documented(self.name).replace("127.0.0.1:8080", f"127.0.0.1:{self.upstream}")
        for before, after in self.changed.items():
            assert before in block
            block = block.replace(before, after)
        block = block.replace("/etc/ssl/connector", str(self.folder))
        match self.name:
            case "nginx":
                return NGINX.format(
                    folder=self.folder, **whose(), block=re.sub(r"listen 443", f"listen 127.0.0.1:{self.port}", block)
                )
            case "caddy":
                own = f"https://{HOST}:{self.port} {{\n\ttls {self.folder}/fullchain.pem {self.folder}/privkey.pem\n"
                block = block.replace(f"{HOST} {{\n", own)
                return block.replace("{\n", "{\n\tadmin off\n\tauto_https off\n", 1)
            case "haproxy":
                return block.replace("bind :443", f"bind 127.0.0.1:{self.port}")
            case _:
                modules = "\n".join(
                    f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so" for name in MODULES
                )
                block = block.replace("*:443", f"*:{self.port}")
                return APACHE.format(folder=self.folder, modules=modules, port=self.port, block=block)


def whose() -> dict[str, str]:
    """The user and group of this process, whose files a proxy may read."""
    return {"user": pwd.getpwuid(os.getuid()).pw_name, "group": grp.getgrgid(os.getgid()).gr_name}


def program(name: str) -> str:
    """Where a proxy's program is. Skips the test if it is not installed."""
    found = shutil.which(name, path=f"{os.environ['PATH']}:{PLACES}")
    if found is None:
        pytest.skip(f"{name} is not installed (on Debian: apt-get install {name})")
    return found


def documented(name: str) -> str:
    """The configuration in docs/operating.md."""
    language = {"caddy": "caddyfile"}.get(name, name)
    (block,) = re.findall(rf"^```{language}\n(.*?)^```$", DOCS.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    return str(block)


def certificate(folder: Path) -> None:
    """A certificate of the host in the documentation, signed by itself, and its key; both in one file as well."""
    key = ec.generate_private_key(ec.SECP256R1())
    name, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)]), datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=2))
        .not_valid_after(now + timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST), x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    texts = {
        "fullchain.pem": made.public_bytes(serialization.Encoding.PEM),
        "privkey.pem": key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
    }
    for file, text in {**texts, "all.pem": b"".join(texts.values())}.items():
        (folder / file).write_bytes(text)


def curl(
    proxy: Proxy, path: str, *options: str, data: bytes | None = b"", headers: Mapping[str, str] | None = None
) -> tuple[int, str, str]:
    """Ask a proxy as its clients do. Returns the status, the HTTP version of the answer, and its body; or 0.

    Over HTTP/2 a server that answers before it has read the body may end the stream at once (RFC 9113, 8.1). Now and
    then, curl 7 then loses the answer that has already come, and ends with 92. It is asked again: the answer counts.
    """
    named = [option for name, value in (headers or {}).items() for option in ("-H", f"{name}: {value}")]
    sent = [] if data is None else ["--data-binary", "@-"]
    command = [
        "curl", "--silent", "--max-time", "100", "--cacert", f"{proxy.folder}/fullchain.pem", "--resolve",
        f"{HOST}:{proxy.port}:127.0.0.1", "--write-out", "\n%{http_code} %{http_version}", "-H", "Expect:",
        *named, *sent, *options, f"https://{HOST}:{proxy.port}{path}",
    ]  # fmt: skip
    for _ in range(20):
        done = subprocess.run(command, input=data or b"", capture_output=True, check=False)
        if done.returncode != STREAM_ENDED:
            break
    body, _, last = done.stdout.decode().rpartition("\n")
    status, _, version = last.partition(" ")
    return int(status), version, body
