"""Read a mapping file and everything it extends, each file once, in the order in which they are merged."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from connector.mapping import source
from connector.mapping.diagnostics import Place, Report
from connector.mapping.inherit import Layer
from connector.mapping.regular import NotRegularError, read_file
from connector.mapping.shipped import RECIPES, full_name, shipped_names, short_name
from connector.mapping.tree import Node

_NONE: Final[frozenset[str]] = frozenset()
_BEGINS: Final = "it starts with  version: 1  and has  crm:  or  extends:"
_MAPPING: Final = re.compile(r"^\ufeff?\s{0,3}['\"]?(version|crm|extends|records|tests)['\"]?\s*:", re.MULTILINE)
_WHERE: Final = "a mapping is an ordinary file in the agency's folder, or a shipped one"


class Reading:
    """Reads files into layers. files: all that were read; texts: their texts, by the names that findings use.

    instead: what is taken for the content of these files, by their absolute paths. may_extend: whether a file may be.
    folder: which no file leaves but the shipped ones; by default that of the first file.
    """

    def __init__(
        self,
        shipped: Path,
        report: Report,
        *,
        instead: Mapping[Path, bytes] = MappingProxyType({}),
        may_extend: Callable[[Path], bool] = lambda _: True,
        folder: Path | None = None,
    ) -> None:
        self.report, self.instead, self.may_extend, self.folder = report, instead, may_extend, folder
        self.shipped = shipped_names(shipped)
        self.layers: list[Layer] = []
        self.files: list[Path] = []
        self.texts: dict[str, str] = {}
        self.failed = False
        self._mappings: list[str] = []
        self._made_of: dict[Path, frozenset[str] | None] = {}  # None while the file is being read

    def read(
        self,
        path: Path,
        shown: str,
        name: str,
        named: Place,
        content: bytes | None = None,
        over: frozenset[str] = _NONE,
    ) -> frozenset[str]:
        """Read a file, after those it extends. Return the files it is made of.

        name, named: what it is called, and where; over: files that it may change although it does not extend them.
        """
        self.files.append(path)
        self._made_of[path.resolve()] = None
        own = self._tree(path, shown, content)
        extends = own.get("extends") if own else None
        if own is None:
            self.failed = True
            return _NONE
        if own.get("crm") is not None:
            over = _NONE  # a whole mapping adds to none but those that it extends
        below = self._extended(_names(extends), path.parent, over)
        adds = extends is None or isinstance(extends.value, list)
        self.layers.append(Layer(own, short_name(name), named, over | below, adds))
        self._made_of[path.resolve()] = made_of = below | {shown}
        return made_of

    def _tree(self, path: Path, shown: str, content: bytes | None) -> Node | None:
        self.texts[shown], is_given = "", content is not None or absolute(path) in self.instead
        if content is None and (content := self._bytes(path, shown)) is None:
            return None
        report = Report()
        text, own = source.read(content, shown, report)
        if text and not is_given and not is_mapping(text):  # it may be a file of secrets: no line of it is shown
            self.report.add(Place(shown, 1, 1), "Y001", "this is not a mapping file", _BEGINS)
            return None
        self.report.take(report)
        self.texts[shown] = text
        return own

    def _bytes(self, path: Path, shown: str) -> bytes | None:
        if (edited := self.instead.get(absolute(path))) is not None:
            return edited
        within = None if path in self.shipped.values() else self.folder or self.files[0].parent
        try:
            return read_file(path, source.MAX_BYTES + 1, within)
        except NotRegularError as error:
            self.report.add(Place(shown, 1, 1), "Y006", f"the file is not read: {error.strerror}", _WHERE)
        except OSError as error:
            self.report.add(Place(shown, 1, 1), "Y001", f"the file cannot be read: {error.strerror}")
        return None

    def _extended(self, names: list[Node], folder: Path, over: frozenset[str]) -> frozenset[str]:
        """Read the files of a list. Each may change the first of them; none may change the others."""
        made_of, listed = _NONE, set[Path]()
        for node in names:
            name = full_name(node.text, self._mappings)
            path = self._path(name, node, folder, names)
            part = self._part(path, name, node, over, again=path.resolve() in listed) if path else None
            if path is None or part is None:
                self.failed = True
                continue
            over = over if listed else over | part
            listed.add(path.resolve())
            made_of |= part
        return made_of

    def _part(self, path: Path, name: str, node: Node, over: frozenset[str], *, again: bool) -> frozenset[str] | None:
        """Read one file of a list, or find it read; None if it may not be in it."""
        if again:
            self.report.add(node.place, "M140", f"'{node.text}' is extended twice", "leave it out here")
            return None
        if path.resolve() not in self._made_of:
            return self.read(path, str(path), name, node.place, over=over)
        if self._made_of[path.resolve()] is None:
            self.report.add(
                node.place, "M140", f"'{node.text}' itself extends this file: a circle", "extend another mapping"
            )
        return self._made_of[path.resolve()]

    def _path(self, name: str, node: Node, folder: Path, names: list[Node]) -> Path | None:
        """Find the file of a name; report a name without one."""
        is_path = name.endswith((".yaml", ".yml"))
        path = folder / name if is_path else self.shipped.get(name)
        if path is None or (is_path and not self.may_extend(path)) or not self._is_there(path):
            self.report.add(
                node.place,
                "M140",
                f"there is no mapping '{node.text[:80]}' to extend",
                self._ending(name, folder) or self._hint(name, node, [named.text for named in names]),
            )
            return None
        if not is_path and "/" not in name:
            self._mappings.append(name)
        return path

    def _ending(self, name: str, folder: Path) -> str:
        """What to write in place of a file's name without its ending; empty if it is none."""
        path = folder / f"{name}.yaml"
        is_file = self.may_extend(path) and (name.startswith(("./", "../", "/")) or self._is_there(path))
        return f"write  {name[:80]}.yaml" if is_file and not name.endswith((".yaml", ".yml")) else ""

    def _is_there(self, path: Path) -> bool:
        return absolute(path) in self.instead or _is_there(path)

    def _hint(self, name: str, node: Node, names: list[str]) -> str:
        mappings = [shipped for shipped in self.shipped if "/" not in shipped]
        recipes = self._recipes()
        several = re.split(r"[\s,;+&]+", name)
        if len(several) > 1 and {*several} <= {*mappings, *map(short_name, self.shipped)}:
            return f"write  extends: [{', '.join(several)}]"
        if name.startswith(RECIPES) and not self._mappings:
            return f"name the mapping first that it adds to:  extends: [{_in_order(names, mappings)[:200]}]"
        known = recipes if "/" in name else mappings
        word = RECIPES + name if RECIPES + name in recipes else node.text
        return (
            self.report.suggest(word, [*known, *recipes]) or f"shipped: {', '.join(known)}; a file name ends in .yaml"
        )

    def _recipes(self) -> list[str]:
        """List the recipes for the mapping that is extended."""
        folder = f"{RECIPES}{next(iter(self._mappings), None)}/"
        return [short_name(name) for name in self.shipped if name.startswith(folder)]


