"""Check fields that take something of the first or the last of a customer's calls."""

from __future__ import annotations

from datetime import UTC

from connector.carecycle import catalogue
from connector.carecycle.catalogue import FIELDS
from connector.mapping import conditions
from connector.mapping.schema import Record
from connector.mapping.schema_conditions import Condition
from connector.mapping.schema_sources import MappedField
from connector.mapping.scope import Scope
from connector.model import Rule


def check(scope: Scope, record: Record, field: MappedField) -> None:
    """Report what is no field of a call, and a write rule by which another call than the first might win.

    scope: with the events that carry what the field is made of.
    """
    _check_passing(scope, record)
    for word, path in (("first", field.first), ("last", field.last)):
        if path is not None and path in FIELDS and path.partition(".")[0] not in ("call", "campaign"):
            hint = f"for the customer's own fields write  from: {path}"
            scope.at(word).add("M113", f"{word}: is for a field of a call, and '{path}' is none", hint)
    if field.first is not None and field.write is not Rule.ALWAYS:
        message = f"first: does not go with write: {field.write}, by which a later call might stay"
        scope.at("write").add("M113", message, "remove write:")
    for word in ("default", "if_null"):
        if field.first is not None and word in field.model_fields_set:
            message = f"first: does not go with {word}:, by which a first call that does not say it would count"
            scope.at(word).add_at_key("M113", message, f"remove {word}:")


def _check_passing(scope: Scope, record: Record) -> None:
    if record.when and not any(_may_pass(record.when, event) for event in scope.events or catalogue.EVENTS):
        hint = f"write  when: {{ customer: {{ exists: true }} }}  in '{scope.loc[1]}'"
        message = "this is never written: the record's when: lets no event pass that has what it is made of"
        scope.add_at_key("M133", message, hint)


def _may_pass(condition: Condition, event: str) -> bool:
    """Whether what a condition says of the event's type, if anything, lets events of a type pass."""
    wanted = condition.paths.get("event.type")
    if wanted is None:
        return True
    alone = Condition.model_validate({"event.type": wanted})
    return conditions.compiled(alone, event)({"event_type": event}, UTC)
