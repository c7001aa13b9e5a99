"""Preparing a HubSpot portal for a mapping: a property group, unique properties, choices, sensitivity.

https://developers.hubspot.com/docs/api-reference/crm-properties-v3/guide
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

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
"""Properties with unique values that HubSpot allows each object."""

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
_FIXED = "HubSpot fixes a property's uniqueness and sensitivity when it is made"


class HubSpotProvisioner:
    """The contract of destinations.provision."""

    fixed = (
        f"{_FIXED}, and we never alter an existing one: make another under a new name by naming that in your mapping "
        "(extends:), then run this again; or delete the old one in HubSpot's settings if nothing is kept in it."
    )

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def plan(self, demands: Demands) -> Provision:
        """What the portal lacks. Raises DestinationUnusable."""
        told: list[Step | Obstacle] = []
        for kind, asked in demands.items():
            known = describe(self._calls, kind)
            missing = [demand for name, demand in asked.items() if name not in known.fields]
            own = self._calls.read(Properties, PROPERTIES, object=kind).results if missing else []
            steps = [one for demand in missing for one in _missing(demand, [p.name for p in own if p.hubspot_defined])]
            told += [*_within_the_limit(steps, known), *_not_unique(asked, known)]
        steps_alone = tuple(one for one in told if isinstance(one, Step))
        return Provision(steps_alone, tuple(one for one in told if isinstance(one, Obstacle)))

    def apply(self, steps: Sequence[Step]) -> list[Done]:
        """Create the properties, in a group of our own. Raises DestinationUnusable."""
        problems = {kind: _permitted(self._group, kind) for kind in dict.fromkeys(one.demand.object for one in steps)}
        return [Done(step, problems[step.demand.object] or _permitted(self._create, step.demand)) for step in steps]

    def files(self, steps: Sequence[Step]) -> Mapping[str, str]:
        """None: HubSpot deploys no files."""
        return {}

    def _group(self, kind: str) -> str:
        reply = self._calls.ask(GROUPS, object=kind, body={"name": GROUP_NAME, "label": "careCycle"})
        return "" if reply.ok or reply.status == 409 else f"HubSpot refuses the property group ({_code(reply)})"

    def _create(self, demand: Demand) -> str:
        """Create one property; why it was not made."""
        reply = self._calls.ask(CREATE, object=demand.object, body=body(demand))
        if reply.ok:
            return ""
        if reply.status == 409:
            return self._taken(demand)
        if demand.wanted.sensitive:
            return (
                f"HubSpot refuses a sensitive property ({_code(reply)}): a super admin turns sensitive data on in "
                "HubSpot's settings, which needs Enterprise"
            )
        if demand.wanted.unique:
            return f"HubSpot refuses a property with unique values on {demand.object} here ({_code(reply)})"
        return f"HubSpot refuses it ({_code(reply)})"

    def _taken(self, demand: Demand) -> str:
        """Why a name that is taken does not serve; a property made by a call whose reply was lost does."""
        found = self._calls.ask(PROPERTY, object=demand.object, name=demand.field)
        own = parse(PropertyDefinition, found) if found.ok else None
        if own is not None and (own.type, own.unique) == (_TYPES[demand.wanted.type][0], demand.wanted.unique):
            return ""
        return "a property of this name exists and is hidden from the access token, or archived: look in HubSpot"


def body(demand: Demand) -> dict[str, Any]:
    """What creates a property."""
    wanted = demand.wanted
    kind, form = _TYPES[wanted.type]
    made: dict[str, Any] = {
        "name": demand.field,
        "label": demand.field.replace("_", " ").capitalize().replace("Carecycle", "careCycle"),
        "type": kind,
        "fieldType": "textarea" if form == "text" and (wanted.length or 0) > LONGEST_TEXT else form,
        "groupName": GROUP_NAME,
    }
    if options := _options(wanted):
        made["options"] = [
            {"label": label, "value": value, "displayOrder": place, "hidden": False}
            for place, (label, value) in enumerate(options)
        ]
    return made | ({"hasUniqueValue": True} if wanted.unique else {}) | _sensitivity(wanted)


def _sensitivity(wanted: TargetField) -> dict[str, str]:
    return {"dataSensitivity": "sensitive"} if wanted.sensitive else {}


def _options(wanted: TargetField) -> list[tuple[str, str]]:
    if wanted.type == "boolean":
        return [("Yes", "true"), ("No", "false")]
    return [(one.value, one.value) for one in wanted.options]


def _permitted(make: Callable[[Any], str], what: Any) -> str:
    """What came of it; a permission that lacks is told and holds up nothing else."""
    try:
        return make(what)
    except DestinationUnusable as error:
        if error.reason != "permissions":
            raise
        return error.problem


def _code(reply: Reply) -> str:
    return reply_refusal(reply).code


def _missing(demand: Demand, standard: Sequence[str]) -> Iterator[Step | Obstacle]:
    problem, advice = _impossible(demand, standard)
    if problem:
        yield Obstacle(demand.object, demand.field, problem, advice)
        return
    plain = demand.object in NEVER_SENSITIVE  # HubSpot keeps no sensitive data there; the check of the mapping says so
    wanted = demand.wanted.model_copy(update={"sensitive": demand.wanted.sensitive and not plain})
    yield Step(Making.FIELD, replace(demand, wanted=wanted), _about(wanted))


def _impossible(demand: Demand, standard: Sequence[str]) -> tuple[str, str]:
    """Why we do not make this property, and what to do; empty when we can."""
    line = f"mend line {demand.line} of the mapping"
    if demand.field.startswith(("hs_", "hubspot_")):
        return "has a name HubSpot keeps for its own properties, and the portal has none such", line
    if not _NAME.fullmatch(demand.field):
        return "is no name HubSpot takes", "small letters, digits and underscores, at most 100, a letter first"
    if near := difflib.get_close_matches(demand.field, standard, 1, _ALIKE):
        return f"looks like HubSpot's own {near[0]}, misspelt", f"{line}; if it is meant, create it by hand"
    if demand.wanted.type not in _TYPES:
        return "is to point at a record", "associate: links records in HubSpot"
    return "", ""


def _about(wanted: TargetField) -> str:
    kind = _SHOWN.get(wanted.type, wanted.type)
    if wanted.type == "picklist":
        kind = f"one of {len(wanted.options)} options: {', '.join(one.value for one in wanted.options)}"
    return kind + (", unique values" if wanted.unique else "") + (", sensitive" if wanted.sensitive else "")


def _within_the_limit(told: Sequence[Step | Obstacle], known: TargetObject) -> Iterator[Step | Obstacle]:
    taken = sum(one.unique and one.writable and name != "email" for name, one in known.fields.items())
    for one in told:
        if isinstance(one, Step) and one.demand.wanted.unique:
            taken += 1
            if taken > MOST_UNIQUE:
                problem = f"would be one more than the {MOST_UNIQUE} properties with unique values HubSpot allows"
                yield Obstacle(one.demand.object, one.demand.field, problem, "delete one that nobody uses in HubSpot")
                continue
        yield one


def _not_unique(asked: Mapping[str, Demand], known: TargetObject) -> Iterator[Obstacle]:
    for name, demand in asked.items():
        if demand.wanted.unique and name in known.fields and not known.fields[name].unique:
            advice = f"{_FIXED}: delete it in HubSpot if it is empty, or name another property as the key"
            yield Obstacle(demand.object, name, "is the key and its values are not unique", advice)
