"""Which pipeline each stage of an object belongs to.

https://developers.hubspot.com/docs/api-reference/crm-pipelines-v3/guide
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pydantic import Field

from connector.destinations.hubspot.calls import Calls, Path
from connector.destinations.hubspot.replies import parse
from connector.destinations.lenient import Entries, Lenient
from connector.errors import DestinationUnusable
from connector.mapping.target import Option, TargetField

PIPELINES: Final = Path("GET", "/crm/v3/pipelines/{object}")
DEFAULT: Final = "default"
"""The pipeline of a record that is created without one."""

_FIELDS: Final = (("pipeline", "dealstage"), ("hs_pipeline", "hs_pipeline_stage"))
"""Where a record shows its pipeline and its stage: a deal, any other object."""


class _Stage(Lenient):
    id: str
    label: str = ""
    archived: bool = False


class _Pipeline(Lenient):
    id: str
    archived: bool = False
    stages: Entries[_Stage] = Field(default=[])


class _Pipelines(Lenient):
    results: Entries[_Pipeline]


def stages(calls: Calls, object: str, fields: Mapping[str, TargetField]) -> dict[str, TargetField]:
    """The field for the stage, with the pipeline of each; none where there is none, or the token may not ask."""
    for pipeline, stage in _FIELDS:
        if pipeline in fields and stage in fields and (options := _options(calls, object)):
            return {stage: fields[stage].model_copy(update={"options": options, "pipeline": pipeline})}
    return {}


def _options(calls: Calls, object: str) -> tuple[Option, ...]:
    try:
        reply = calls.ask(PIPELINES, object=object)
    except DestinationUnusable:
        return ()
    answer = parse(_Pipelines, reply) if reply.ok else None
    return tuple(
        Option(value=stage.id, label=stage.label, pipeline=pipeline.id)
        for pipeline in (answer.results if answer else ())
        for stage in pipeline.stages
        if not (stage.archived or pipeline.archived)
    )
