"""Edits of mapping files: begun from what is there, checked as a whole, and what would be written of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path
from typing import Final

from connector.destinations import VENDORS
from connector.insight.accounts import Account
from connector.insight.mapping_files import MAX_TEXT, Home, content_for, content_of, of_form, state_of, text_of
from connector.insight.publishing import NewContent
from connector.mapping import Diagnostic, Loaded, Result, Severity, load, run_examples, shipped_folder
from connector.mapping.extending import absolute
from connector.mapping.shipped import SHIPPED
from connector.mapping.target import TargetSchema
from connector.store.drafts import Draft, FileEdit

_CONTEXT: Final = 4
"""Lines shown before and after a difference."""


def begun(home: Home, name: str) -> FileEdit:
    """Begin to edit a file as it is now. Where there is none yet, it extends the shipped mapping that runs, if any."""
    place = home.place(name)
    content = content_of(place)
    if content is None:
        is_first = not home.own and place == absolute(home.root)
        return FileEdit(f"extends: {home.path.stem}\n" if is_first else "", None, "")
    text = text_of(content)
    return FileEdit(text, text, state_of(content))


def edited(edit: FileEdit, text: str) -> FileEdit:
    """Take a form's text for that of an edit."""
    return FileEdit(of_form(text).replace("\0", ""), edit.base, edit.state)


def rebased(home: Home, name: str, edit: FileEdit) -> FileEdit:
    """Take the file as it is now for what the edit began with; its text stays."""
    now = begun(home, name)
    return FileEdit(edit.text, now.base, now.state)


def contents(home: Home, files: Mapping[str, FileEdit]) -> dict[Path, bytes]:
    """Return the bytes that each edited file would have."""
    places = {name: home.place(name) for name in files}
    return {place: content_for(files[name].text, content_of(place)) for name, place in places.items()}


def load_with(
    home: Home, instead: Mapping[Path, bytes], schema: TargetSchema | None, root: Path | None = None
) -> Loaded:
    """Load a mapping with other contents for some of its files. root: another file to begin with."""
    return load(
        root or home.root,
        schema=schema,
        shipped=shipped_folder(),
        crms=VENDORS,
        instead=instead,
        may_extend=home.may_have,
    )


@dataclass(frozen=True, slots=True)
class Checked:
    """A mapping that an edit changes. file: of a mapping by itself, which no destination uses yet."""

    name: str
    loaded: Loaded
    tests: tuple[Result, ...]
    file: bool = False

    @property
    def failing(self) -> list[Result]:
        """Its own tests that fail."""
        return [test for test in self.tests if not test.ok]


@dataclass(frozen=True, slots=True)
class Checkup:
    """What an edit comes to. own: the destination's mapping; others: those that also use an edited file.

    changed: the files that differ from what is there; meanwhile: those that somebody else changed since; too_long.
    """

    own: Checked
    others: tuple[Checked, ...]
    changed: tuple[str, ...]
    meanwhile: tuple[str, ...]
    too_long: tuple[str, ...]

    @property
    def all(self) -> tuple[Checked, ...]:
        return (self.own, *self.others)

    @property
    def findings(self) -> list[Diagnostic]:
        """Every finding once."""
        return list(dict.fromkeys(finding for checked in self.all for finding in checked.loaded.diagnostics))

    @property
    def warnings(self) -> list[Diagnostic]:
        return [finding for finding in self.findings if finding.severity is Severity.WARNING]

    @property
    def may_publish(self) -> bool:
        """Whether nothing is wrong with it."""
        works = all(checked.loaded.mapping and not checked.failing for checked in self.all)
        return works and bool(self.changed) and not self.meanwhile and not self.too_long


def is_too_long(home: Home, name: str, edit: FileEdit) -> bool:
    """Whether an edit, or the file that it would replace, is longer than what is read of one."""
    return max(len(edit.text.encode("utf-8", "replace")), len(content_of(home.place(name)) or b"")) > MAX_TEXT


def check(account: Account, home: Home, accounts: Sequence[Account], files: Mapping[str, FileEdit]) -> Checkup:
    """Check an edit, with every mapping that one of its files is part of."""
    long = tuple(name for name, edit in files.items() if is_too_long(home, name, edit))
    instead = contents(home, {name: edit for name, edit in files.items() if name not in long})
    own = _checked(account.name, load_with(home, instead, account.saved_schema()))
    others = [*_others(account, accounts, instead), *_alone(account, home, instead, own)]
    present = {name: content_of(home.place(name)) for name in files}
    changed = [name for name, was in present.items() if name not in long and instead[home.place(name)] != (was or b"")]
    meanwhile = [name for name, was in present.items() if state_of(was) != files[name].state]
    return Checkup(own, tuple(others), tuple(changed), tuple(meanwhile), long)


