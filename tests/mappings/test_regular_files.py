"""Mapping, agency, schema and secret files are regular files, and a mapping is in the agency's folder or shipped."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from connector.cli import cli
from connector.mapping.regular import NotRegularError, read_file

CANARY = "pat-na1-5e0c2b8c-canary"
SECRETS = f"root:x:0:0\naccess_token: {CANARY}\nPASSWORD={CANARY}\n\t{CANARY}: [\n"
MAPPING = "version: 1\nextends: hubspot\n"
AGENCY = """\
agency: sunrise
webhook:
  secrets: ["${{SECRET}}"]
destinations:
  crm:
    mapping: {mapping}
    auth:
      access_token: ${{TOKEN}}
"""
ENVIRONMENT = {"SECRET": "whsec_c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0", "TOKEN": CANARY}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/secrets.yaml").write_text(SECRETS)
    (tmp_path / "etc/mapping.yaml").write_text(MAPPING)
    (tmp_path / "agency").mkdir()
    return tmp_path / "agency"


@pytest.fixture(params=["folder", "pipe", "socket", "zero", "full", "link to zero", "link to a pipe"])
def odd(request: pytest.FixtureRequest, folder: Path) -> Iterator[Path]:
    """What is no file, under the name of a mapping."""
    path = folder / "odd.yaml"
    with socket.socket(socket.AF_UNIX) as own:
        match request.param:
            case "folder":
                path.mkdir()
            case "pipe":
                os.mkfifo(path)
            case "socket":
                here = Path.cwd()
                os.chdir(folder)  # the whole path may be too long for one
                own.bind(path.name)
                os.chdir(here)
            case "link to a pipe":
                os.mkfifo(folder / "pipe")
                path.symlink_to("pipe")
            case device:
                path.symlink_to(f"/dev/{device.rsplit(' ', 1)[-1]}")
        yield path


def check(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["check", *map(str, arguments)], env=ENVIRONMENT)


def agency(folder: Path, mapping: object) -> Path:
    (folder / "agency.yaml").write_text(AGENCY.format(mapping=mapping))
    return folder / "agency.yaml"


class TestTheMappingOfAnAgency:
    def test_is_read_from_its_folder(self, folder: Path) -> None:
        (folder / "ours.yaml").write_text(MAPPING)
        assert check("-c", agency(folder, "ours.yaml")).exit_code == 0

    def test_is_read_through_the_links_of_a_config_map(self, folder: Path) -> None:
        (folder / "..2026_11_30").mkdir()
        (folder / "..2026_11_30/ours.yaml").write_text(MAPPING.replace("hubspot", "base.yaml"))
        (folder / "..2026_11_30/base.yaml").write_text(MAPPING)
        (folder / "..2026_11_30/agency.yaml").write_text(AGENCY.format(mapping="ours.yaml"))
        (folder / "..data").symlink_to("..2026_11_30")
        for name in ("ours.yaml", "base.yaml", "agency.yaml"):
            (folder / name).symlink_to(f"..data/{name}")
        found = check("-c", folder)
        assert (found.exit_code, found.exception) == (0, None), found.output

    @pytest.mark.parametrize("mapping", ["../etc/mapping.yaml", "{etc}/mapping.yaml", "linked.yaml", "in/mapping.yaml"])
    def test_is_refused_outside_of_it(self, folder: Path, mapping: str) -> None:
        (folder / "linked.yaml").symlink_to(folder.parent / "etc/mapping.yaml")
        (folder / "in").symlink_to(folder.parent / "etc")
        found = check("-c", agency(folder, mapping.format(etc=folder.parent / "etc")))
        assert found.exit_code == 2
        assert "agency.yaml:6" in found.output
        assert "outside the folder" in found.output

    @pytest.mark.parametrize("name", ["/proc/self/environ", "/proc/self/mem", "../etc/secrets.yaml", "agency.yaml"])
    def test_that_is_none_shows_nothing_of_the_file(self, folder: Path, name: str) -> None:
        found = check("-c", agency(folder, name))
        assert found.exit_code != 0
        assert CANARY not in found.output
        assert "root:x" not in found.output

    def test_is_refused_where_it_is_no_file(self, folder: Path, odd: Path) -> None:
        found = check("-c", agency(folder, odd.name))
        assert (found.exit_code, type(found.exception)) in ((1, SystemExit), (2, SystemExit)), found.output

    def test_may_have_the_name_of_a_folder_and_be_shipped(self, folder: Path) -> None:
        (folder / "hubspot").mkdir()
        assert check("-c", agency(folder, "hubspot")).exit_code == 0


class TestAMappingAlone:
    def test_extends_only_what_is_beside_it(self, folder: Path) -> None:
        (folder / "ours.yaml").write_text(MAPPING.replace("hubspot", "../etc/mapping.yaml"))
        found = check(folder / "ours.yaml")
        assert found.exit_code == 1
        assert "Y006" in found.output

    def test_extends_no_file_of_secrets(self, folder: Path) -> None:
        (folder / "secrets.yaml").write_text(SECRETS)
        (folder / "ours.yaml").write_text(MAPPING.replace("hubspot", "secrets.yaml"))
        found = check(folder / "ours.yaml")
        assert found.exit_code == 1
        assert "this is not a mapping file" in found.output
        assert CANARY not in found.output

    @pytest.mark.parametrize(
        "text",
        [
            *(SECRETS, f"access_token: {CANARY}\n", f"- {CANARY}\n", f"{CANARY}\n", AGENCY),
            f"version: 1\nhandlers: {{}}\nDB_WORD: {CANARY}\n",
            f"crm:\n  word: {CANARY}\n",
            f"tests: [{CANARY}\n",
        ],
    )
    @pytest.mark.parametrize("output", ["--json", "--sarif", "--classes"])
    def test_that_is_none_is_not_shown(self, folder: Path, text: str, output: str) -> None:
        (folder / "ours.yaml").write_text(text)
        found = check(folder / "ours.yaml", output)
        assert found.exit_code == 1
        assert CANARY not in found.output
        assert "secrets" not in found.output.replace(str(folder), "")

    def test_extends_nothing_that_is_no_file(self, folder: Path, odd: Path) -> None:
        (folder / "ours.yaml").write_text(MAPPING.replace("hubspot", odd.name))
        found = check(folder / "ours.yaml")
        assert (found.exit_code, type(found.exception)) == (1, SystemExit), found.output


class TestOtherFiles:
    def test_an_agency_file_is_one(self, odd: Path) -> None:
        if not odd.is_dir():
            found = check("-c", odd)
            assert (found.exit_code, type(found.exception)) == (2, SystemExit), found.output

    def test_an_agency_file_of_a_folder_is_in_it(self, folder: Path) -> None:
        other = folder.parent / "etc/other.yaml"
        other.write_text(AGENCY.format(mapping="hubspot"))
        (folder / "agency.yaml").symlink_to(other)
        found = check("-c", folder)
        assert found.exit_code == 2
        assert "a link leads out of the folder" in found.output

    def test_a_schema_is_one(self, folder: Path, odd: Path) -> None:
        (folder / "ours.yaml").write_text(MAPPING)
        found = check(folder / "ours.yaml", "--schema", odd)
        assert (found.exit_code, type(found.exception)) == (2, SystemExit), found.output

    def test_a_secret_is_one(self, folder: Path, odd: Path) -> None:
        file = agency(folder, "hubspot")
        file.write_text(file.read_text().replace("${TOKEN}", f"file:{odd.name}"))
        found = check("-c", file)
        assert (found.exit_code, type(found.exception)) == (2, SystemExit), found.output
        assert "cannot be read" in found.output

    def test_an_event_is_one(self, folder: Path, odd: Path) -> None:
        (folder / "ours.yaml").write_text(MAPPING)
        found = CliRunner().invoke(cli, ["map", str(folder / "ours.yaml"), str(odd)])
        assert (found.exit_code, type(found.exception)) == (2, SystemExit), found.output


class TestWhatIsJudged:
    def test_is_what_was_opened_although_another_takes_its_place(self, folder: Path) -> None:
        inside, outside = folder / "a.yaml", folder.parent / "etc/secrets.yaml"
        inside.symlink_to(outside)
        with pytest.raises(NotRegularError, match="outside"):
            read_file(inside, 10, folder)
        inside.unlink()
        inside.write_text("version: 1")
        assert read_file(inside, 7, folder) == b"version"

    def test_a_name_that_no_file_can_have_is_refused(self, folder: Path) -> None:
        with pytest.raises(OSError, match="name"):
            read_file(folder / "a\0b", 10)
