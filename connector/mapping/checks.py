"""Check a whole mapping file before any event arrives, reporting everything at once."""

from __future__ import annotations

from connector.mapping import checks_conditions, checks_consent, checks_records, checks_slips, checks_tasks, links
from connector.mapping.diagnostics import Report
from connector.mapping.example_events import keys_of, names_of
from connector.mapping.schema import File, Test
from connector.mapping.scope import Scope, listed
from connector.mapping.target import TargetSchema
from connector.mapping.tree import Node


def check(file: File, tree: Node, report: Report, target: TargetSchema | None) -> None:
    """Report everything wrong with a file. target: the CRM's schema; without it, checks that need it are skipped."""
    scope = Scope(file, tree, report, target)
    if target is not None and target.crm != file.crm.name:
        scope.at("crm").add("M200", f"this mapping is for {file.crm.name}, but the schema is from {target.crm}")
        scope = Scope(file, tree, report, None)
    checks_conditions.check(scope.at("filter"), file.filter)
    checks_conditions.check_events(scope.at("filter"), file.filter)
    for name, record in file.records.items():
        checks_records.check(scope, name, record)
        checks_tasks.check(scope, name, record)
    checks_slips.check_tables(scope)
    links.check_circles(scope)
    checks_consent.check(scope)
    for number, test in enumerate(file.tests):
        _check_test(scope.at("tests", number), test)


def _check_test(scope: Scope, test: Test) -> None:
    for name in test.given:
        if keys_of(name, test.event) is None:
            message = f"{test.event} has no field '{name}'"
            scope.at("given", name).add_at_key("M101", message, scope.suggest(name, names_of(test.event)))
    known_records = scope.file.records
    for name in test.expect:
        if name not in known_records:
            hint = scope.suggest(name, known_records) or f"there is: {listed(known_records)}"
            scope.at("expect", name).add_at_key("M140", f"there is no record '{name}'", hint)
