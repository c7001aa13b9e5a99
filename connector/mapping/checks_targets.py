"""Check sources against the CRM's fields: type, picklist values, length, sensitivity."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from connector.carecycle.catalogue import Kind
from connector.mapping import checks_ids, event_paths
from connector.mapping.diagnostics import Severity
from connector.mapping.schema_sources import Source
from connector.mapping.scope import Scope, listed
from connector.mapping.shapes import LOOKED_UP, REFERENCE, Shape
from connector.mapping.target import TargetField

_WORDS: Final = frozenset({Kind.TEXT, Kind.UUID, Kind.ENUM, Kind.DATE, Kind.DATETIME, LOOKED_UP})
_NUMBERS: Final = frozenset({Kind.INTEGER, "number", LOOKED_UP})
# Target types not listed here (address, base64, ...) are not checked.
_ACCEPTS: Final[Mapping[str, frozenset[str]]] = {
    **dict.fromkeys(
        ("string", "textarea", "phone", "email", "url", "combobox", "picklist", "multipicklist", "encryptedstring"),
        _WORDS,
    ),
    **dict.fromkeys(("double", "currency", "percent", "number"), _NUMBERS),
    **dict.fromkeys(("int", "integer", "long"), frozenset({Kind.INTEGER, LOOKED_UP})),
    "boolean": frozenset({Kind.BOOLEAN, LOOKED_UP}),
    "date": frozenset({Kind.DATE, LOOKED_UP}),
    "datetime": frozenset({Kind.DATETIME, LOOKED_UP}),
    "reference": frozenset({REFERENCE, LOOKED_UP}),
}
_TEXTS: Final = frozenset({"string", "textarea", "phone", "email", "url", "combobox", "encryptedstring"})
_PICKLISTS: Final = frozenset({"picklist", "multipicklist"})


def check_values(scope: Scope, name: str, target: TargetField, shapes: list[Shape]) -> None:
    """Report what a source can give that the target does not accept."""
    fitting = [shape for shape in shapes if _check_type(scope, name, target, shape)]
    if target.type in _PICKLISTS and target.options:
        _check_options(scope, name, target, fitting)
    elif target.type == "reference":
        fixed = [shape for shape in fitting if shape.fixed]
        checks_ids.check(scope, name, target, _known_values(fixed))
    elif target.type in _TEXTS and target.length is not None:
        _check_length(scope, name, target.length, fitting)


def _check_type(scope: Scope, name: str, target: TargetField, shape: Shape) -> bool:
    accepts = _ACCEPTS.get(target.type)
    if accepts is None or shape.kind in accepts or _may_be_id(scope, target, shape) or _is_moment(scope, target, shape):
        return True
    kind = Kind.TEXT if shape.kind in (Kind.ENUM, Kind.UUID) else shape.kind
    scope.add("M202", f"{name} is {target.type} but the source is {kind}", _fix(target, shape))
    return False


def _may_be_id(scope: Scope, target: TargetField, shape: Shape) -> bool:
    """Whether the file may contain a record's id as a fixed value."""
    kinds = {Kind.TEXT} if scope.file.crm.id_pattern else {Kind.TEXT, Kind.INTEGER}
    return target.type == "reference" and shape.fixed and shape.kind in kinds


def _is_moment(scope: Scope, target: TargetField, shape: Shape) -> bool:
    """Whether the source is a time in milliseconds for a time field, in a CRM that accepts that."""
    return scope.file.crm.takes_milliseconds and target.type in ("date", "datetime") and shape.format == "epoch_ms"


def _fix(target: TargetField, shape: Shape) -> str:
    match target.type, shape.kind:
        case "reference", _:
            return checks_ids.LOOK_UP
        case "int" | "integer" | "long", "number":
            return "add  format: round"
        case "date", Kind.DATETIME:
            return "add  format: date"
        case "boolean", Kind.TEXT if shape.fixed:
            return "write true or false, without quotes"
        case _, Kind.LIST if target.type in _TEXTS | _PICKLISTS:
            return "add  format: list"
        case _, Kind.INTEGER | Kind.BOOLEAN | "number" if target.type in _TEXTS | _PICKLISTS:
            return "quote it to make it text" if shape.fixed else "add  format: text"
        case _:
            return ""


def _check_options(scope: Scope, name: str, target: TargetField, shapes: list[Shape]) -> None:
    offered = {option.value for option in target.options}
    missing = [f"'{value}'" for value in _known_values(shapes) if value not in offered]
    if missing:
        severity = Severity.ERROR if target.restricted else Severity.WARNING
        hint = _by_label(target, _known_values(shapes)) or f"it offers: {listed(offered)}"
        scope.add("M204", f"{name} does not offer {', '.join(missing)}", hint, severity)
    if not target.within and any(_is_free(shape, target) and shape.kind != LOOKED_UP for shape in shapes):
        scope.add("M205", f"{name} is a picklist and this source is free text", "add a table: with else:")


def _by_label(target: TargetField, values: Iterable[str]) -> str:
    """What to write for values that people see in the CRM, and that its API calls otherwise."""
    labelled = {option.label.lower(): option for option in target.options if option.label}
    meant = [labelled[value.lower()] for value in values if value.lower() in labelled]
    return "; ".join(f"write  {option.value}  for '{option.label}'" for option in meant)


def _is_free(shape: Shape, target: TargetField) -> bool:
    """Whether it may be anything; also a list where a single choice is taken."""
    return shape.values is None or (shape.several and target.type == "picklist")


def _known_values(shapes: list[Shape]) -> Iterable[str]:
    return dict.fromkeys(value for shape in shapes for value in shape.values or ())


def _check_length(scope: Scope, name: str, length: int, shapes: list[Shape]) -> None:
    longest = max((shape.length or 0 for shape in shapes), default=0)
    least = max((shape.least for shape in shapes), default=0)
    if least > length:
        scope.add("M206", f"{name} holds {length} characters and the fixed text here is {least}", "shorten it")
    elif longest > length:
        scope.add("M206", f"{name} holds {length} characters and this source up to {longest}", "add  cut: true")


def check_single_value(scope: Scope, shapes: list[Shape]) -> None:
    """Report objects and lists, which no field of any CRM can hold."""
    for shape in shapes:
        if shape.kind == Kind.OBJECT:
            scope.add("M202", "the source is a group of fields, not a value", "name one of its fields")
        elif shape.kind == Kind.LIST:
            scope.add("M202", "the source is a list, not a value", "add  format: list")


def check_sensitive(scope: Scope, source: Source, accepted: bool, name: str, target: TargetField | None) -> None:
    """Report health information sent to a target that is not marked sensitive."""
    if accepted or (target is not None and target.sensitive):
        return
    for path in event_paths.health_information(event_paths.of_source(source)):
        if target is not None:
            message, severity = f"{path} is health information and {name} is not marked sensitive", Severity.ERROR
        else:
            message = f"{path} is health information; without a schema it is unknown whether {name} is marked sensitive"
            severity = Severity.WARNING
        scope.add("M210", message, "use a sensitive property, or add  sensitive: accepted", severity)
