"""The consent section, checked as a whole: every flag is carried into the CRM, or waived aloud."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from connector.carecycle import catalogue
from connector.mapping import event_paths
from connector.mapping.diagnostics import Severity
from connector.mapping.schema import File
from connector.mapping.scope import Scope, events_of, known_record, listed
from connector.mapping.target import TargetField
from connector.model import Mode, Rule

_BOTH = "add it under consent: flags:, or list it under consent: waive: to say so on purpose"


def check(scope: Scope) -> None:
    """Report everything wrong with the consent section."""
    consent, here = scope.file.consent, scope.at("consent")
    for flag in catalogue.FLAGS:
        if flag not in consent.flags and flag not in consent.waive and flag not in here.written("flags"):
            scope.add("M221", f"{flag} is not carried into the CRM", _BOTH)
    targets = Counter(consent.flags.values())
    for flag, target in consent.flags.items():
        _check_flag(here.at("flags", flag), flag, target, targets[target])
    for flag, fields in consent.withhold.items():
        _known_flag(here.at("withhold", flag), flag)
        for number, field in enumerate(fields):
            _check_withheld(here.at("withhold", flag, number), field)
    for flag, records in consent.skip.items():
        _known_flag(here.at("skip", flag), flag)
        for number, record in enumerate(records):
            known_record(here.at("skip", flag, number), record)
    _check_lists(here)


def _check_lists(scope: Scope) -> None:
    consent = scope.file.consent
    for number, flag in enumerate(consent.waive):
        here = scope.at("waive", number)
        _known_flag(here, flag, in_list=True)
        if flag in consent.flags:
            here.add("M222", f"{flag} is carried and waived", "remove it from one of them")
    if consent.unsubscribe and scope.file.crm != "hubspot":
        scope.at("unsubscribe").add_at_key("M110", "unsubscribe: belongs to HubSpot", "remove it")
    for number, flag in enumerate(consent.unsubscribe):
        here = scope.at("unsubscribe", number)
        if _known_flag(here, flag, in_list=True) and flag not in consent.flags:
            here.add("M221", f"{flag} is to unsubscribe but no record carries it", "add it under consent: flags:")


def _known_flag(scope: Scope, flag: str, *, in_list: bool = False) -> bool:
    if flag in catalogue.FLAGS:
        return True
    hint = scope.suggest(flag, catalogue.FLAGS) or f"they are: {listed(catalogue.FLAGS)}"
    (scope.add if in_list else scope.add_at_key)("M220", f"there is no consent flag '{flag}'", hint)
    return False


def _check_flag(scope: Scope, flag: str, target: str, times: int) -> None:
    if not _known_flag(scope, flag):
        return
    name, _, field = target.partition(".")
    if not field:
        scope.add("M220", f"'{target}' is not a field of a record", "write  <record>.<Field>")
        return
    if not known_record(scope, name):
        return
    record = scope.file.records[name]
    if times > 1 or field in record.fields or field in record.key:
        scope.add("M222", f"{target} is written twice", "a flag has a field of its own: remove the other")
    _check_reach(scope, flag, name)
    if scope.target is not None and (found := scope.target.objects.get(record.object)):
        _check_target(scope, f"{record.object}.{field}", record.object, field, found.fields)


def _check_reach(scope: Scope, flag: str, name: str) -> None:
    """A flag must reach the CRM with every event of the file, or an opt-out could be missed."""
    runs_on = events_of(scope.file, name)
    for event in scope.file.events or catalogue.EVENTS:
        if event not in runs_on:
            hint = f"let {name} run on it, or carry the flag on a record that does"
            scope.add("M223", f"{flag} is filtered: '{name}' does not run on {event}", hint)
    if scope.file.records[name].mode is Mode.CREATE:
        hint = "a flag raised later would never arrive: use another mode"
        scope.add("M223", f"{flag} is filtered: '{name}' is only ever created", hint)


def _check_target(scope: Scope, full: str, object: str, field: str, fields: dict[str, TargetField]) -> None:
    if field not in fields:
        message = f"{object} has no field '{field}' in {scope.crm_name}"
        scope.add("M201", message, scope.suggest(field, fields))
        return
    found = fields[field]
    if not found.writable:
        scope.add("M203", f"{full} cannot be written")
    if found.type != "boolean":
        scope.add("M202", f"{full} is {found.type} but a flag is boolean")


def _check_withheld(scope: Scope, target: str) -> None:
    name, _, field = target.partition(".")
    if not known_record(scope, name):
        return
    known = scope.file.records[name].fields
    if field not in known:
        message = f"{name} maps no field '{field}', so there is nothing to withhold"
        scope.add("M220", message, scope.suggest(field, known))
    elif scope.file.consent.withheld == "clear":
        _check_erased(scope, name, field)


def _check_erased(scope: Scope, name: str, field: str) -> None:
    """Whether what is withheld can be erased as well, as the file asks."""
    full, kind = f"{name}.{field}", scope.file.records[name].object
    known = scope.target.objects.get(kind) if scope.target else None
    if reason := never_erased(scope.file, name, field):
        scope.add("M224", f"{full} is withheld but never erased: {reason}", "", Severity.WARNING)
    elif known and field in known.fields and known.fields[field].required:
        scope.add("M224", f"{full} cannot be erased: {kind} requires it", "take it out of withhold:")


def never_erased(file: File, name: str, field: str) -> str:
    """Why a withheld field is not erased although the file says `withheld: clear`; empty when it is.

    Erasing must end the same whatever the order of the events, so it takes the customer's own clock and no write rule
    that depends on who came first; and it must reach the record with whichever event says no.
    """
    record = file.records[name]
    mapped = record.fields[field]
    keys = [path for key in record.key.values() for path in event_paths.of_source(key.as_source())]
    if record.mode is Mode.CREATE:
        return f"'{name}' is only ever created"
    for event in file.events or catalogue.EVENTS:
        if event not in events_of(file, name):
            return f"'{name}' does not run on {event}"
    if "customer" not in _heads(keys) or not _heads([*keys, *event_paths.of_source(mapped)]) <= {"customer", "event"}:
        return "it is not about the customer alone"
    return f"it is written {mapped.write}" if mapped.write in (Rule.ON_CREATE, Rule.IF_BLANK) else ""


def _heads(paths: Iterable[str]) -> set[str]:
    return {path.partition(".")[0] for path in paths}
