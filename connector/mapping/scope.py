"""What a check needs to know of the place it checks, and the checks of event fields that all others share."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, replace

from connector.carecycle import catalogue
from connector.mapping.diagnostics import Place, Report, Severity
from connector.mapping.schema import File
from connector.mapping.target import TargetField, TargetObject, TargetSchema
from connector.mapping.tree import Loc, Node, find, find_key

_KNOWN = tuple(catalogue.FIELDS)


@dataclass(frozen=True, slots=True)
class Scope:
    """A place in a file under check. events: those it runs on, None where a field may be missing from some."""

    file: File
    tree: Node
    report: Report
    target: TargetSchema | None
    loc: Loc = ()
    events: tuple[str, ...] | None = None

    def at(self, *parts: str | int) -> Scope:
        """A place further inside."""
        return replace(self, loc=(*self.loc, *parts))

    def on(self, events: Iterable[str] | None) -> Scope:
        """The same place, run on these events."""
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

    def add(self, code: str, message: str, hint: str = "", severity: Severity | None = None) -> None:
        """Report something about the value here."""
        self.report.add(self.place, code, message, hint, severity)

    def add_at_key(self, code: str, message: str, hint: str = "") -> None:
        """Report something about the key here."""
        self.report.add(self.key_place, code, message, hint)

    def written(self, *loc: str | int) -> Container[str]:
        """The keys written in a block here, also those left out of the model: they are reported already."""
        node: Node | None = self.node
        for part in loc:
            node = node.get(str(part)) if node else None
        return node.items if node else ()

    def suggest(self, word: str, known: Iterable[str]) -> str:
        return self.report.suggest(word, known)

    @property
    def crm_name(self) -> str:
        """What to call the CRM account."""
        return self.file.crm.your_account


def events_of(file: File, record: str) -> tuple[str, ...]:
    """The events a record runs on, in the catalogue's order."""
    wanted = set(file.records[record].events or catalogue.EVENTS) & set(file.events or catalogue.EVENTS)
    return tuple(event for event in catalogue.EVENTS if event in wanted)


def known_record(scope: Scope, name: str) -> bool:
    """Whether there is a record of that name; a name that stands nowhere in the file is reported."""
    known = scope.file.records
    if name not in known and name not in replace(scope, loc=()).written("records"):
        scope.add("M140", f"there is no record '{name}'", scope.suggest(name, known) or f"there is: {listed(known)}")
    return name in known


def event_field(scope: Scope, path: str, *, is_key: bool = False) -> catalogue.Field | None:
    """The event field of that path, carried by every event the scope runs on; anything else is reported."""
    add = scope.add_at_key if is_key else scope.add
    field = catalogue.FIELDS.get(path)
    if field is None:
        hint = scope.suggest(path, _KNOWN) or ("" if "." in path else f"for fixed text write  value: {path}")
        add("M101", f"no event has a field '{path[:80]}'", hint)
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


def target_object(scope: Scope, name: str) -> TargetObject | None:
    """The CRM object of that name, as far as the CRM's schema is known."""
    if scope.target is None:
        return None
    found = scope.target.objects.get(name)
    if found is None:
        known = scope.target.objects
        hint = scope.suggest(name, known) or f"it has: {listed(known)}"
        scope.add("M200", f"{scope.crm_name} has no object '{name}'", hint)
    return found


def target_field(scope: Scope, object: str, fields: Mapping[str, TargetField], name: str) -> TargetField | None:
    """The CRM field named by the key here."""
    found = fields.get(name)
    if found is None:
        message = f"{object} has no field '{name}' in {scope.crm_name}"
        scope.add_at_key("M201", message, scope.suggest(name, fields))
    return found


def listed(names: Iterable[str]) -> str:
    """Names for a hint, in order, not too many.

    >>> listed(["b", "a"])
    'a, b'
    """
    ordered = sorted(names)
    return ", ".join(ordered[:12]) + (", ..." if len(ordered) > 12 else "")
