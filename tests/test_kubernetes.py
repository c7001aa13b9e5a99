"""The Kubernetes manifests as a specification: a cluster takes them, and they fit the image and the product.

The schemas of Kubernetes come with `make lint-kubernetes`; the rest needs nothing.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from click.testing import CliRunner

from connector.cli import cli
from connector.delivery.reload import fingerprint
from connector.running.config import read_agencies, read_process
from connector.running.supervisor import GRACE

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "deploy/kubernetes"
WAYS = ("sqlite", "postgresql")
CONFIG = FOLDER / "common/config"
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")
PAGE = (ROOT / "docs/deploying.md").read_text("utf-8")
VERSIONS = ("1.30", "1.37")
Manifest = dict[str, Any]


def content(path: Path) -> list[Manifest]:
    return [one for one in yaml.safe_load_all(path.read_text("utf-8")) if one]


def kustomization(way: str) -> Manifest:
    (found,) = content(FOLDER / way / "kustomization.yaml")
    return found


def manifests(way: str) -> list[Manifest]:
    """What a way applies, with what it has in common with the other."""
    found: list[Manifest] = []
    for name in kustomization(way)["resources"]:
        path = (FOLDER / way / name).resolve()
        found += manifests(path.name) if path.is_dir() else content(path)
    return found


ALL = [(way, one) for way in WAYS for one in manifests(way)]
PODS = [
    (way, one["metadata"]["name"], one["spec"]["template"]) for way, one in ALL if "template" in one.get("spec", {})
]
each_pod = pytest.mark.parametrize(("way", "name", "pod"), PODS, ids=lambda part: part if isinstance(part, str) else "")


def container(pod: Manifest) -> Manifest:
    (only,) = pod["spec"]["containers"]
    assert isinstance(only, dict)
    return only


def environment(pod: Manifest) -> dict[str, str]:
    return {one["name"]: one.get("value", "") for one in container(pod)["env"]}


def matching(selector: Manifest, way: str) -> list[Manifest]:
    """The pods of a way that have these labels."""
    return [pod for own, _, pod in PODS if own == way and selector.items() <= pod["metadata"]["labels"].items()]


def secrets_named() -> set[str]:
    """Every key of the Secret that a manifest or the agency file asks for."""
    files = re.findall(r"file:/secrets/([\w-]+)", (CONFIG / "agency.yaml").read_text("utf-8"))
    texts = [environment(pod).get("CONNECTOR_DATA_KEY_FILE", "") for *_, pod in PODS]
    keys = re.findall(r"\n +key: ([\w-]+)", "".join(path.read_text("utf-8") for path in FOLDER.rglob("*.yaml")))
    return {*files, *keys, *(text.removeprefix("/secrets/") for text in texts)}


class TestForACluster:
    @pytest.mark.parametrize("version", VERSIONS)
    @pytest.mark.parametrize(("way", "manifest"), ALL, ids=lambda p: p if isinstance(p, str) else p["kind"])
    def test_the_schemas_of_kubernetes_take_it(self, way: str, manifest: Manifest, version: str) -> None:
        kubernetes = pytest.importorskip("kubernetes_validate", reason="needs what `make lint-kubernetes` installs")
        kubernetes.validate(manifest, version, strict=True)

    @pytest.mark.slow
    @pytest.mark.skipif(not shutil.which("kubectl"), reason="needs kubectl")
    @pytest.mark.parametrize("way", WAYS)
    def test_kubectl_puts_it_together(self, way: str) -> None:
        built = subprocess.run(
            ["kubectl", "kustomize", FOLDER / way], capture_output=True, text=True, check=False, env={**os.environ}
        )
        assert built.returncode == 0, built.stderr
        made = [one for one in yaml.safe_load_all(built.stdout) if one]
        assert len(made) == len(manifests(way)) + 1  # and the ConfigMap
        named = {one["metadata"].get("namespace") for one in made if one["kind"] != "Namespace"}
        assert named == {one["metadata"]["name"] for one in made if one["kind"] == "Namespace"}

    def test_every_file_is_part_of_a_way(self) -> None:
        used = {
            (FOLDER / way / name).resolve()
            for way in (*WAYS, "common")
            for own in [kustomization(way)]
            for name in (*own["resources"], *own.get("configMapGenerator", [{"files": []}])[0]["files"])
        }
        ours = {path for path in FOLDER.rglob("*.yaml") if path.name != "kustomization.yaml"}
        assert {path for path in ours if path not in used} == set()

    @each_pod
    def test_a_namespace_that_restricts_its_pods_admits_it(self, way: str, name: str, pod: Manifest) -> None:
        """https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted."""
        spec, only = pod["spec"], container(pod)
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert only["securityContext"]["allowPrivilegeEscalation"] is False
        assert only["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert not {"hostNetwork", "hostPID", "hostIPC", "initContainers"} & spec.keys()
        kinds = {kind for volume in spec["volumes"] for kind in volume if kind != "name"}
        assert kinds <= {"configMap", "secret", "emptyDir", "persistentVolumeClaim"}

    @pytest.mark.parametrize(
        ("way", "manifest"),
        [(way, one) for way, one in ALL if one["kind"] in ("Service", "PodDisruptionBudget", "NetworkPolicy")],
        ids=lambda part: part if isinstance(part, str) else f"{part['kind']}-{part['metadata']['name']}",
    )
    def test_what_selects_pods_finds_some(self, way: str, manifest: Manifest) -> None:
        spec = manifest["spec"]
        selector = spec.get("podSelector", spec.get("selector"))
        pods = matching(selector.get("matchLabels", selector), way)
        assert pods
        wanted = {port["targetPort"] for port in spec.get("ports", [])}
        offered = [{port["name"] for port in container(pod)["ports"]} for pod in pods]
        assert all(wanted <= names for names in offered)

    @pytest.mark.parametrize("way", WAYS)
    def test_only_the_hooks_are_reached_from_outside(self, way: str) -> None:
        (ingress,) = (one for one in manifests(way) if one["kind"] == "Ingress")
        (path,) = ingress["spec"]["rules"][0]["http"]["paths"]
        assert path["path"] == "/hooks/"
        assert path["backend"]["service"] == {"name": "hooks", "port": {"name": "hooks"}}
        assert {one["spec"].get("type") for one in manifests(way) if one["kind"] == "Service"} == {None}

    def test_one_pod_alone_has_the_sqlite_file(self) -> None:
        (deployment,) = (one for one in manifests("sqlite") if one["kind"] == "Deployment")
        (claim,) = (one for one in manifests("sqlite") if one["kind"] == "PersistentVolumeClaim")
        assert (deployment["spec"]["replicas"], deployment["spec"]["strategy"]) == (1, {"type": "Recreate"})
        assert claim["spec"]["accessModes"] == ["ReadWriteOncePod"]


class TestForTheProduct:
    @pytest.mark.parametrize("way", WAYS)
    def test_the_image_is_of_this_version(self, way: str) -> None:
        version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
        (image,) = kustomization(way)["images"]
        assert image["newTag"] == version
        assert {container(pod)["image"] for own, _, pod in PODS if own == way} == {image["name"]}

    @each_pod
    def test_its_user_and_folders_are_those_of_the_image(self, way: str, name: str, pod: Manifest) -> None:
        context = pod["spec"]["securityContext"]
        user = f"{context['runAsUser']}:{context['runAsGroup']}"
        assert f"\nUSER {user}\n" in DOCKERFILE
        assert context["fsGroup"] == context["runAsGroup"]
        writable = {one["mountPath"] for one in container(pod)["volumeMounts"] if not one.get("readOnly")}
        assert container(pod)["securityContext"]["readOnlyRootFilesystem"] is True
        assert writable == {*re.findall(r"^VOLUME (\S+)$", DOCKERFILE, re.M), *re.findall(r"TMPDIR=(\S+)", DOCKERFILE)}

    @each_pod
    def test_its_command_is_one_of_ours(self, way: str, name: str, pod: Manifest) -> None:
        role, *arguments = container(pod)["args"]
        command = cli.get_command(click.Context(cli), role)
        assert command is not None
        with command.make_context(role, list(arguments)) as context:
            assert context.params["paths"] == (Path("/config"),)

    @each_pod
    def test_its_variables_are_documented_and_can_be_used(self, way: str, name: str, pod: Manifest) -> None:
        readme = (ROOT / "README.md").read_text("utf-8")
        named = environment(pod)
        assert {variable for variable in named if f"| `{variable}` |" not in readme} == set()
        process = read_process({key: value for key, value in named.items() if value})
        ports = {port["name"]: port["containerPort"] for port in container(pod)["ports"]}
        assert process.admin_listen == ("0.0.0.0", ports["admin"])
        assert ports.get("hooks", process.listen[1]) == process.listen[1]

    @each_pod
    def test_it_has_time_to_end_and_nothing_interrupts_a_migration(self, way: str, name: str, pod: Manifest) -> None:
        only = container(pod)
        waits = only.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        assert pod["spec"]["terminationGracePeriodSeconds"] >= GRACE + waits + 5
        probes = {kind: only[f"{kind}Probe"] for kind in ("startup", "liveness", "readiness")}
        assert [probe["httpGet"]["path"] for probe in probes.values()] == ["/livez", "/livez", "/readyz"]
        assert {probe["httpGet"]["port"] for probe in probes.values()} == {"admin"}
        assert probes["startup"]["periodSeconds"] * probes["startup"]["failureThreshold"] >= 1800

    @each_pod
    def test_variables_named_after_services_do_not_reach_it(self, way: str, name: str, pod: Manifest) -> None:
        assert pod["spec"]["enableServiceLinks"] is False
        assert pod["spec"]["automountServiceAccountToken"] is False

    def test_the_page_makes_every_secret_that_is_asked_for(self) -> None:
        made = set(re.findall(r"--from-(?:file|literal)=([\w-]+)", PAGE))
        assert secrets_named() <= made


@pytest.fixture
def mounted(tmp_path: Path) -> Path:
    """The ConfigMap as kubelet mounts it: each file is a link to one behind ..data, which is a link itself."""
    secrets, folder = tmp_path / "secrets", tmp_path / "config"
    secrets.mkdir()
    for name in secrets_named():
        (secrets / name).write_text("whsec_c3VucmlzZSBpcyBvbmx5IGEgdHJpYWwh")
    folder.mkdir()
    mount(folder, "..2026_11_30_12_00_00.1", secrets)
    for path in CONFIG.iterdir():
        (folder / path.name).symlink_to(f"..data/{path.name}")
    return folder


def mount(folder: Path, version: str, secrets: Path, edited: str = "") -> None:
    """Write a version of the files, then point ..data at it in one step, as kubelet does."""
    (folder / version).mkdir()
    for path in CONFIG.iterdir():
        text = path.read_text("utf-8").replace("/secrets/", f"{secrets}/")
        (folder / version / path.name).write_text(text + (edited if path.name != "agency.yaml" else ""))
    (folder / "..data_tmp").symlink_to(version)
    os.replace(folder / "..data_tmp", folder / "..data")


class TestTheMountedConfiguration:
    def test_it_checks_clean_with_its_own_tests(self, mounted: Path) -> None:
        done = CliRunner().invoke(cli, ["check", "-c", str(mounted)])
        assert done.exit_code == 0, done.output
        tested = CliRunner().invoke(cli, ["test", str(mounted / "our-contacts.yaml")])
        assert "1 of 1 tests pass" in tested.output

    def test_the_mapping_beside_the_agency_file_is_not_taken_for_one(self, mounted: Path) -> None:
        assert [file.settings.agency for file in read_agencies([mounted], {})] == ["sunrise"]

    def test_an_edit_that_kubelet_puts_in_place_is_noticed(self, mounted: Path) -> None:
        paths = [mounted / "our-contacts.yaml"]
        before = fingerprint(paths)
        mount(mounted, "..2026_11_30_12_30_00.2", mounted.parent / "secrets", edited="\n# an edit\n")
        assert fingerprint(paths) != before
