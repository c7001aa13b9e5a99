"""Prepare a HubSpot portal for a mapping: property group, unique properties, options, sensitivity.

https://developers.hubspot.com/docs/api-reference/crm-properties-v3/guide
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from connector.destinations.guide import Look, Needs
from connector.destinations.hubspot import setup
from connector.destinations.hubspot.calls import PROPERTIES, Calls, Path
from connector.destinations.hubspot.describe import NEVER_SENSITIVE, describe
from connector.destinations.hubspot.refusals import reply_refusal
from connector.destinations.hubspot.replies import Properties, PropertyDefinition, Reply, parse
from connector.destinations.provision import Done, Making, Obstacle, Provision, Step
from connector.errors import DestinationUnusable
from connector.mapping.demands import LONGEST_TEXT, Demand, Demands
from connector.mapping.target import TargetField, TargetObject

CREATE: Final = Path("POST", "/crm/v3/properties/{object}")
GROUPS: Final = Path("POST", "/crm/v3/properties/{object}/groups")
PROPERTY: Final = Path("GET", "/crm/v3/properties/{object}/{name}")

GROUP_NAME: Final = "carecycle"
MOST_UNIQUE: Final = 10
"""The most properties with unique values that HubSpot allows per object."""

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,99}")
_ALIKE: Final = 0.85
_TYPES: Final[Mapping[str, tuple[str, str]]] = {
    "string": ("string", "text"),
    "phone": ("string", "phonenumber"),
    "int": ("number", "number"),
    "double": ("number", "number"),
    "date": ("date", "date"),
    "datetime": ("datetime", "date"),
    "boolean": ("bool", "booleancheckbox"),
    "picklist": ("enumeration", "select"),
}
_SHOWN: Final = {"string": "text", "phone": "phone number", "int": "number", "double": "number", "boolean": "yes or no"}
_FIXED = "HubSpot cannot change whether an existing property is unique or sensitive"


class HubSpotProvisioner:
    """Implements destinations.provision.Provisioner."""

    fixed = (
        f"{_FIXED}, and the connector never changes existing properties: create another under a new name by using that "
        "name in your mapping (extends:) and running this again, or delete the old one in HubSpot if it holds no data."
    )

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def access(self, needs: Needs) -> Iterator[Look]:
        """Look at the access token and its scopes."""
        return setup.access(self._calls, needs)

    def duplicate_rules(self, objects: Collection[str]) -> Mapping[str, Sequence[str]] | None:
        """HubSpot has none: unique properties alone refuse a record."""
        return {}

    def plan(self, demands: Demands) -> Provision:
        """List what the portal lacks. Raises DestinationUnusable."""
        lacks: list[Step | Obstacle] = []
        for kind, wanted in demands.items():
            existing = describe(self._calls, kind)
            if existing is None:
                lacks.append(Obstacle(kind, "", "HubSpot has no such object", "create it, or correct the mapping"))
                continue
            missing = [demand for name, demand in wanted.items() if name not in existing.fields]
            listed = self._calls.read(Properties, PROPERTIES, object=kind).results if missing else []
            standard = [definition.name for definition in listed if definition.hubspot_defined]
            planned = [_missing(demand, standard) for demand in missing]
            lacks += [*_within_the_limit(planned, existing), *_not_unique(wanted, existing)]
        steps = tuple(item for item in lacks if isinstance(item, Step))
        return Provision(steps, tuple(item for item in lacks if isinstance(item, Obstacle)))

    def apply(self, steps: Sequence[Step]) -> list[Done]:
        """Create the properties in a group named careCycle. Raises DestinationUnusable."""
        problems = {kind: _permitted(self._group, kind) for kind in dict.fromkeys(step.demand.object for step in steps)}
        return [Done(step, problems[step.demand.object] or _permitted(self._create, step.demand)) for step in steps]

    def files(self, steps: Sequence[Step]) -> Mapping[str, str]:
        """Return nothing: HubSpot deploys no files."""
        return {}

    def _group(self, kind: str) -> str:
        """Create the property group if it does not exist; returns why it could not."""
        reply = self._calls.ask(GROUPS, object=kind, body={"name": GROUP_NAME, "label": "careCycle"})
        return "" if reply.ok or reply.status == 409 else f"HubSpot rejected the property group ({_code(reply)})"

    def _create(self, demand: Demand) -> str:
        """Create one property; returns why it could not."""
        reply = self._calls.ask(CREATE, object=demand.object, body=body(demand))
        own = parse(PropertyDefinition, reply) if reply.ok else None
        if own is not None:
            return _restored(demand, own)
        if reply.ok or reply.status == 409:
            return self._taken(demand)
        if demand.wanted.sensitive:
            return (
                f"HubSpot rejected a sensitive property ({_code(reply)}): ask a super admin to turn sensitive data on "
                "in HubSpot's settings, which requires Enterprise"
            )
        if demand.wanted.unique:
            return f"this portal does not allow a property with unique values on {demand.object} ({_code(reply)})"
        return f"HubSpot rejected the property ({_code(reply)})"

    def _taken(self, demand: Demand) -> str:
        """Why an existing property cannot be used; empty if it fits, as when the reply to our call was lost."""
        reply = self._calls.ask(PROPERTY, object=demand.object, name=demand.field)
        own = parse(PropertyDefinition, reply) if reply.ok else None
        if own is not None and (own.type, own.unique) == (_TYPES[demand.wanted.type][0], demand.wanted.unique):
            return ""
        return "a property with this name exists, but is hidden from the access token, or archived: check in HubSpot"


def _restored(demand: Demand, own: PropertyDefinition) -> str:
    """Why the property that HubSpot returned cannot be used: it may be an archived one, as it was; empty if it can."""
    if own.unique or not demand.wanted.unique:
        return ""
    return "HubSpot restored an archived property of this name, whose values are not unique: use another name"


def body(demand: Demand) -> dict[str, Any]:
    """The request body that creates a property."""
    wanted = demand.wanted
    kind, form = _TYPES[wanted.type]
    definition: dict[str, Any] = {
        "name": demand.field,
        "label": demand.field.replace("_", " ").capitalize().replace("Carecycle", "careCycle"),
        "type": kind,
        "fieldType": "textarea" if form == "text" and (wanted.length or 0) > LONGEST_TEXT else form,
        "groupName": GROUP_NAME,
    }
    if options := _options(wanted):
        definition["options"] = [
            {"label": label, "value": value, "displayOrder": position, "hidden": False}
            for position, (label, value) in enumerate(options)
        ]
    return definition | ({"hasUniqueValue": True} if wanted.unique else {}) | _sensitivity(wanted)


def _sensitivity(wanted: TargetField) -> dict[str, str]:
    return {"dataSensitivity": "sensitive"} if wanted.sensitive else {}


def _options(wanted: TargetField) -> list[tuple[str, str]]:
    if wanted.type == "boolean":
        return [("Yes", "true"), ("No", "false")]
    return [(option.value, option.value) for option in wanted.options]


def _permitted(create: Callable[[Any], str], subject: Any) -> str:
    """The problem `create` returns; a missing permission is such a problem too, and stops nothing else."""
    try:
        return create(subject)
    except DestinationUnusable as error:
        if error.reason != "permissions":
            raise
        return error.problem


def _code(reply: Reply) -> str:
    return reply_refusal(reply).code


def _missing(demand: Demand, standard: Sequence[str]) -> Step | Obstacle:
    problem, advice = _impossible(demand, standard)
    if problem:
        return Obstacle(demand.object, demand.field, problem, advice)
    plain = demand.object in NEVER_SENSITIVE  # the mapping check reports sensitive data that goes there
    wanted = demand.wanted.model_copy(update={"sensitive": demand.wanted.sensitive and not plain})
    return Step(Making.FIELD, replace(demand, wanted=wanted), _about(wanted))


def _impossible(demand: Demand, standard: Sequence[str]) -> tuple[str, str]:
    """Why this property cannot be created, and what to do; empty if it can."""
    fix = f"correct line {demand.line} of the mapping"
    if demand.field.startswith(("hs_", "hubspot_")):
        return "has a name HubSpot reserves for its own properties, and the portal has no such property", fix
    if not _NAME.fullmatch(demand.field):
        problem = "is not a valid property name in HubSpot"
        return problem, "use at most 100 lower-case letters, digits and underscores, starting with a letter"
    if near := difflib.get_close_matches(demand.field, standard, 1, _ALIKE):
        return f"looks like HubSpot's own {near[0]}, misspelled", f"{fix}, or create it by hand if the name is right"
    if demand.wanted.type not in _TYPES:
        return "would have to refer to a record", "use `associate:`, which links records in HubSpot"
    return "", ""


def _about(wanted: TargetField) -> str:
    kind = _SHOWN.get(wanted.type, wanted.type)
    if wanted.type == "picklist":
        kind = f"one of {len(wanted.options)} options: {', '.join(option.value for option in wanted.options)}"
    return kind + (", unique values" if wanted.unique else "") + (", sensitive" if wanted.sensitive else "")


def _within_the_limit(planned: Sequence[Step | Obstacle], existing: TargetObject) -> Iterator[Step | Obstacle]:
    """What is planned, with an obstacle for each unique property that exceeds HubSpot's limit."""
    taken = sum(field.unique and field.writable and name != "email" for name, field in existing.fields.items())
    for item in planned:
        if isinstance(item, Step) and item.demand.wanted.unique:
            taken += 1
            if taken > MOST_UNIQUE:
                problem = f"would be one more than the {MOST_UNIQUE} properties with unique values HubSpot allows"
                yield Obstacle(item.demand.object, item.demand.field, problem, "delete an unused one in HubSpot")
                continue
        yield item


def _not_unique(wanted: Mapping[str, Demand], existing: TargetObject) -> Iterator[Obstacle]:
    for name, demand in wanted.items():
        if demand.wanted.unique and name in existing.fields and not existing.fields[name].unique:
            advice = f"{_FIXED}: delete it in HubSpot if it is empty, or name another property as the key"
            yield Obstacle(demand.object, name, "is the key, but its values are not unique", advice, of_key=True)
