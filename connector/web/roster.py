"""The file of people who may sign in to the console: names, roles, agencies, hashes of passwords, OpenID accounts."""

from __future__ import annotations

import fcntl
import os
import re
import stat
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any, Final

import yaml

from connector.errors import FixConfiguration
from connector.telemetry import console as telemetry
from connector.web.openid_settings import read_account
from connector.web.passwords import Person, is_hash
from connector.web.rights import Role

NAME: Final = re.compile(r"[a-z0-9][a-z0-9._@-]{0,62}")
"""A name of a person: no letters that look alike, and nothing that could end a line of a log."""
_AGENCY: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_LARGEST: Final = 1_000_000
_HEAD: Final = "# Who may sign in to the console. Edit it with `connector console person`, or by hand.\n"
_FIELDS: Final = frozenset({"role", "password", "openid", "agencies"})


class Roster:
    """The people of a file, read again when it was edited. Of a file that cannot be used, the last good one counts."""

    def __init__(self, path: Path | None) -> None:
        self.path, self._lock = path, Lock()
        self._read_from: tuple[int, ...] | None = None
        self._people: Mapping[str, Person] = {}
        self.problem = ""
        """Why the file cannot be used as it is; empty if it can."""

    def people(self) -> Mapping[str, Person]:
        """Everybody, by name."""
        if self.path is not None:
            with self._lock:
                self._look(self.path)
        return self._people

    def require(self) -> None:
        """Raise FixConfiguration if the file is there and cannot be used."""
        if self.people() is not None and self.problem and self.path:
            raise FixConfiguration(str(self.path), self.problem)

    def _look(self, path: Path) -> None:
        version = _version(path)
        if version == self._read_from:
            return
        self._read_from = version
        try:
            self._people, self.problem = read_people(path, required=bool(self._people)), ""
        except FixConfiguration as error:
            self.problem = error.problem
            telemetry.people_refused(str(path), error.problem)


def _version(path: Path) -> tuple[int, ...] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino


def read_people(path: Path, *, required: bool = False) -> Mapping[str, Person]:
    """Read the file; nobody if there is none, unless it is required. Raises FixConfiguration with every problem."""
    if not path.exists() and not required:
        return {}
    content = _content(path, _text(path))
    entries = content.get("people") if isinstance(content, dict) and set(content) == {"people"} else None
    if not isinstance(entries, dict):
        raise FixConfiguration(str(path), "must have one entry, people, with an entry for each name")
    if problems := list(_all_problems(entries)):
        raise FixConfiguration(str(path), "\n".join(["cannot be used:", *problems]))
    return {name: _person(name, entry) for name, entry in entries.items()}


def _all_problems(entries: Mapping[Any, Any]) -> Iterator[str]:
    accounts = Counter[str]()
    for name, entry in entries.items():
        yield from (f"{name!s:.64}: {why}" for why in _problems(name, entry))
        accounts[read_account(entry.get("openid")) if isinstance(entry, dict) else ""] += 1
    del accounts[""]
    yield from (f"{account}: is the openid of several people" for account, count in accounts.items() if count > 1)


def _content(path: Path, text: bytes) -> Any:
    try:
        return yaml.safe_load(text.decode())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        line = f" at line {mark.line + 1}" if (mark := getattr(error, "problem_mark", None)) else ""
        raise FixConfiguration(str(path), f"is not YAML{line}") from None


def _text(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                raise FixConfiguration(str(path), "may be read by others than its owner", f"chmod 600 {path}")
            return file.read(_LARGEST)
    except FileNotFoundError:
        raise FixConfiguration(str(path), "is gone; until a restart, the people it named can still sign in") from None
    except OSError as error:
        raise FixConfiguration(str(path), f"cannot be read: {error.strerror}") from None


def _problems(name: Any, entry: Any) -> Iterator[str]:
    if not isinstance(name, str) or not NAME.fullmatch(name):
        yield "the name must be of lower-case letters, digits and . _ @ -, at most 63"
    if not isinstance(entry, dict):
        yield "must have role, and password or openid"
        return
    if unknown := sorted(str(key) for key in entry.keys() - _FIELDS):
        yield f"unknown: {', '.join(unknown)}"
    if entry.get("role") not in list(Role):
        yield f"role must be one of {', '.join(Role)}"
    yield from _problems_of_login(entry)
    if "agencies" in entry and not _are_agencies(entry["agencies"]):
        yield "agencies must be a list of names of agencies; leave it out for all of them"


def _problems_of_login(entry: Mapping[str, Any]) -> Iterator[str]:
    is_needed = "password" in entry or "openid" not in entry
    if is_needed and not is_hash(str(entry.get("password"))):
        yield "password must be a hash made by connector console password"
    if "openid" in entry and not read_account(entry["openid"]):
        yield "openid must be an e-mail address, or sub: and the subject, such as sub:24400320"


def _are_agencies(names: Any) -> bool:
    return isinstance(names, list) and bool(names) and all(_AGENCY.fullmatch(str(name)) for name in names)


def _person(name: str, entry: Mapping[str, Any]) -> Person:
    agencies = entry.get("agencies")
    whose = frozenset(agencies) if agencies else None
    return Person(name, Role(entry["role"]), entry.get("password", ""), whose, read_account(entry.get("openid")))


@contextmanager
def editing(path: Path) -> Iterator[dict[str, Person]]:
    """Change the people of a file: those of the mapping when the block ends are written. One edit at a time.

    Raises FixConfiguration if the file cannot be used or written.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with path.with_name(f".{path.name}.lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            people = dict(read_people(path))
            yield people
            _write(path, list(people.values()))
    except OSError as error:
        raise FixConfiguration(str(path), f"cannot be written: {error.strerror}") from None


def _write(path: Path, people: Sequence[Person]) -> None:
    entries = {person.name: _entry(person) for person in sorted(people, key=lambda person: person.name)}
    draft = path.with_name(f".{path.name}.part")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(_HEAD + yaml.safe_dump({"people": entries}, sort_keys=False, width=1000))
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def _entry(person: Person) -> dict[str, Any]:
    entry: dict[str, Any] = {"role": str(person.role)}
    given = {"password": person.hash, "openid": person.openid, "agencies": sorted(person.agencies or ())}
    return entry | {key: value for key, value in given.items() if value}