def _in_order(names: list[str], mappings: list[str]) -> str:
    """List these names with the one of a whole mapping first; any, if there is none."""
    first = next((name for name in names if name in mappings), mappings[0])
    return ", ".join((first, *(name for name in names if name != first)))


def _names(extends: Node | None) -> list[Node]:
    """List the names under `extends`; whatever is no text is for the format to report."""
    if extends is None:
        return []
    listed = extends.value if isinstance(extends.value, list) else [extends]
    return [node for node in listed if isinstance(node.value, str)]


def _is_there(path: Path) -> bool:
    """Whether there is something of a name; what is no file is refused when it is read."""
    try:
        return path.exists()
    except OSError:  # a name too long for the file system
        return False


def is_mapping(text: str) -> bool:
    r"""Whether a text has what a mapping begins with. Other files beside the mappings may hold secrets.

    >>> is_mapping("version: 1\ncrm: salesforce\n"), is_mapping("version: '3'\nservices: { a: { password: a } }")
    (True, False)
    """
    names = {match[1] for match in _MAPPING.finditer(text)}
    return len(names) > 1 or bool(names & {"extends", "records"})  # others have a version, or tests


def absolute(path: Path) -> Path:
    """A path from the root of the file system, with its links as they are."""
    return Path(os.path.abspath(path))
