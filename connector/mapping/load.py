"""Load a mapping file: read it, merge what it extends, check it and compile it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath
from types import MappingProxyType

from connector.crm import Crm
from connector.mapping import checks, inherit, reading
from connector.mapping.compile import compiled
from connector.mapping.compiled import CompiledMapping
from connector.mapping.diagnostics import Diagnostic, Place, Report
from connector.mapping.extending import Reading
from connector.mapping.schema import File
from connector.mapping.shipped import SHIPPED
from connector.mapping.target import TargetSchema
from connector.mapping.tree import Node


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


def load(
    path: Path,
    *,
    schema: TargetSchema | None = None,
    shipped: Path,
    crms: Mapping[str, Crm],
    checked: bool = True,
    instead: Mapping[Path, bytes] = MappingProxyType({}),
    may_extend: Callable[[Path], bool] = lambda _: True,
) -> Loaded:
    """Read, check and compile a file.

    schema: the account's, if known; shipped: the folder `extends` looks names up in; crms: by the name in `crm:`.
    checked: against the schema too; otherwise its lengths and types are only used. instead: what is taken for the
    content of these files, by their absolute paths. may_extend: whether a file may be extended.
    """
    reading = Reading(shipped, Report(), instead=instead, may_extend=may_extend)
    return _Loading(reading, schema, crms, checked=checked).load(path, None)


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
    reading = Reading(shipped, Report(), may_extend=lambda _: not sealed)
    return _Loading(reading, schema, crms).load((folder or shipped) / name, content, name)


class _Loading:
    """Loads one file and everything it extends."""

    def __init__(
        self,
        reading: Reading,
        schema: TargetSchema | None,
        crms: Mapping[str, Crm],
        *,
        checked: bool = True,
    ) -> None:
        self.reading, self.report = reading, reading.report
        self.schema, self.crms, self.checked = schema, crms, checked

    def load(self, path: Path, content: bytes | None, shown: str | None = None) -> Loaded:
        shown, read = shown or str(path), self.reading
        read.read(path, shown, path.name, Place(shown, 1, 1), content)
        root = None if read.failed else inherit.merge(read.layers, self.report)
        file = self._file(root) if root is not None else None
        mapping = self._mapping(file, root, path.stem) if file and root else None
        written = (file, root) if file and root else None
        return Loaded(mapping, self.report.sorted(tuple(read.texts)), tuple(read.files), read.texts, written)

    def _file(self, root: Node) -> File | None:
        """Read and check the file; None if it has errors."""
        file = reading.model(root, self.report, self.crms)
        if file is not None:
            checks.check(file, root, self.report, self.schema if self.checked else None)
        return None if self.report.failed else file

    def _mapping(self, file: File, root: Node, name: str) -> CompiledMapping:
        texts = "\0".join(self.reading.texts.values())
        version = hashlib.sha256(texts.encode("utf-8", "surrogatepass")).hexdigest()[:12]
        return replace(compiled(file, root, name, version, self.schema), files=self._files())

    def _files(self) -> dict[str, str]:
        """The text of each file, by its path from the folder of the mapping's own file."""
        shipped = {path: name for name, path in self.reading.shipped.items()}
        folder = self.reading.files[0].parent
        names = (
            SHIPPED + shipped[path] if path in shipped else PurePath(os.path.relpath(path, folder)).as_posix()
            for path in self.reading.files
        )
        return dict(zip(names, self.reading.texts.values(), strict=True))