def _checked(name: str, loaded: Loaded, *, file: bool = False) -> Checked:
    return Checked(name, loaded, tuple(run_examples(loaded.mapping)) if loaded.mapping else (), file)


def _others(account: Account, accounts: Sequence[Account], instead: Mapping[Path, bytes]) -> Iterator[Checked]:
    """The mappings of other destinations that one of these files is part of."""
    for other in sharing(account, accounts, instead):
        if other.home is not None:
            yield _checked(other.name, load_with(other.home, instead, other.saved_schema()))


def sharing(account: Account, accounts: Sequence[Account], files: Mapping[Path, bytes]) -> list[Account]:
    """List the other destinations whose mappings one of these files is part of."""
    return [
        other
        for other in accounts
        if other is not account and other.home is not None
        if not files.keys().isdisjoint(absolute(path) for path in other.loaded().files)
    ]


def _alone(account: Account, home: Home, instead: Mapping[Path, bytes], own: Checked) -> Iterator[Checked]:
    """The edited files that are no part of the mapping: each is checked by itself."""
    used = {absolute(path) for path in own.loaded.files}
    for place in instead.keys() - used:
        name = home.name(place) or place.name
        yield _checked(name, load_with(home, instead, account.saved_schema(), place), file=True)


def new_contents(home: Home, checkup: Checkup, files: Mapping[str, FileEdit]) -> list[NewContent]:
    """Return what is to be written: the mapping's own file last, when all that it extends is there."""
    order = sorted(checkup.changed, key=lambda name: home.place(name) == absolute(home.root))
    written = contents(home, {name: files[name] for name in order})
    return [NewContent(place, files[home.name(place) or ""].state, content) for place, content in written.items()]


def own_files(home: Home, used: Loaded) -> list[str]:
    """Name the agency's files that a mapping is made of, its own first."""
    names = (home.name(path) for path in (home.root, *used.files))
    return list(dict.fromkeys(name for name in names if name is not None))


def reloaded(account: Account, home: Home, files: Mapping[str, str]) -> Loaded:
    """Load a mapping from the texts it once had, as far as they are still called the same."""
    shipped = shipped_folder()
    places = {
        name: absolute(shipped / f"{name.removeprefix(SHIPPED)}.yaml") if _is_shipped(name) else home.place(name)
        for name in files
    }
    instead = {places[name]: text.encode("utf-8", "surrogatepass") for name, text in files.items()}
    root = next(iter(places.values()), home.root)
    return load_with(home, instead, account.saved_schema(), root)


def put_back(home: Home, files: Mapping[str, str]) -> dict[str, FileEdit]:
    """Begin an edit that gives the agency's files the texts that they once had."""
    own = {name: text for name, text in files.items() if not _is_shipped(name) and home.may_have(home.place(name))}
    return {name: edited(begun(home, name), text) for name, text in own.items()}


def _is_shipped(name: str) -> bool:
    return name.startswith(SHIPPED)


@dataclass(frozen=True, slots=True)
class FileDifference:
    """How the text of a file differs. lines: each with " ", "+", "-" or "@" (lines left out) before it."""

    name: str
    lines: tuple[tuple[str, str], ...]


def difference(name: str, before: str, after: str) -> FileDifference | None:
    """Compare two texts of a file; None if they are the same."""
    lines = list(unified_diff(before.splitlines(), after.splitlines(), n=_CONTEXT, lineterm=""))[2:]
    if not lines and before == after:
        return None
    return FileDifference(name, tuple((line[0], line[1:] if line[0] != "@" else "") for line in lines))


def differences(before: Mapping[str, str], after: Mapping[str, str]) -> list[FileDifference]:
    """Compare the files of two versions."""
    names = dict.fromkeys([*before, *after])
    compared = (difference(name, before.get(name, ""), after.get(name, "")) for name in names)
    return [differing for differing in compared if differing is not None]


def of_draft(home: Home, draft: Draft) -> list[FileDifference]:
    """Compare an edit with what is in its files now."""
    now = {name: text_of(content_of(home.place(name)) or b"") for name in draft.files}
    return differences(now, {name: edit.text for name, edit in draft.files.items()})
