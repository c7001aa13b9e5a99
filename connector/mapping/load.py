"""Load a mapping file: read it, merge what it extends, check it and compile it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from connector.crm import Crm
from connector.mapping import checks, inherit, reading, source
from connector.mapping.compile import compiled
from connector.mapping.compiled import CompiledMapping
from connector.mapping.diagnostics import Diagnostic, Place, Report
from connector.mapping.schema import File
from connector.mapping.target import TargetSchema
from connector.mapping.tree import Node

_SHIPPED_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*\Z")


@dataclass(frozen=True, slots=True)
class Loaded:
    """A loaded mapping file. files: the file and everything it extends.

    mapping: None if there are errors. texts: the text of each file by the name its diagnostics use, to show source
    lines. written: the file and its tree, merged with everything it extends; None if there are errors.
    """

    mapping: CompiledMapping | None
    diagnostics: tuple[Diagnostic, ...]
    files: tuple[Path, ...]
    texts: Mapping[str, str] = field(repr=False)
    written: tuple[File, Node] | None = field(repr=False)


def shipped_folder() -> Path:
    """Return the folder of the shipped mappings: in the installed package, else in the repository."""
    package = Path(__file__).resolve().parent.parent
    installed = package / "shipped"
    return installed if installed.is_dir() else package.parent / "mappings"


def load(
    path: Path,
    *,
    schema: TargetSchema | None = None,
    shipped: Path,
    crms: Mapping[str, Crm],
    checked: bool = True,
) -> Loaded:
    """Read, check and compile a file.

    schema: the account's, if known; shipped: the folder `extends` looks names up in; crms: by the name in `crm:`.
    checked: against the schema too; otherwise its lengths and types are only used.
    """
    return _Loading(schema, shipped, crms, checked=checked).load(path, None)


def load_text(
    text: str,
    name: str,
    *,
    schema: TargetSchema | None = None,
    shipped: Path,
    crms: Mapping[str, Crm],
    folder: Path | None = None,
    sealed: bool = False,
) -> Loaded:
    """Load a mapping from text. name: what to call it; folder: where files it extends are.

    sealed: it may only extend shipped mappings, not files.
    """
    content = text.encode("utf-8", "surrogatepass")
    return _Loading(schema, shipped, crms, sealed=sealed).load((folder or shipped) / name, content, name)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name too long for the file system
        return False


class _Loading:
    """Loads one file and everything it extends."""

    def __init__(
        self,
        schema: TargetSchema | None,
        shipped: Path,
        crms: Mapping[str, Crm],
        *,
        sealed: bool = False,
        checked: bool = True,
    ) -> None:
        self.schema, self.shipped, self.crms, self.sealed, self.checked = schema, shipped, crms, sealed, checked
        self.report = Report()
        self.files: list[Path] = []
        self.texts: dict[str, str] = {}

    def load(self, path: Path, content: bytes | None, shown: str | None = None) -> Loaded:
        root = self._root(path, content, shown or str(path))
        file = self._file(root) if root is not None else None
        mapping = self._mapping(file, root, path.stem) if file and root else None
        written = (file, root) if file and root else None
        return Loaded(mapping, self.report.sorted(tuple(self.texts)), tuple(self.files), self.texts, written)

    def _file(self, root: Node) -> File | None:
        """Read and check the file; None if it has errors."""
        file = reading.model(root, self.report, self.crms)
        if file is not None:
            checks.check(file, root, self.report, self.schema if self.checked else None)
        return None if self.report.failed else file

    def _mapping(self, file: File, root: Node, name: str) -> CompiledMapping:
        version = hashlib.sha256("\0".join(self.texts.values()).encode("utf-8", "surrogatepass")).hexdigest()[:12]
        return compiled(file, root, name, version, self.schema)

    def _root(self, path: Path, content: bytes | None, shown: str) -> Node | None:
        """Read the tree of a file, merged into the one it extends."""
        self.files.append(path)
        self.texts[shown] = ""
        if content is None and (content := self._bytes(path, shown)) is None:
            return None
        self.texts[shown], own = source.read(content, shown, self.report)
        extends = own.get("extends") if own else None
        if own is None or extends is None or not isinstance(extends.value, str):
            return own
        base = self._extended(extends.value, extends.place, path.parent)
        return None if base is None else inherit.merge(base, own, self.report)

    def _bytes(self, path: Path, shown: str) -> bytes | None:
        try:
            with path.open("rb") as file:
                return file.read(source.MAX_BYTES + 1)
        except OSError as error:
            self.report.add(Place(shown, 1, 1), "Y001", f"the file cannot be read: {error.strerror}")
            return None

    def _extended(self, name: str, place: Place, folder: Path) -> Node | None:
        is_path = name.endswith((".yaml", ".yml"))
        path = folder / name if is_path else self.shipped / f"{name}.yaml"
        refused = self.sealed if is_path else not _SHIPPED_NAME.match(name)
        if refused or not _is_file(path):
            known = sorted(file.stem for file in self.shipped.glob("*.yaml"))
            hint = self.report.suggest(name, known) or f"shipped: {', '.join(known)}; a file name ends in .yaml"
            self.report.add(place, "M140", f"there is no mapping '{name[:80]}' to extend", hint)
            return None
        if path.resolve() in {file.resolve() for file in self.files}:
            self.report.add(place, "M140", f"'{name}' itself extends this file: a circle", "extend another mapping")
            return None
        return self._root(path, None, str(path))
