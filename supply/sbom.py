r"""Write what the connector is made of, in CycloneDX: from what is installed and the lock file, without a network.

python supply/sbom.py --environment .venv --lock requirements.lock --extra oidc --unused supply/unused.txt \
  --output sbom.json
"""

from __future__ import annotations

import argparse
import re
import sys
import sysconfig
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import Distribution, distributions
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import License, LicenseAcknowledgement
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

OURSELVES = "carecycle-crm-connector"
_PINNED = re.compile(r"^([\w.-]+)==(\S+)")
_HASH = re.compile(r"--hash=sha256:(\w{64})")
_LONGEST_LICENSE = 100  # beyond it, a license field holds the whole text

Locked = dict[tuple[str, str], list[str]]
Installed = dict[str, Distribution]


def locked(text: str) -> Locked:
    """Name and version -> the hash of each file that may be installed."""
    entries = text.replace("\\\n", " ").splitlines()
    return {
        (canonicalize_name(found[1]), found[2]): _HASH.findall(entry)
        for entry in entries
        if (found := _PINNED.match(entry))
    }


def installed(environment: Path) -> Installed:
    """The packages of a virtual environment, by name."""
    place = sysconfig.get_path("purelib", vars={"base": str(environment), "platbase": str(environment)})
    places = [place, *map(str, environment.glob("lib/python*/site-packages"))]
    return {canonicalize_name(found.name): found for found in distributions(path=places)}


def needs(package: Distribution, extras: tuple[str, ...]) -> Iterator[Requirement]:
    """What a package asks for on this machine."""
    for requirement in map(Requirement, package.requires or ()):
        environments = [{"extra": extra} for extra in ("", *extras)]
        if requirement.marker is None or any(map(requirement.marker.evaluate, environments)):
            yield requirement


def graph(packages: Installed, unused: set[str], extras: tuple[str, ...]) -> dict[str, set[str]]:
    """Each package that the connector needs -> those that it needs itself."""
    edges: dict[str, set[str]] = {}
    to_see: list[tuple[str, tuple[str, ...]]] = [(OURSELVES, extras)]
    seen = set[tuple[str, tuple[str, ...]]]()
    while to_see:
        name, asked = to_see.pop()
        if (name, asked) in seen:
            continue
        seen.add((name, asked))
        if name not in packages:
            sys.exit(f"{name} is not installed, although the connector needs it")
        for requirement in needs(packages[name], asked):
            needed = canonicalize_name(requirement.name)
            if needed not in unused:
                edges.setdefault(name, set()).add(needed)
                to_see.append((needed, tuple(sorted(requirement.extras))))
        edges.setdefault(name, set())
    return edges


def license_of(package: Distribution) -> License | None:
    """What the package says of its license; None if it says nothing, or a whole text."""
    metadata, make = package.metadata, LicenseFactory()
    classified = [line for line in metadata.get_all("Classifier") or () if line.startswith("License ::")]
    said = [*(metadata.get_all("License-Expression") or ()), *(metadata.get_all("License") or ()), *classified]
    for text in (line.split(" :: ")[-1] for line in said):
        if text and text != "UNKNOWN" and len(text) < _LONGEST_LICENSE and "\n" not in text:
            return make.make_from_string(text, license_acknowledgement=LicenseAcknowledgement.DECLARED)
    return None


def component(package: Distribution, hashes: list[str]) -> Component:
    """One package. hashes: any of them may be installed, depending on the machine."""
    name, found = canonicalize_name(package.name), license_of(package)
    purl = PackageURL("pypi", name=name, version=package.version)
    return Component(
        type=ComponentType.APPLICATION if name == OURSELVES else ComponentType.LIBRARY,
        name=name,
        version=package.version,
        bom_ref=str(purl),
        purl=purl,
        description=(package.metadata.get_all("Summary") or [None])[0],
        licenses=[found] if found else [],
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=content) for content in hashes],
    )


def bill(packages: Installed, lock: Locked, unused: set[str], extras: tuple[str, ...], at: datetime) -> Bom:
    """The whole bill of materials. Exits if something is installed that the lock file does not pin."""
    edges = graph(packages, unused, extras)
    components = {}
    for name in sorted(edges):
        package = packages[name]
        hashes = lock.get((name, package.version), [])
        if not hashes and name != OURSELVES:
            sys.exit(f"{name} {package.version} is installed, but not pinned in the lock file")
        components[name] = component(package, hashes)
    ourselves = components.pop(OURSELVES)
    what = " ".join(str(part.purl) for part in (ourselves, *components.values()))
    bom = Bom(components=components.values(), serial_number=uuid5(NAMESPACE_URL, what))
    bom.metadata.component, bom.metadata.timestamp = ourselves, at
    components[OURSELVES] = ourselves
    for name, needed in edges.items():
        bom.register_dependency(components[name], [components[other] for other in sorted(needed)])
    return bom


def main() -> None:
    """Write the file, or exit with what is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--environment", type=Path, required=True, help="the virtual environment to describe")
    parser.add_argument("--lock", type=Path, required=True, help="the lock file that it was installed from")
    parser.add_argument("--unused", type=Path, required=True, help="the packages that are left out")
    parser.add_argument("--extra", action="append", default=[], help="an extra of the connector that is installed")
    parser.add_argument("--at", type=int, default=0, help="seconds since 1970, as in SOURCE_DATE_EPOCH; 0: now")
    parser.add_argument("--output", type=Path, required=True, help="the file to write")
    given = parser.parse_args()
    left_out = {line for line in given.unused.read_text().splitlines() if line and not line.startswith("#")}
    at = datetime.fromtimestamp(given.at, UTC) if given.at else datetime.now(UTC)
    found = bill(installed(given.environment), locked(given.lock.read_text()), left_out, tuple(given.extra), at)
    given.output.parent.mkdir(parents=True, exist_ok=True)
    given.output.write_text(JsonV1Dot6(found).output_as_string(indent=2) + "\n")
    print(f"{given.output}: {len(found.components)} packages")


if __name__ == "__main__":
    main()
