"""Check stages of pipelines: the stage that a record gets is one of its pipeline's."""

from __future__ import annotations

from collections.abc import Mapping

from connector.mapping import shapes
from connector.mapping.diagnostics import Severity
from connector.mapping.schema import Record
from connector.mapping.scope import Scope, listed
from connector.mapping.target import TargetField


def check(scope: Scope, record: Record, fields: Mapping[str, TargetField]) -> None:
    """Warn of stages that are not in the pipeline that the record writes, or in the default one without it."""
    for name in record.fields:
        target = fields.get(name)
        if target is not None and target.pipeline:
            written = target.pipeline in record.fields
            pipelines = _fixed(scope, record, target.pipeline) if written else {"default"}
            _check_stages(
                scope.at("fields", name), f"{record.object}.{name}", target, pipelines, _fixed(scope, record, name)
            )


def _check_stages(scope: Scope, full: str, target: TargetField, pipelines: set[str], stages: set[str]) -> None:
    usable = {option.value for option in target.options if option.pipeline in pipelines}
    strange = stages - usable
    if target.type == "picklist":  # what no pipeline has is reported as a value that is not offered
        strange &= {option.value for option in target.options}
    if strange and pipelines:
        message = f"{full} gets {listed(strange)}, which the pipeline {listed(pipelines)} lacks"
        hint = f"it has: {listed(usable)}" if usable else f"write another {target.pipeline}"
        scope.add_at_key("M215", message, hint, Severity.WARNING)


def _fixed(scope: Scope, record: Record, name: str) -> set[str]:
    """The values that a field gets, as far as they are known."""
    given = shapes.of_source(scope.at("fields", name), record.fields[name])
    return {value for shape in given if shape.fixed for value in shape.values or ()}
