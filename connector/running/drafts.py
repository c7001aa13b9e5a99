"""Read each destination of an agency file by itself, before all secrets are there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from connector.destinations import vendor_by, vendor_of
from connector.destinations.vendor import Vendor
from connector.errors import FixConfiguration
from connector.mapping.tree import Node
from connector.running.config import AgencyFile, Secrets, agency_files, read_tree, unusable, validated

_OF_OTHERS = ("alarms", "carecycle", "webhook")
"""What a destination does without."""


@dataclass(frozen=True, slots=True)
class Draft:
    """One destination. file: the agency's, with this destination alone; None while secrets are missing.

    missing: each secret that is, and the line that refers to it. wrong: why its settings cannot be used.
    """

    agency: str
    name: str
    vendor: Vendor | None = None
    file: AgencyFile | None = None
    missing: tuple[str, ...] = ()
    wrong: FixConfiguration | None = None

    @property
    def full_name(self) -> str:
        return f"{self.agency}/{self.name}"


def read_drafts(paths: Sequence[Path], environment: Mapping[str, str], only: str | None) -> list[Draft]:
    """Read the destinations of these agency files, or those of one name. Raises FixConfiguration."""
    drafts = [draft for path in agency_files(paths) for draft in _of_file(path, environment, only)]
    if not drafts:
        raise FixConfiguration("--destination", f"no agency file has a destination {only!r}")
    return drafts


def _of_file(path: Path, environment: Mapping[str, str], only: str | None) -> Iterator[Draft]:
    tree = read_tree(path)
    destinations = tree.get("destinations")
    for name in list(destinations.items if destinations else ()) or [""]:  # no name: the whole block is wrong
        if only in (None, name):
            try:
                yield _draft(path, _alone(tree, name), name, environment)
            except FixConfiguration as error:
                yield Draft(_agency(tree), name, wrong=error)


def _agency(tree: Node) -> str:
    named = tree.get("agency")
    return str(named.value) if named else ""


def _alone(tree: Node, name: str) -> Node:
    """The tree of a file that has only this destination."""
    entries = {key: entry for key, entry in tree.items.items() if key not in _OF_OTHERS}
    if "destinations" in entries:
        key, listed = entries["destinations"]
        entries["destinations"] = key, replace(listed, value={name: listed.items[name]} if name else listed.value)
    return replace(tree, value=entries)


def _draft(path: Path, tree: Node, name: str, environment: Mapping[str, str]) -> Draft:
    missing: list[str] = []
    content = Secrets(path, environment, missing).resolve(tree)
    if not missing:
        settings = validated(path, tree, content | {"webhook": {"secrets": ["-"]}})
        vendor = vendor_of(settings.destinations[name])
        return Draft(settings.agency, name, vendor, AgencyFile(path=path, settings=settings))
    block = content["destinations"][name] if name else None
    auth = block.get("auth") if isinstance(block, dict) else None
    named = vendor_by(auth) if isinstance(auth, dict) else None
    if named is None:
        raise unusable(path, missing)
    return Draft(_agency(tree), name, named, missing=tuple(missing))
