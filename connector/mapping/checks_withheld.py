"""Check withheld fields: they are mapped, and can be erased if the file asks for it."""

from __future__ import annotations

from collections.abc import Iterable

from connector.carecycle import catalogue
from connector.mapping import event_paths
from connector.mapping.diagnostics import Severity
from connector.mapping.schema import File
from connector.mapping.schema_sources import MappedField
from connector.mapping.scope import Scope, events_of, known_record
from connector.model import Mode, Rule


def check(scope: Scope, target: str) -> None:
    """Report a withheld target that is not mapped or cannot be erased."""
    name, dot, field = target.partition(".")
    having = [record for record, its in scope.file.records.items() if not dot and target in its.fields]
    if having:
        scope.add("M220", f"'{target}' is not a field of a record", f"did you mean '{having[0]}.{target}'?")
        return
    if not known_record(scope, name):
        return
    known = scope.file.records[name].fields
    if field not in known:
        message = f"{name} maps no field '{field}', so there is nothing to withhold"
        scope.add("M220", message, scope.suggest(field, known))
    elif scope.file.consent.withheld == "clear":
        _check_erased(scope, name, field)


def _check_erased(scope: Scope, name: str, field: str) -> None:
    """Report a withheld field that cannot be erased, although the file asks for it."""
    full, kind = f"{name}.{field}", scope.file.records[name].object
    known = scope.target.objects.get(kind) if scope.target else None
    if reason := never_erased(scope.file, name, field):
        scope.add("M224", f"{full} is withheld but never erased: {reason}", "", Severity.WARNING)
    elif known and field in known.fields and known.fields[field].required:
        scope.add("M224", f"{full} cannot be erased: {kind} requires it", "remove it from withhold:")


def never_erased(file: File, name: str, field: str) -> str:
    """Say why a withheld field is not erased although the file says `withheld: clear`; empty if it is.

    Erasing must give the same result in any order of events: it needs the customer's own clock, a write rule that does
    not depend on which event came first, and a record that runs on every event that can raise a flag.
    """
    record = file.records[name]
    mapped = record.fields[field]
    keys = [path for key in record.key.values() for path in event_paths.of_source(key.as_source())]
    whose = _heads([*keys, *event_paths.of_source(mapped)]) | _of_calls(mapped)
    if record.mode is Mode.CREATE:
        return f"'{name}' is only ever created"
    for event in file.events or catalogue.EVENTS:
        if event not in events_of(file, name):
            return f"'{name}' does not run on {event}"
    if "customer" not in _heads(keys) or not whose <= {"customer", "event"}:
        return "it does not depend on the customer alone"
    return f"it is written {mapped.write}" if mapped.write in (Rule.ON_CREATE, Rule.IF_BLANK, Rule.FORWARD) else ""


def _of_calls(mapped: MappedField) -> set[str]:
    """Whether a field depends on when a call was, as ages do."""
    return {"call"} if event_paths.is_timed(mapped) else set()


def _heads(paths: Iterable[str]) -> set[str]:
    return {path.partition(".")[0] for path in paths}
