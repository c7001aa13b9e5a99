"""What the product is made of: base images, what is left out, the bill of materials, and what an index is given."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

ROOT = Path(__file__).parent.parent
LOCK = (ROOT / "requirements.lock").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
UNUSED = [line for line in (ROOT / "supply/unused.txt").read_text().splitlines() if line and not line.startswith("#")]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
USES = [line for path in WORKFLOWS for line in re.findall(r"uses: (.+)", path.read_text())]
DIGEST = "sha256:" + "5e" * 32
DOCKER = """\
#!/bin/sh
case "$*" in
  "buildx imagetools inspect --format {{.Manifest.Digest}} python:"*) echo "%s" ;;
  *) sed -nE 's/.*postgres:.*@(sha256:.*)/\\1/p' compose.yaml ;;
esac
"""


def images() -> Iterator[str]:
    """Each image that the Dockerfile or compose.yaml takes from a registry."""
    yield from re.findall(r"^FROM (\S+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"].values()
    yield from (service["image"] for service in services if "build" not in service)


class TestBaseImages:
    @pytest.mark.parametrize("image", sorted(set(images())))
    def test_each_is_named_by_its_digest_with_its_tag_beside_it(self, image: str) -> None:
        assert re.fullmatch(r"[a-z]+:[\w.-]+@sha256:[0-9a-f]{64}", image)

    def test_both_stages_of_the_image_have_the_same_base(self) -> None:
        assert len({image for image in images() if image.startswith("python:")}) == 1

    def test_make_base_images_writes_what_docker_says_is_newest(self, tmp_path: Path) -> None:
        done = renew(tmp_path, DIGEST)
        assert done.returncode == 0, done.stderr
        found = (tmp_path / "Dockerfile").read_text()
        assert len(re.findall(rf"^FROM python:[\w.-]+@{DIGEST}", found, re.MULTILINE)) == 2
        assert (tmp_path / "compose.yaml").read_text() == (ROOT / "compose.yaml").read_text()
        assert f"is now {DIGEST}" in done.stdout
        assert "is up to date" in done.stdout

    @pytest.mark.parametrize("answer", ["", "sha256:short", "no such manifest"])
    def test_an_answer_that_is_no_digest_changes_nothing(self, tmp_path: Path, answer: str) -> None:
        done = renew(tmp_path, answer)
        assert done.returncode != 0
        assert "no digest in Docker's answer" in done.stderr
        assert (tmp_path / "Dockerfile").read_text() == (ROOT / "Dockerfile").read_text()


def renew(folder: Path, answer: str) -> subprocess.CompletedProcess[str]:
    """`make base-images` where Docker gives this answer about Python's image."""
    for name in ("Makefile", "Dockerfile", "compose.yaml", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    docker = folder / "bin" / "docker"
    docker.parent.mkdir()
    docker.write_text(DOCKER % answer)
    docker.chmod(0o755)
    environment = {**os.environ, "PATH": f"{docker.parent}:{os.environ['PATH']}"}
    return subprocess.run(
        ["make", "base-images"], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def write_bill(folder: Path, lock: str = LOCK) -> subprocess.CompletedProcess[str]:
    """What `make sbom` runs, without the network that it does not need."""
    (folder / "lock").write_text(lock)
    options = {
        "environment": sys.prefix,
        "lock": folder / "lock",
        "unused": ROOT / "supply/unused.txt",
        "extra": "oidc",
    }
    command = [sys.executable, str(ROOT / "supply/sbom.py"), "--output", str(folder / "made" / "sbom.json")]
    command += [text for name, value in options.items() for text in (f"--{name}", str(value))]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def bill(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("bill")
    done = write_bill(folder)
    assert done.returncode == 0, done.stderr
    return json.loads((folder / "made" / "sbom.json").read_text())


class TestBill:
    def test_it_is_what_cyclonedx_specifies(self, bill: Any) -> None:
        problem = JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(bill))
        assert problem is None

    def test_it_is_about_this_version_of_the_connector(self, bill: Any) -> None:
        about = bill["metadata"]["component"]
        assert about["purl"] == f"pkg:pypi/{PROJECT['name']}@{PROJECT['version']}"
        assert about["licenses"][0]["license"]["id"] == PROJECT["license"]

    def test_each_package_has_its_address_and_its_license(self, bill: Any) -> None:
        assert len(bill["components"]) > 40
        assert [part["name"] for part in bill["components"] if not part.get("licenses")] == []
        for part in bill["components"]:
            assert part["purl"] == f"pkg:pypi/{part['name']}@{part['version']}"

    def test_each_package_has_the_hashes_of_the_lock_file(self, bill: Any) -> None:
        for part in bill["components"]:
            entry = re.search(rf"^{part['name']}=={re.escape(part['version'])} (.*\\\n)*.*", LOCK, re.MULTILINE)
            assert entry is not None
            wanted = set(re.findall(r"sha256:(\w{64})", entry[0]))
            assert {found["content"] for found in part["hashes"]} == wanted

    def test_every_package_is_reached_from_the_connector(self, bill: Any) -> None:
        edges = {edge["ref"]: edge.get("dependsOn", []) for edge in bill["dependencies"]}
        reached, to_see = set[str](), [bill["metadata"]["component"]["bom-ref"]]
        while to_see:
            if (ref := to_see.pop()) not in reached:
                reached.add(ref)
                to_see += edges[ref]
        assert {part["bom-ref"] for part in bill["components"]} == reached - {bill["metadata"]["component"]["bom-ref"]}

    def test_it_has_nothing_that_the_image_leaves_out_and_nothing_that_tests_need(self, bill: Any) -> None:
        names = {part["name"] for part in bill["components"]}
        assert names & {*UNUSED, "pytest", "ruff"} == set()
        assert names > {"authlib", "psycopg-binary", "simple-salesforce", "svix"}

    def test_a_package_that_is_not_pinned_ends_it(self, tmp_path: Path) -> None:
        done = write_bill(tmp_path, re.sub(r"^flask==.*", "flask==0.0.1 \\\\", LOCK, flags=re.MULTILINE))
        assert done.returncode == 1
        assert re.search(r"^flask \S+ is installed, but not pinned in the lock file$", done.stderr, re.MULTILINE)
        assert not (tmp_path / "made").exists()


class TestLeftOut:
    @pytest.mark.parametrize("name", UNUSED)
    def test_the_lock_file_pins_it_all_the_same_for_who_installs_everything(self, name: str) -> None:
        assert re.search(rf"^{re.escape(name)}==", LOCK, re.MULTILINE)

    def test_the_page_on_security_names_each(self) -> None:
        rows = re.findall(r"^\| `([^|]+)` \| [^|]+ \| [^|]+ \|$", (ROOT / "docs/security.md").read_text(), re.MULTILINE)
        named = [name for row in rows for name in row.replace("`", "").split(", ")]
        assert set(UNUSED) <= set(named)


class TestWorkflows:
    @pytest.mark.parametrize("line", USES)
    def test_each_action_is_named_by_its_commit_with_its_version_beside_it(self, line: str) -> None:
        assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line)

    def test_an_action_has_one_version_everywhere(self) -> None:
        assert len(set(USES)) == len({line.partition("@")[0] for line in USES})

    @pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
    def test_each_has_no_permission_but_those_that_a_job_lists(self, path: Path) -> None:
        workflow = yaml.safe_load(path.read_text())
        assert workflow["permissions"] == {}
        assert [
            name for name, job in workflow["jobs"].items() if not job["permissions"] or not job["timeout-minutes"]
        ] == []

    def test_what_they_run_exists(self) -> None:
        text = "".join(path.read_text() for path in WORKFLOWS)
        makefile, ci = (ROOT / "Makefile").read_text(), (ROOT / ".ci/run").read_text()
        for targets in re.findall(r"\bmake ((?:[a-z][a-z-]*(?: |$))+)", text, re.MULTILINE):
            assert [target for target in targets.split() if not re.search(rf"^{target}:", makefile, re.MULTILINE)] == []
        steps = re.findall(r"\.ci/run (\w+)", text)
        assert steps
        assert [name for name in steps if f"\n{name}() {{" not in ci] == []


class TestMakefile:
    TEXT = (ROOT / "Makefile").read_text()

    def test_each_target_that_it_lists_is_there_once(self) -> None:
        (listed,) = re.findall(r"^\.PHONY:((?:.*\\\n)*.*)", self.TEXT, re.MULTILINE)
        targets = listed.replace("\\\n", " ").split()
        assert len(targets) > 15
        found = {target: len(re.findall(rf"^{target}:", self.TEXT, re.MULTILINE)) for target in targets}
        assert [target for target, times in found.items() if times != 1] == []

    def test_only_clean_removes_the_environment(self) -> None:
        recipes = re.findall(r"^([\w-]+):.*\n((?:\t.*\n|\n(?=\t))*)", self.TEXT, re.MULTILINE)
        assert [target for target, recipe in recipes if "rm -rf $(VENV) " in recipe] == ["clean"]

    def test_the_lock_file_is_made_of_every_group(self) -> None:
        groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
        (recipe,) = re.findall(r"^lock:.*\n((?:\t.*\n)*)", self.TEXT, re.MULTILINE)
        assert sorted(re.findall(r"--group (\w+)", recipe)) == sorted(groups)


class TestDescription:
    def test_the_index_is_shown_no_link_that_leads_nowhere_there(self) -> None:
        shown = (ROOT / PROJECT["readme"]).read_text()
        assert re.findall(r"\]\((?!https://)|<img|<a ", shown) == []
