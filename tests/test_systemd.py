"""The systemd unit as a specification: what it closes, that it fits the product, and that the product runs in it."""

from __future__ import annotations

import re
import shlex
import shutil
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import click
import pytest

from connector.cli import cli
from connector.running.config import read_process
from connector.running.supervisor import GRACE
from tests.patience import PATIENCE, until
from tests.ports import free_port

ROOT = Path(__file__).parent.parent
UNIT = ROOT / "deploy/systemd/carecycle-connector.service"
TEXT = UNIT.read_text("utf-8")
PAGE = (ROOT / "docs/deploying.md").read_text("utf-8")
EXPOSURE = 1.2
"""What `systemd-analyze security` makes of it, from 0 (closed) to 10. The page names it."""
_DENY_WRITE_EXECUTE = 65  # PR_SET_MDWE of linux/prctl.h, since Linux 6.3

analyze = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")


def setting(name: str) -> str:
    (found,) = re.findall(rf"^{name}=(.*)$", TEXT, re.M)
    return str(found)


def variables() -> dict[str, str]:
    """The environment file as systemd reads it."""
    lines = (ROOT / "deploy/systemd/environment").read_text("utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


class TestTheUnit:
    @analyze
    def test_it_is_as_closed_as_the_page_says(self) -> None:
        told = subprocess.run(
            ["systemd-analyze", "security", "--offline=true", "--no-pager", UNIT],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        (exposure,) = re.findall(r"Overall exposure level for \S+: ([\d.]+) ", told)
        assert float(exposure) <= EXPOSURE
        assert f"an exposure of {EXPOSURE}" in PAGE

    @analyze
    def test_systemd_knows_every_setting(self) -> None:
        done = subprocess.run(["systemd-analyze", "verify", UNIT], capture_output=True, text=True, check=False)
        complaints = [line for line in done.stderr.splitlines() if UNIT.stem in line]
        assert [line for line in complaints if "is not executable" not in line] == []  # it is not installed here

    def test_its_command_is_one_of_ours(self) -> None:
        program, role, *arguments = shlex.split(setting("ExecStart"))
        command = cli.get_command(click.Context(cli), role)
        assert Path(program).name == "connector"
        assert command is not None
        with command.make_context(role, list(arguments)) as context:
            assert context.params["paths"] == (Path("/etc/carecycle-connector/agencies"),)

    def test_the_environment_is_documented_and_can_be_used(self, tmp_path: Path) -> None:
        readme = (ROOT / "README.md").read_text("utf-8")
        assert {name for name in variables() if f"| `{name}` |" not in readme} == set()
        here = variables() | {"CONNECTOR_SECRETS_DIR": str(tmp_path)}  # the folder that the page makes
        assert read_process(here).admin_listen == ("127.0.0.1", 8081)

    def test_what_is_written_is_in_the_folder_of_the_unit(self) -> None:
        state = f"/var/lib/{setting('StateDirectory')}"
        assert variables()["CONNECTOR_STATE_DIR"] == state
        assert variables()["CONNECTOR_DATABASE_URL"].startswith(f"sqlite:///{state}/")
        assert setting("ProtectSystem") == "strict"

    def test_it_has_time_to_end(self) -> None:
        assert float(setting("TimeoutStopSec")) >= GRACE + 10
        assert setting("KillMode") == "mixed"  # the supervisor ends its roles in order

    def test_the_page_installs_what_the_unit_names(self) -> None:
        named = {shlex.split(setting("ExecStart"))[0].removesuffix("/bin/connector"), setting("EnvironmentFile")}
        assert {path for path in {*named, setting("User")} if path not in PAGE} == set()


def can_deny() -> bool:
    """Whether this Linux can refuse memory that is both written and executed. A process of its own asks."""
    ask = f"import ctypes, sys; sys.exit(ctypes.CDLL(None).prctl({_DENY_WRITE_EXECUTE}, 1, 0, 0, 0))"
    return sys.platform == "linux" and subprocess.run([sys.executable, "-c", ask], check=False).returncode == 0


START = f"""
import ctypes, os, sys
ctypes.CDLL(None).prctl({_DENY_WRITE_EXECUTE}, 1, 0, 0, 0)
os.umask(0o077)
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""


@pytest.mark.skipif(not can_deny(), reason="needs Linux 6.3 or newer")
class TestTheProductInIt:
    @pytest.mark.slow
    def test_it_starts_and_ends_without_memory_that_is_written_and_executed(self, tmp_path: Path) -> None:
        """MemoryDenyWriteExecute=, and nothing in the environment but what the unit has."""
        (tmp_path / "agency.yaml").write_text(
            "agency: sunrise\nwebhook: { secrets: [whsec_c3VucmlzZSBpcyBvbmx5IGEgdHJpYWwh] }\n"
            "destinations:\n"
            "  hubspot: { mapping: hubspot, auth: { access_token: x }, endpoint: 'http://127.0.0.1:9' }\n"
        )
        admin = free_port()
        own = {
            "CONNECTOR_DATABASE_URL": f"sqlite:///{tmp_path}/connector.db",
            "CONNECTOR_STATE_DIR": str(tmp_path),
            "CONNECTOR_LISTEN": f"127.0.0.1:{free_port()}",
            "CONNECTOR_ADMIN_LISTEN": f"127.0.0.1:{admin}",
            "PYTHONDONTWRITEBYTECODE": "1",
            "TMPDIR": str(tmp_path),
        }
        command = [sys.executable, "-c", START, "-m", "connector", "run", "-c", str(tmp_path / "agency.yaml")]
        with (tmp_path / "log").open("w") as log:
            started = subprocess.Popen(command, env=own, stderr=log, cwd=tmp_path)
        try:
            until(lambda: is_ready(f"http://127.0.0.1:{admin}/readyz") or started.poll() is not None)
            assert started.poll() is None, (tmp_path / "log").read_text()
            started.send_signal(signal.SIGTERM)
            assert started.wait(PATIENCE) == 0
        finally:
            started.kill()
        assert (tmp_path / "connector.db").stat().st_mode & 0o077 == 0


def is_ready(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
