"""Check look-ups: what they search, by which fields, for which fixed values, and what they give."""

from __future__ import annotations

from dataclasses import replace

from connector.mapping import checks_search, checks_slips, shapes
from connector.mapping.checks_targets import check_values
from connector.mapping.schema_sources import Lookup
from connector.mapping.scope import Scope, target_object
from connector.mapping.target import TargetObject


def check(scope: Scope, lookup: Lookup) -> None:
    """Report what is wrong with a look-up or with those made where it has no match."""
    for place, step in lookup.steps():
        here = scope.at(*place)
        for name, value in step.where.items():
            checks_slips.check_sought(here.at("where", name), value, f"write  match: {{ {name}: {value} }}")
        if step.else_ is not None:
            checks_slips.check_sought(
                here.at("else", "value"), step.else_.value, "look a record up by it:  else: { lookup: ... }"
            )
        if target := target_object(here.at("object"), step.object):
            _check_step(here, step, target)


def _check_step(scope: Scope, lookup: Lookup, target: TargetObject) -> None:
    for name in lookup.match:
        checks_search.check(scope.at("match", name), lookup.object, target.fields, name)
    for name, value in lookup.where.items():
        here = scope.at("where", name)
        checks_search.check(here, lookup.object, target.fields, name)
        if name in target.fields:
            given = [replace(shape, length=None) for shape in shapes.of_value(value)]
            check_values(here, f"{lookup.object}.{name}", target.fields[name], given)
    returned = lookup.return_
    if returned and returned not in target.fields and not scope.file.crm.is_id(returned):
        message = f"{lookup.object} has no field '{returned}' in {scope.crm_name}"
        scope.at("return").add("M201", message, scope.suggest(returned, target.fields))
