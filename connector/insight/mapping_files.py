"""The files of a destination's mapping: where they may be, and how their bytes become a text and bytes again."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path, PurePath
from typing import Final

from connector.mapping.extending import absolute
from connector.mapping.regular import read_file

MAX_TEXT: Final = 128 * 1024
"""Most bytes of a file that is edited in the console; a mapping is a few hundred lines."""

ENDINGS: Final = (".yaml", ".yml")
_ENCODINGS: Final = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}


@dataclass(frozen=True, slots=True)
class Home:
    """Where a destination's mapping is. path: its file; folder: the agency's, outside of which nothing is edited.

    own: whether the file is the agency's, not a shipped one. kept: agency files, which may hold secrets.
    """

    path: Path
    folder: Path
    own: bool = True
    kept: frozenset[Path] = frozenset()

    @property
    def root(self) -> Path:
        """The file that the mapping begins with: for one that runs a shipped mapping, the agency's that is to be."""
        return self.path if self.own else self.folder / f"our-{self.path.stem}.yaml"

    def place(self, name: str) -> Path:
        """Return the file of a name: its path from the folder of the mapping's own file."""
        return absolute(self.root.parent / name)

    def name(self, path: Path | str) -> str | None:
        """Name a file of the agency's; None for any other."""
        full, folder = absolute(Path(path)), absolute(self.root.parent)
        if not self.may_have(full):
            return None
        up = 0
        while not full.is_relative_to(folder):
            folder, up = folder.parent, up + 1
        return PurePath(*[".."] * up, full.relative_to(folder)).as_posix()

    def may_have(self, path: Path) -> bool:
        """Whether a file may be one of this agency's mappings."""
        full = absolute(path)
        inside = full.is_relative_to(absolute(self.folder)) and full.suffix in ENDINGS
        return inside and full not in self.kept and "\0" not in str(path)


def content_of(path: Path) -> bytes | None:
    """Return a file's bytes, no more than can be shown; None if it is not there or cannot be read."""
    try:
        return read_file(path, MAX_TEXT + 1)
    except OSError:
        return None


def state_of(content: bytes | None) -> str:
    """Return what tells one content of a file from another; empty if there is none."""
    return "" if content is None else hashlib.sha256(content).hexdigest()


def text_of(content: bytes) -> str:
    """Return the text of a file as a form has it: without a byte order mark, its lines ending in LF.

    >>> text_of(b"a: 1\\r\\nb: 2\\r\\n"), text_of(b"caf\\xe9")
    ('a: 1\\nb: 2\\n', 'café')
    """
    encoding = next((name for mark, name in _ENCODINGS.items() if content.startswith(mark)), "utf-8")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    return of_form(text)


def of_form(text: str) -> str:
    """Return a text with LF at the end of each line."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def content_for(text: str, before: bytes | None) -> bytes:
    """Return the bytes of an edited text. Lines that stay keep their ends, new ones get the most common; a mark stays.

    >>> content_for("a: 1\\nb: 3\\n", b"\\xef\\xbb\\xbfa: 1\\r\\nb: 2\\r\\n")
    b'\\xef\\xbb\\xbfa: 1\\r\\nb: 3\\r\\n'
    """
    mark = b"\xef\xbb\xbf" if before is not None and before.startswith(b"\xef\xbb\xbf") else b""
    was = before.removeprefix(mark) if before is not None else b""
    try:
        old = was.decode("utf-8").splitlines(keepends=True) if b"\r" in was else []
    except UnicodeDecodeError:  # it is saved as UTF-8 from now on
        old = []
    return mark + (_with_ends(text, old) if old else text).encode("utf-8", "replace")


def _with_ends(text: str, old: list[str]) -> str:
    new = text.split("\n")
    bare = [line.rstrip("\r\n") for line in old]
    ends = [line[len(line.rstrip("\r\n")) :] or "\n" for line in old]
    usual = Counter(ends).most_common(1)[0][0]
    chosen = [usual] * len(new)
    for block in SequenceMatcher(None, bare, new, autojunk=False).get_matching_blocks():
        chosen[block.b : block.b + block.size] = ends[block.a : block.a + block.size]
    return "".join(line + end for line, end in zip(new[:-1], chosen, strict=False)) + new[-1]
