"""The pre-commit hooks and the GitHub Action by which an agency's repository checks its own files."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from click.testing import CliRunner

from connector.cli import cli

ROOT = Path(__file__).parent.parent
HOOKS: list[dict[str, Any]] = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))
ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))
STEPS: list[dict[str, Any]] = ACTION["runs"]["steps"]
MATCHERS = json.loads((ROOT / "deploy/github/findings.json").read_text("utf-8"))["problemMatcher"]
GOOD = "version: 1\ncrm: salesforce\nextends: salesforce-contact\n"
WRONG = GOOD + "records:\n  contact:\n    fields:\n      FirstName: customer.fristName\n"
AGENCY = """\
agency: sunrise
webhook: { secrets: ["${SECRET}"] }
destinations:
  salesforce:
    mapping: mappings/good one.yaml
    auth: { flow: session, session_id: "${SESSION}", instance_url: "https://sunrise.my.salesforce.com" }
"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    (tmp_path / "config/mappings/more").mkdir(parents=True)
    (tmp_path / "config/mappings/good one.yaml").write_text(GOOD)
    (tmp_path / "config/mappings/more/other.yaml").write_text(GOOD)
    (tmp_path / "config/agency.yaml").write_text(AGENCY)
    return tmp_path


def checked(repository: Path, **inputs: str) -> subprocess.CompletedProcess[str]:
    """Run the Action's own script as the runner does."""
    (step,) = (one for one in STEPS if one.get("name") == "Check and test")
    assert step["env"] == {name: f"${{{{ inputs.{name.lower()} }}}}" for name in ("MAPPINGS", "CONFIG", "SCHEMA")}
    environment = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "GITHUB_ACTION_PATH": str(ROOT),
        "SECRET": "whsec_c3VucmlzZSBpcyBvbmx5IGEgdHJpYWwh",
        "SESSION": "made-up",
        **inputs,
    }
    command = ["bash", "-e", "-o", "pipefail", "-c", step["run"]]
    return subprocess.run(command, cwd=repository, env=environment, capture_output=True, text=True, check=False)


def marks(output: str) -> set[tuple[str, ...]]:
    """The file and line of each mark that GitHub makes of an output."""
    patterns = [matcher["pattern"][0]["regexp"] for matcher in MATCHERS]
    found = (re.match(pattern, line) for line in output.splitlines() for pattern in patterns)
    return {one.groups()[:2] for one in found if one}


class TestHooks:
    @pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: hook["id"])
    def test_each_runs_a_command_of_ours_on_files_alone(self, hook: dict[str, Any], repository: Path) -> None:
        program, *words = shlex.split(hook["entry"])
        assert program == "connector"
        good = str(repository / "config/mappings/good one.yaml")
        assert CliRunner().invoke(cli, [*words, good]).exit_code == 0

    @pytest.mark.parametrize(
        ("name", "taken"), [("mappings/a.yaml", True), ("x/mappings/b/c.yml", True), ("agency.yaml", False)]
    )
    def test_each_takes_the_mappings_of_the_folder_of_that_name(self, name: str, taken: bool) -> None:
        assert {bool(re.search(hook["files"], name)) for hook in HOOKS} == {taken}


class TestAction:
    def test_no_input_becomes_part_of_a_script(self) -> None:
        assert [step["run"] for step in STEPS if "${{" in step.get("run", "")] == []

    def test_what_it_uses_is_pinned_to_a_commit(self) -> None:
        used = re.findall(r"uses: (.+)", (ROOT / "action.yml").read_text("utf-8"))
        assert used
        assert [one for one in used if not re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v[\d.]+", one)] == []

    def test_it_installs_only_what_has_a_hash(self) -> None:
        script = (ROOT / "deploy/github/install.sh").read_text("utf-8")
        installs = re.findall(r"pip .*install .*", script)
        assert len(installs) == 3
        assert [one for one in installs if "--require-hashes" not in one and "--no-deps" not in one] == []

    @pytest.mark.slow
    def test_good_files_pass_and_their_tests_run(self, repository: Path) -> None:
        done = checked(repository, MAPPINGS="config/mappings/**/*.yaml", CONFIG="config/agency.yaml\n")
        assert (done.returncode, marks(done.stdout)) == (0, set())
        assert "tests pass" in done.stdout

    def test_a_mistake_is_marked_at_its_line_and_fails(self, repository: Path) -> None:
        (repository / "config/mappings/more/other.yaml").write_text(WRONG)
        done = checked(repository, MAPPINGS="config/mappings/good one.yaml\r\nconfig/mappings/more/*.yaml\r\n")
        assert done.returncode > 0
        assert marks(done.stdout) == {("config/mappings/more/other.yaml", "7")}

    @pytest.mark.slow
    def test_a_mistake_in_an_agency_file_is_marked(self, repository: Path) -> None:
        (repository / "config/agency.yaml").write_text(AGENCY.replace("agency:", "agencie:"))
        done = checked(repository, CONFIG="config/agency.yaml")
        assert done.returncode > 0
        assert ("config/agency.yaml", "1") in marks(done.stdout)

    @pytest.mark.slow
    @pytest.mark.parametrize("text", ["$(touch made)", "`touch made`", "x; touch made", "--help", "-c\ntouch made"])
    def test_a_text_is_a_name_and_never_run(self, repository: Path, text: str) -> None:
        done = checked(repository, MAPPINGS=text)
        assert done.returncode > 0
        assert not (repository / "made").exists()

    @pytest.mark.parametrize("inputs", [{}, {"MAPPINGS": "\n"}, {"MAPPINGS": "nothing/**/*.yaml"}])
    def test_nothing_to_check_is_an_error(self, repository: Path, inputs: dict[str, str]) -> None:
        done = checked(repository, **inputs)
        assert done.returncode == 2
        assert "::error::" in done.stdout

    @pytest.mark.slow
    def test_what_a_mapping_says_is_no_command_of_the_runner(self, repository: Path) -> None:
        path = repository / "config/mappings/more/other.yaml"
        path.write_text(
            GOOD + 'tests:\n  - name: "x\\n::set-env name=A::b"\n    event: customer.created\n    expect: {}\n'
        )
        lines = checked(repository, MAPPINGS="config/mappings/more/*.yaml").stdout.splitlines()
        (began,) = (number for number, line in enumerate(lines) if line.startswith("::stop-commands::"))
        token = lines[began].rpartition("::")[2]
        assert len(token) == 32
        assert lines[-1] == f"::{token}::"
        assert [line for line in lines[:began] if not line.startswith("::add-matcher::")] == []


def test_the_commands_take_files_after_a_double_dash() -> None:
    for name in ("check", "test"):
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        with command.make_context(name, ["--", "salesforce-contact"]) as context:
            assert len(context.params["mappings"]) == 1
