"""Check fields that move forward: they have a list, and everything they can get is on it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from connector.mapping.checks_tables import Table, entries_of
from connector.mapping.diagnostics import Severity
from connector.mapping.schema_sources import MappedField, Source
from connector.mapping.scope import Scope, listed
from connector.mapping.shapes import Shape
from connector.mapping.steps.texts import text
from connector.mapping.target import Option, TargetField
from connector.model import Rule, fold_key


def check(scope: Scope, field: MappedField, given: Sequence[Shape]) -> None:
    """Report a list that is missing, or that does not have what the field can get."""
    if field.write is not Rule.FORWARD:
        if field.order and scope.at("order").own:  # an inherited one may be left behind by another rule
            hint = "add  write: forward  or remove it"
            scope.at("order").add_at_key("M162", "order: is for a field with write: forward", hint)
        return
    if field.order is None:
        if "order" not in scope.written():  # otherwise it was reported
            hint = "add  order: [<first value>, ..., <last value>]"
            scope.at("write").add("M162", "write: forward needs the values in the order that they have", hint)
        return
    if field.if_null == "clear":
        message = "if_null: clear would move the field back, and it only moves forward"
        scope.at("if_null").add_at_key("M162", message, "remove it")
    order = [text(value) for value in field.order]
    _check_once(scope.at("order"), order)
    _check_given(scope, field, order, given)


def check_offered(scope: Scope, field: MappedField, name: str, target: TargetField, given: Sequence[Shape]) -> None:
    """Report values of a list that the CRM's field does not offer; those that the source gives are reported there."""
    offered = {option.value for option in target.options}
    known = offered.union(*(shape.values or () for shape in given))
    severity = Severity.ERROR if target.restricted else Severity.WARNING
    for number, value in enumerate(map(text, field.order or ())):
        if offered and value not in known:
            hint = _named(value, target.options) or scope.suggest(value, offered) or f"it offers: {listed(offered)}"
            scope.at("order", number).add("M204", f"{name} does not offer '{value}'", hint, severity)


def _named(label: str, options: Sequence[Option]) -> str:
    """Say the value of what people see in the CRM."""
    seen = (option.value for option in options if fold_key(option.label) == fold_key(label))
    return next((f"that is what people see: its value is '{value}'" for value in seen), "")


def _check_once(scope: Scope, order: Sequence[str]) -> None:
    folded = [fold_key(value) for value in order]
    for number, value in enumerate(folded):
        if value in folded[:number]:
            scope.at(number).add("M162", f"'{order[number]}' is in the list twice", "keep one")


def _check_given(scope: Scope, field: MappedField, order: Sequence[str], given: Sequence[Shape]) -> None:
    folded, places = {fold_key(value) for value in order}, dict(_places(scope, field))
    for shape in given:
        if shape.values is None:
            hint = "add a table: with else:  whose values are in the list"
            scope.add("M162", "this source can give what is not in order:", hint)
        for value in shape.values or ():
            if fold_key(value) not in folded:
                hint = scope.suggest(value, order) or f"add it, or use one of: {', '.join(order[:12])}"
                places.get(value, scope).add("M162", f"'{value}' is not in order:", hint)


def _places(scope: Scope, source: Source) -> Iterator[tuple[str, Scope]]:
    """List the fixed values of a source, and where each is written."""
    if source.table is not None:
        yield from _entries(scope, source.table)
    for key, value in (("value", source.value), ("default", getattr(source, "default", None))):
        if value is not None:
            yield text(value), scope.at(key)
    for number, case in enumerate(source.cases or ()):
        for key, inner in (("then", case.then), ("else", case.else_)):
            if inner is not None:
                yield from _places(scope.at("cases", number, key), inner)


def _entries(scope: Scope, table: Table) -> Iterator[tuple[str, Scope]]:
    where = replace(scope, loc=("tables", table)) if isinstance(table, str) else scope.at("table")
    entries = entries_of(scope.at("table"), table) or {}
    yield from ((text(value), where.at(key)) for key, value in entries.items() if value is not None)
