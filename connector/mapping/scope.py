"""The place in a file that is being checked, and the checks that all others share."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, replace

from connector.carecycle import catalogue
from connector.mapping import formulas, other_names
from connector.mapping.diagnostics import Place, Report, Severity
from connector.mapping.schema import File
from connector.mapping.target import TargetField, TargetObject, TargetSchema
from connector.mapping.tree import Loc, Node, find, find_key

_KNOWN = tuple(catalogue.FIELDS)


@dataclass(frozen=True, slots=True)
class Scope:
    """A place in the file being checked. events: those it runs on; None if a field may be missing from some."""

    file: File
    tree: Node
    report: Report
    target: TargetSchema | None
    loc: Loc = ()
    events: tuple[str, ...] | None = None

    def at(self, *parts: str | int) -> Scope:
        """Return the scope of a place further inside."""
        return replace(self, loc=(*self.loc, *parts))

    def on(self, events: Iterable[str] | None) -> Scope:
        """Return the same place, run on these events."""
        return replace(self, events=None if events is None else tuple(events))

    @property
    def node(self) -> Node:
        return find(self.tree, self.loc)

    @property
    def place(self) -> Place:
        return self.node.place

    @property
    def key_place(self) -> Place:
        return find_key(self.tree, self.loc).place

    @property
    def own(self) -> bool:
        """Whether the key here is written in the file itself, not inherited."""
        return self.key_place.file == self.tree.place.file

    def add(self, code: str, message: str, hint: str = "", severity: Severity | None = None) -> None:
        """Report something about the value here."""
        self.report.add(self.place, code, message, hint, severity)

    def add_at_key(self, code: str, message: str, hint: str = "", severity: Severity | None = None) -> None:
        """Report something about the key here."""
        self.report.add(self.key_place, code, message, hint, severity)

    def written(self, *loc: str | int) -> Container[str]:
        """Return the keys of a block here, including those left out of the model because they were reported."""
        node: Node | None = self.node
        for part in loc:
            node = node.get(str(part)) if node else None
        return node.items if node else ()

    def suggest(self, word: str, known: Iterable[str]) -> str:
        return self.report.suggest(word, known)

    @property
    def crm_name(self) -> str:
        """Return what to call the CRM account."""
        return self.file.crm.your_account


def events_of(file: File, record: str) -> tuple[str, ...]:
    """List the events a record runs on, in the catalogue's order."""
    wanted = set(file.records[record].events or catalogue.EVENTS) & set(file.events or catalogue.EVENTS)
    return tuple(event for event in catalogue.EVENTS if event in wanted)


def same_key(file: File, name: str) -> list[str]:
    """List the other records of a file that are written to the same CRM record."""
    record = file.records[name]
    return [
        other
        for other, its in file.records.items()
        if other != name and (its.object, its.key) == (record.object, record.key)
    ]


def known_record(scope: Scope, name: str) -> bool:
    """Whether a record of that name can be used; report a name that the file does not contain at all."""
    known = scope.file.records
    if name not in known and name not in replace(scope, loc=()).written("records"):
        scope.add("M140", f"there is no record '{name}'", scope.suggest(name, known) or f"there is: {listed(known)}")
    return name in known


def event_field(scope: Scope, path: str, *, is_key: bool = False, fixed: str = "") -> catalogue.Field | None:
    """Look up an event field; report one that does not exist or that some event of the scope does not carry.

    fixed: how fixed text is written here.
    """
    add = scope.add_at_key if is_key else scope.add
    field = catalogue.FIELDS.get(path)
    if field is None:
        add("M101", f"no event has a field '{path[:80]}'", _instead(scope, path, is_key=is_key, fixed=fixed))
        return None
    carried = catalogue.carried_by(path)
    if scope.events is None:
        return field
    for event in scope.events:
        if event not in carried:
            only = " and ".join(sorted(carried))
            message = f"'{path}' comes only with {only}, and this record also runs on {event}"
            add("M102", message, f"add  events: [{', '.join(sorted(carried))}]  to the record")
    return field


def _instead(scope: Scope, path: str, *, is_key: bool, fixed: str) -> str:
    """What to write in place of a field that no event has. fixed: how fixed text is written here, if not as usual."""
    if right := formulas.comparison(path) if is_key else formulas.instead(path):
        return f"write  {right}"
    if right := other_names.meant(path):
        return f"did you mean '{right}'?"
    near = "" if path.isupper() else scope.suggest(path, _KNOWN)  # no field's name is in capitals
    return near or ("" if "." in path else f"for fixed text write  {fixed or f'value: {path}'}")


def target_object(scope: Scope, name: str) -> TargetObject | None:
    """Look up a CRM object; report one that does not exist. None also if the CRM's schema is not known."""
    if scope.target is None:
        return None
    known = scope.target.objects
    if name in scope.target.unread:
        _warn_once(scope, f"'{name}' was not checked: {scope.target.unread[name]}")
    elif name not in known:
        hint = (
            scope.suggest(name, known)
            or f"if it is not in the saved schema yet: connector schema pull; known: {listed(known)}"
        )
        scope.add("M200", f"{scope.crm_name} has no object '{name}'", hint)
    return known.get(name)


def _warn_once(scope: Scope, message: str) -> None:
    """Report, at the first place alone, what could not be checked."""
    if all(finding.message != message for finding in scope.report.findings):
        scope.add("M212", message, "the rest was checked", Severity.WARNING)


def target_field(scope: Scope, object: str, fields: Mapping[str, TargetField], name: str) -> TargetField | None:
    """Look up the CRM field named by the key here; report one that does not exist."""
    if name not in fields:
        message = f"{object} has no field '{name}' in {scope.crm_name}"
        scope.add_at_key("M201", message, scope.suggest(name, fields))
    return fields.get(name)


def listed(names: Iterable[str]) -> str:
    """List names for a hint, in order, at most twelve.

    >>> listed(["b", "a"])
    'a, b'
    """
    ordered = sorted(names)
    return ", ".join(ordered[:12]) + (", ..." if len(ordered) > 12 else "")
