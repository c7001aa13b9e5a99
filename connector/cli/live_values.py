"""What `check --live` looks up in an account because the mapping names it: users, and rules about its objects."""

from __future__ import annotations

from connector.delivery.route import Route
from connector.destinations.base import Outcome
from connector.errors import DestinationUnusable
from connector.mapping import Diagnostic, Loaded
from connector.mapping import account_findings as findings
from connector.mapping.target import TargetSchema
from connector.model import Lookup


def found(route: Route, plain: Loaded, schema: TargetSchema) -> list[Diagnostic]:
    """Look up what a mapping names. plain: the mapping as it loads without the schema."""
    assert plain.written is not None  # it loads
    return _users(route, plain, schema) + _lookups(route, plain, schema) + _duplicate_rules(route, plain)


def _users(route: Route, plain: Loaded, schema: TargetSchema) -> list[Diagnostic]:
    assert plain.written is not None
    crm = route.mapping.crm
    named = findings.named_users(*plain.written, schema)
    ids = list(dict.fromkeys(value for users in named for value in users.ids))
    if not ids:
        return []
    try:
        answers = route.destination.find(crm.users, crm.id_field, ids, [crm.active_field] if crm.active_field else [])
    except DestinationUnusable as error:
        return findings.unread_users(named, error.problem)
    hidden = [answer.refusal.cause for answer in answers.values() if isinstance(answer, Outcome)]
    active = {
        value: any(user.values.get(crm.active_field) is not False for user in answer)
        for value, answer in answers.items()
        if not isinstance(answer, Outcome)
    }
    return findings.of_users(named, active) + (findings.unread_users(named, hidden[0]) if hidden else [])


def _lookups(route: Route, plain: Loaded, schema: TargetSchema) -> list[Diagnostic]:
    """Look up what does not depend on an event: a record type, a queue."""
    assert plain.written is not None
    fixed = findings.fixed_lookups(*plain.written, schema)
    matches: dict[Lookup, list[str]] = {}
    for lookup in {own.lookup: None for own in fixed}:
        narrow = {name: [value] for name, value in lookup.where}
        try:
            answers = route.destination.find(lookup.object, lookup.match, [lookup.value], [], narrow)
        except DestinationUnusable:  # what may not be read was reported with the schema
            continue
        if isinstance(answer := answers[lookup.value], list):
            matches[lookup] = [record.id for record in answer]
    return findings.of_lookups(fixed, matches)


def _duplicate_rules(route: Route, plain: Loaded) -> list[Diagnostic]:
    assert plain.written is not None
    try:
        rules = route.destination.provisioner().duplicate_rules(route.mapping.objects)
    except DestinationUnusable:
        rules = None
    return findings.of_duplicate_rules(*plain.written, rules)
