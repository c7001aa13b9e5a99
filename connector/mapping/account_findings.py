"""Findings that need more of an account than its description: who its users are, and its duplicate rules. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from connector.crm import is_same_id
from connector.mapping import looking_up, shapes
from connector.mapping.checks_fields import placed
from connector.mapping.diagnostics import Diagnostic, Place, Report, Severity
from connector.mapping.schema import File
from connector.mapping.schema_sources import Source
from connector.mapping.scope import Scope, events_of, listed
from connector.mapping.target import TargetObject, TargetSchema
from connector.mapping.tree import Node
from connector.model import Lookup, Mode


@dataclass(frozen=True, slots=True)
class NamedUsers:
    """Users whose ids a mapping writes into a field."""

    place: Place
    field: str
    ids: tuple[str, ...]


def named_users(file: File, tree: Node, schema: TargetSchema) -> list[NamedUsers]:
    """List the ids of users that a mapping contains, with their fields."""
    return list(_named_users(Scope(file, tree, Report(), None), schema))


def _named_users(scope: Scope, schema: TargetSchema) -> Iterator[NamedUsers]:
    for name, record in scope.file.records.items():
        described = schema.objects.get(record.object, TargetObject(fields={}))
        here = scope.at("records", name, "fields").on(events_of(scope.file, name))
        holding = {field for field, own in described.fields.items() if own.of_user}
        for field in filter(holding.__contains__, record.fields):
            if ids := _ids(here.at(field), record.fields[field]):
                yield NamedUsers(here.at(field).place, f"{record.object}.{field}", ids)


@dataclass(frozen=True, slots=True)
class FixedLookup:
    """A look-up of a mapping that every event makes alike. usable: the only ids that its field may hold, if known."""

    place: Place
    field: str
    lookup: Lookup
    usable: tuple[str, ...]


def fixed_lookups(file: File, tree: Node, schema: TargetSchema) -> list[FixedLookup]:
    """List the look-ups by fixed text alone: of a record type, or a queue."""
    scope = Scope(file, tree, Report(), None)
    return [
        FixedLookup(inner.at("lookup", *place).place, full, looking_up.always(step, file.crm.id_field), usable)
        for name, record in file.records.items()
        for target, field in record.fields.items()
        for full, usable in [(f"{record.object}.{target}", _usable(schema, record.object, target))]
        for inner, source in placed(scope.at("records", name, "fields", target), field)
        for place, step in (source.lookup.steps() if source.lookup else ())
        if not step.match
    ]


def _usable(schema: TargetSchema, object: str, field: str) -> tuple[str, ...]:
    described = schema.objects.get(object, TargetObject(fields={})).fields.get(field)
    return tuple(option.value for option in described.options) if described and described.type == "reference" else ()


def of_lookups(fixed: Iterable[FixedLookup], matches: Mapping[Lookup, Sequence[str]]) -> list[Diagnostic]:
    """Report fixed look-ups that have no single match, or one that may not be used. matches: the ids of each's.

    Without those that the account could not be asked for.
    """
    findings = []
    for own in fixed:
        ids = matches.get(own.lookup)
        if ids is None:
            continue
        what = " and ".join(f"{name} is '{value}'" for name, value in own.lookup.criteria)
        if len(ids) != 1:
            message = f"the account has {len(ids) or 'no'} {own.lookup.object} whose {what}"
            hint = "let exactly one have these values; names count as the API has them, not as pages show them"
        elif own.usable and not any(is_same_id(ids[0], usable) for usable in own.usable):
            message = f"the connector's user may not use the {own.lookup.object} whose {what} as {own.field}"
            hint = f"it may use: {listed(own.usable)}"
        else:
            continue
        findings.append(Diagnostic(*own.place, Severity.ERROR, "M216", message, hint))
    return findings


def _ids(scope: Scope, source: Source) -> tuple[str, ...]:
    """The ids of users that a source contains: others may be a queue's."""
    fixed = [value for shape in shapes.of_source(scope, source) if shape.fixed for value in shape.values or ()]
    return tuple(value for value in dict.fromkeys(fixed) if value.startswith(scope.file.crm.user_prefix))


def of_users(named: Iterable[NamedUsers], active: Mapping[str, bool]) -> list[Diagnostic]:
    """Report users who are not active, or not there. active: by id, without those that could not be looked up."""
    findings = []
    for users in named:
        inactive = [value for value in users.ids if active.get(value, True) is False]
        if inactive:
            message = f"{users.field} names {_quoted(inactive)}, no active user of the account"
            hint = "name another user, or look one up by email:  lookup:"
            findings.append(Diagnostic(*users.place, Severity.ERROR, "M207", message, hint))
    return findings


def unread_users(named: Sequence[NamedUsers], problem: str) -> list[Diagnostic]:
    """Report, once, that users could not be looked up."""
    message = f"whether {named[0].field} names an active user was not checked: {problem}"
    return [Diagnostic(*named[0].place, Severity.WARNING, "M212", message, "the rest was checked")]


def of_duplicate_rules(file: File, tree: Node, rules: Mapping[str, Sequence[str]] | None) -> list[Diagnostic]:
    """Warn of the rules that may refuse a new record as a duplicate. rules: by object; None if they are unknown."""
    scope = Scope(file, tree, Report(), None)
    if rules is None:
        message = "it is not known whether duplicate rules may refuse people: the CRM does not show them"
        hint = "look at them in the CRM's settings, or let the connector's user view its setup"
        return [Diagnostic(*(tree.get("crm") or tree).place, Severity.NOTE, "M213", message, hint)]
    creating = {
        record.object: name for name, record in reversed(file.records.items()) if record.mode is not Mode.UPDATE
    }
    return [
        Diagnostic(
            *scope.at("records", creating[kind], "object").place,
            Severity.WARNING,
            "M213",
            f"{kind} has active duplicate rules: {', '.join(names)}",
            "one that blocks refuses people who look alike: let it alert instead, or exempt the connector's user",
        )
        for kind, names in rules.items()
        if names and kind in creating
    ]


def _quoted(values: Iterable[str]) -> str:
    return ", ".join(f"'{value}'" for value in values)
