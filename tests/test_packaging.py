"""What leaves the house: bounds of dependencies, one version everywhere, and nothing of the machine it was made on."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
PYPROJECT = (ROOT / "pyproject.toml").read_text()
PROJECT = tomllib.loads(PYPROJECT)["project"]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
REQUIREMENTS = [
    *tomllib.loads(PYPROJECT)["build-system"]["requires"],
    *PROJECT["dependencies"],
    *(one for extra in PROJECT["optional-dependencies"].values() for one in extra),
]
FOREIGN = {
    "a path of one machine": r"(?<![\w.:~-])/(?:work|home|root|Users|opt)/|/tmp/venv|/\.pyenv/",
    "a registry's host": r"pypi\.org|pythonhosted\.org|npmjs\.org|test\.pypi|--index-url|--find-links|extra-index-url",
    "a word of a workplace": r"\bissues show\b|\.library/|\.mirror/",
}


def files() -> list[Path]:
    """What git knows, and what it would be told of next."""
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [path for name in listed.split("\0") if name and (path := ROOT / name).is_file()]


class TestDependencies:
    @pytest.mark.parametrize("requirement", REQUIREMENTS)
    def test_each_has_a_lower_bound(self, requirement: str) -> None:
        assert re.fullmatch(r"[\w.-]+(\[\w+\])?>=[\d.]+(,.*)?", requirement)

    @pytest.mark.parametrize(
        "requirement", [one for one in REQUIREMENTS if re.search(r"[<~=!](?<!>=)", one)] or ["none"]
    )
    def test_an_upper_bound_has_its_reason_beside_it(self, requirement: str) -> None:
        assert requirement == "none" or re.search(rf'"{re.escape(requirement)}",?\s*#\s*\w', PYPROJECT)

    def test_the_urllib3_that_breaks_hubspots_client_is_never_installed(self) -> None:
        assert "urllib3>=2.6.1" in PROJECT["dependencies"]

    def test_phone_numbers_come_without_the_places_and_carriers_that_nothing_asks_for(self) -> None:
        lock = (ROOT / "requirements.lock").read_text()
        both = set(re.findall(r"^phonenumbers\w*(?===)", lock, re.MULTILINE))  # they are installed into one folder
        assert both == {"phonenumberslite"}


class TestLockFiles:
    def test_every_python_package_is_pinned_with_hashes(self) -> None:
        lock = re.sub(r"^#.*\n", "", (ROOT / "requirements.lock").read_text(), flags=re.MULTILINE)
        entries = lock.replace("\\\n", " ").splitlines()
        assert len(entries) > 50
        assert [entry for entry in entries if not re.match(r"[\w.-]+==\S+ .*--hash=sha256:\w{64}", entry)] == []

    @pytest.mark.parametrize("folder", ["tests/npm", "benchmarks/peers"])
    def test_every_npm_package_is_pinned_with_its_hash(self, folder: str) -> None:
        lock = json.loads((ROOT / folder / "package-lock.json").read_text())
        wanted = json.loads((ROOT / folder / "package.json").read_text())["dependencies"]
        ours = lock["packages"].pop("")
        assert ours["dependencies"] == wanted
        assert [name for name, package in lock["packages"].items() if "integrity" not in package] == []

    def test_the_image_takes_from_a_registry_only_what_has_a_hash(self) -> None:
        installs = [line for line in commands(DOCKERFILE) if re.search(r"\b(pip|uv pip) install\b", line)]
        assert len(installs) == 4
        assert [line for line in installs if "--require-hashes" not in line and "--offline --no-deps" not in line] == []

    def test_nothing_is_installed_here_that_no_lock_file_names(self) -> None:
        text = "".join((ROOT / name).read_text() for name in ("Makefile", ".ci/run"))
        lines = text.replace("\\\n", " ").splitlines()
        installs = [
            line for line in lines if re.search(r"\bpip\b.* install\b|\(UV\) install\b|\bnpm (i|install)\b", line)
        ]
        pinned = "--require-hashes", "--no-deps --no-build-isolation"
        loose = [line for line in installs if not any(word in line for word in pinned)]
        assert len(installs) == 4
        assert ["--upgrade --editable '.[dev]'" in line for line in loose] == [True]  # .ci/run newest, by itself

    def test_the_image_is_shipped_without_what_built_it(self) -> None:
        shipped = DOCKERFILE[DOCKERFILE.rindex("\nFROM ") :]
        assert re.findall(r"^COPY .*", shipped, re.MULTILINE) == ["COPY --from=build /venv /venv"]
        assert not [line for line in commands(shipped) if re.search(r"\b(pip|uv|apt-get|curl)\b", line)]


def commands(dockerfile: str) -> list[str]:
    """The commands of each RUN of a Dockerfile, on one line each."""
    runs = re.findall(r"^RUN ((?:.*\\\n)*.*)", dockerfile, re.MULTILINE)
    return [command.strip() for run in runs for command in run.replace("\\\n", " ").split("&&")]


class TestVersion:
    def test_the_changelog_opens_with_it(self) -> None:
        versions = re.findall(r"^## \[([^\]]+)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
        assert versions[0] == PROJECT["version"]

    def test_each_has_a_section_that_says_what_an_upgrade_to_it_asks_for(self) -> None:
        changes, upgrades = ((ROOT / name).read_text() for name in ("CHANGELOG.md", "docs/upgrading.md"))
        versions = re.findall(r"^## \[(\d[^\]]+)\]", changes, re.MULTILINE)
        assert re.findall(r"^### (\d\S+)$", upgrades, re.MULTILINE) == versions

    def test_the_image_carries_it(self) -> None:
        assert f'image.version="{PROJECT["version"]}"' in DOCKERFILE
        assert compose("connector")["image"].endswith(f":{PROJECT['version']}")

    @pytest.mark.parametrize("label", ["source", "revision", "created", "version", "licenses"])
    def test_the_image_says_what_it_was_made_from(self, label: str) -> None:
        (value,) = re.findall(rf'org\.opencontainers\.image\.{label}="([^"]+)"', DOCKERFILE)
        assert not value.startswith("$") or re.search(rf'^ARG {value[1:]}=""$', DOCKERFILE, re.MULTILINE)


def compose(service: str) -> dict[str, object]:
    found: dict[str, object] = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"][service]
    return found


class TestContainers:
    @pytest.mark.parametrize("service", ["connector", "database"])
    def test_none_may_write_where_it_need_not_or_become_more(self, service: str) -> None:
        settings = compose(service)
        assert settings["read_only"] is True
        assert settings["cap_drop"] == ["ALL"]
        assert settings["security_opt"] == ["no-new-privileges:true"]

    @pytest.mark.parametrize("service", ["connector", "database"])
    def test_each_has_a_limit_of_memory_and_of_processes(self, service: str) -> None:
        settings = compose(service)
        assert settings["mem_limit"] == "1g"
        assert settings["pids_limit"] in (256, 512)

    @pytest.mark.parametrize("service", ["connector", "database"])
    def test_no_secret_is_part_of_what_describes_a_container(self, service: str) -> None:
        environment = compose(service)["environment"]
        assert isinstance(environment, dict)
        assert [value for value in environment.values() if "$" in value or re.search(r":[^/@]+@", value)] == []
        secret = {name for name in environment if re.search("PASSWORD|KEY|SECRET", name)}
        assert {name for name in secret if not environment[name].startswith("/run/secrets")} == set()

    def test_the_admin_port_is_for_the_host_alone(self) -> None:
        ports = compose("connector")["ports"]
        assert isinstance(ports, list)
        assert [port for port in ports if port.endswith(":8081")] == ["127.0.0.1:8081:8081"]

    def test_the_image_runs_as_a_number_that_is_not_root(self) -> None:
        found = re.findall(r"^USER (\d+):(\d+)$", DOCKERFILE, re.MULTILINE)
        assert [int(part) > 0 for part in found[-1]] == [True, True]


class TestMakefile:
    def test_every_target_is_there_and_deletes_nothing_but_its_own(self) -> None:
        """Two changes that meet in one place may leave a target without its name."""
        makefile = (ROOT / "Makefile").read_text("utf-8")
        (phony,) = re.findall(r"^\.PHONY: ((?:.*\\\n)*.*)", makefile, re.MULTILINE)
        recipes = dict(re.findall(r"^([a-z-]+):.*\n((?:\t.*\n|\n(?=\t))*)", makefile, re.MULTILINE))
        assert {name for name in phony.replace("\\\n", " ").split() if name not in recipes} == set()
        assert {name for name, text in recipes.items() if "rm -rf $(VENV) " in text} == {"clean"}
        assert {name for name, text in recipes.items() if "\n\n" in text} == set()

    def test_the_lock_has_every_group(self) -> None:
        makefile = (ROOT / "Makefile").read_text("utf-8")
        groups = set(re.findall(r"--group ([a-z]+)", makefile.partition("\nlock:")[2].partition("\n\n")[0]))
        assert groups == set(tomllib.loads(PYPROJECT)["dependency-groups"])


class TestFiles:
    def test_none_tells_of_the_machine_it_was_written_on(self) -> None:
        told = [
            f"{path.relative_to(ROOT)}:{number}: {what}"
            for path in files()
            if path != Path(__file__) and b"\0" not in path.read_bytes()
            for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1)
            for what, pattern in FOREIGN.items()
            if re.search(pattern, line)
        ]
        assert told == []

    @pytest.mark.parametrize(
        "line",
        [
            f"/{'work'}/main",
            f"cd /{'home'}/ada",
            f"/tmp/{'venv'}/bin",
            f"https://{'pypi'}.org/simple",
            f"{'.library'}/x",
        ],
    )
    def test_the_search_finds_what_it_is_for(self, line: str) -> None:
        assert any(re.search(pattern, line) for pattern in FOREIGN.values())
