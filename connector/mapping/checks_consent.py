"""Check the consent section: every flag is carried into the CRM or explicitly waived."""

from __future__ import annotations

from collections import Counter

from connector.carecycle import catalogue
from connector.mapping import checks_conditions, checks_withheld, conditions
from connector.mapping.diagnostics import Severity
from connector.mapping.schema_conditions import Condition
from connector.mapping.scope import Scope, events_of, known_record, listed
from connector.mapping.target import TargetField
from connector.model import Mode

_CARRY_OR_WAIVE = "add it under consent: flags:, or list it under consent: waive: to say so on purpose"


def check(scope: Scope) -> None:
    """Report everything wrong with the consent section."""
    consent, here = scope.file.consent, scope.at("consent")
    for flag in catalogue.FLAGS:
        if flag not in consent.flags and flag not in consent.waive and flag not in here.written("flags"):
            scope.add("M221", f"{flag} is not carried into the CRM", _CARRY_OR_WAIVE)
    targets = Counter(consent.flags.values())
    for flag, target in consent.flags.items():
        _check_flag(here.at("flags", flag), flag, target, targets[target])
    for flag, fields in consent.withhold.items():
        _known_flag(here.at("withhold", flag), flag)
        for number, field in enumerate(fields):
            checks_withheld.check(here.at("withhold", flag, number), field)
    for flag, records in consent.skip.items():
        _known_flag(here.at("skip", flag), flag)
        for number, record in enumerate(records):
            known_record(here.at("skip", flag, number), record)
    for flag, rule in consent.raise_.items():
        _check_raise(here.at("raise", flag), flag, rule.when)
    _check_lists(here)


def _check_lists(scope: Scope) -> None:
    consent = scope.file.consent
    for number, flag in enumerate(consent.waive):
        here = scope.at("waive", number)
        _known_flag(here, flag, in_list=True)
        if flag in consent.flags:
            here.add("M222", f"{flag} is carried and waived", "remove it from one of them")
    if consent.unsubscribe and not scope.file.crm.unsubscribes:
        message = f"unsubscribe: does not apply to {scope.file.crm.title}"
        scope.at("unsubscribe").add_at_key("M110", message, "remove it")
    for number, flag in enumerate(consent.unsubscribe):
        here = scope.at("unsubscribe", number)
        if _known_flag(here, flag, in_list=True) and flag not in consent.flags:
            here.add("M221", f"{flag} should unsubscribe, but no record carries it", "add it under consent: flags:")


def _check_raise(scope: Scope, flag: str, when: Condition) -> None:
    """Report a rule that raises no flag or every customer's. For an inherited rule it is only a warning."""
    if not _known_flag(scope, flag):
        return
    consent, severity = scope.file.consent, None if scope.own else Severity.WARNING
    if flag in consent.waive:
        scope.add_at_key("M222", f"{flag} is raised and waived", "remove it from one of them", severity)
    elif flag not in consent.flags:
        hint = "add it under consent: flags:"
        scope.add_at_key("M221", f"{flag} is raised here, but no record carries it", hint, severity)
    here = scope.at("when")
    checks_conditions.check(here, when)
    checks_conditions.check_events(here, when, severity)
    if not any(conditions.reads(when)):
        here.add("M133", f"an empty condition raises {flag} for every customer", "name an event field to compare")


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
        scope.add("M222", f"{target} is written twice", "a flag needs a field of its own: remove the other")
    _check_reach(scope, flag, name)
    if scope.target is not None and (target_object := scope.target.objects.get(record.object)):
        _check_target(scope, f"{record.object}.{field}", record.object, field, target_object.fields)


def _check_reach(scope: Scope, flag: str, name: str) -> None:
    """Report events of the file that would not carry the flag into the CRM: an opt-out could be missed."""
    runs_on = events_of(scope.file, name)
    for event in scope.file.events or catalogue.EVENTS:
        if event not in runs_on:
            hint = f"remove  events:  from {name}: an event without a call leaves alone what is made of calls"
            scope.add("M223", f"{flag} can be missed: '{name}' does not run on {event}", hint)
    if scope.file.records[name].mode is Mode.CREATE:
        hint = "a flag raised later would never reach the CRM: use another mode"
        scope.add("M223", f"{flag} can be missed: '{name}' is only ever created", hint)


def _check_target(scope: Scope, full: str, object: str, field: str, fields: dict[str, TargetField]) -> None:
    if field not in fields:
        message = f"{object} has no field '{field}' in {scope.crm_name}"
        scope.add("M201", message, scope.suggest(field, fields))
        return
    target = fields[field]
    if not target.writable:
        scope.add("M203", f"{full} cannot be written")
    if target.type not in ("boolean", ""):
        scope.add("M202", f"{full} is {target.type} but a flag is boolean")
