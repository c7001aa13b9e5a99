"""Look at each step of an account's set-up, as far as can be seen now."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass

from connector.delivery.route import Route
from connector.destinations.guide import (
    CREDENTIALS,
    FIELDS,
    KEYS,
    OBJECTS,
    Look,
    Needs,
    SetupStep,
    Standing,
    in_order,
    judged,
)
from connector.destinations.provision import Making, Provision, Provisioner, completed
from connector.errors import DestinationUnusable, FixConfiguration, FixMapping
from connector.mapping import Severity
from connector.mapping.demands import Demands, demands
from connector.running import bootstrap
from connector.running.config import AgencyFile
from connector.running.drafts import Draft


@dataclass(frozen=True, slots=True)
class Surveyed:
    """How far every step of one destination is. more: what `check --live` reports beside that.

    wrong: the mistake in the agency file or the mapping for which nothing could be looked at.
    """

    destination: str
    crm: str = ""
    looks: tuple[Look, ...] = ()
    more: int = 0
    wrong: str = ""

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to do that can be seen."""
        return not self.wrong and all(look.standing in (Standing.DONE, Standing.UNKNOWN) for look in self.looks)


def survey(draft: Draft) -> Surveyed:
    """Look at every step of a destination."""
    try:
        return _survey(draft)
    except (FixConfiguration, FixMapping) as error:
        return Surveyed(draft.full_name, wrong=f"error[{error.code}] {error}")


def _survey(draft: Draft) -> Surveyed:
    if draft.vendor is None:
        raise draft.wrong or FixConfiguration(draft.full_name, "cannot be used")
    steps = draft.vendor.setup
    if draft.file is None:
        looks = [Look(step, Standing.TO_DO, draft.missing) for step in steps if step.name == CREDENTIALS]
        return Surveyed(draft.full_name, draft.vendor.title, tuple(in_order(steps, looks)))
    route = bootstrap.open_route(draft.file, draft.name)
    try:
        looks, more = _looked_at(draft.file, draft.name, steps, route)
    finally:
        route.destination.close()
    return Surveyed(draft.full_name, draft.vendor.title, tuple(in_order(steps, looks)), more)


def _looked_at(file: AgencyFile, name: str, steps: Sequence[SetupStep], route: Route) -> tuple[list[Look], int]:
    """The looks at the steps that can be reached, and how much more `check --live` reports."""
    path = bootstrap.mapping_path(file, file.settings.destinations[name])
    written = bootstrap.read_mapping(path).written
    assert written is not None  # open_route raises for a mapping that does not load
    demanded, provisioner = demands(*written), route.destination.provisioner()
    looks = list(provisioner.access(Needs(route.mapping, demanded)))
    rest = steps[len(looks) :]
    if [step.name for step in rest] != [FIELDS, KEYS]:
        return looks, 0
    planned, unread = _planned(provisioner, demanded)
    absent = {own.object: f"{own.problem}: {own.advice}" for own in planned.obstacles if not own.field}
    unsaid = unread if any(step.name == OBJECTS for step in steps) else unread | absent
    looks += [_fields(rest[0], planned, unsaid), _keys(rest[1], planned, demanded, unread | absent)]
    try:
        schema = route.destination.describe(route.mapping.objects)
    except DestinationUnusable:
        return looks, 0
    checked = bootstrap.read_mapping(path, completed(schema, demanded, planned))
    return looks, sum(problem.severity is Severity.ERROR for problem in checked.diagnostics)


def _planned(provisioner: Provisioner, demanded: Demands) -> tuple[Provision, dict[str, str]]:
    """What the account lacks for each object, and why some could not be looked at: one hides no other."""
    whole, unread = Provision(), {}
    for kind, wanted in demanded.items():
        try:
            own = provisioner.plan({kind: wanted})
        except DestinationUnusable as error:
            unread[kind] = error.problem
            continue
        whole = Provision(whole.steps + own.steps, whole.obstacles + own.obstacles, whole.doubts + own.doubts)
    return whole, unread


def _fields(step: SetupStep, planned: Provision, objects: Mapping[str, str]) -> Look:
    """objects: those whose fields cannot be looked at, and why."""
    lacking = [f"{kind}: {why}" for kind, why in objects.items()]
    lacking += [f"{own.name}{_about(own.making)}: {own.about}" for own in planned.steps]
    lacking += [
        f"{own.object}.{own.field}: {own.problem}: {own.advice}"
        for own in planned.obstacles
        if own.field and not own.of_key
    ]
    return judged(step, [*lacking, *planned.doubts])


def _about(making: Making) -> str:
    return " is missing" if making is Making.FIELD else ""


def _keys(step: SetupStep, planned: Provision, demanded: Demands, unseen: Container[str]) -> Look:
    lacking = [f"{own.object}.{own.field}: {own.problem}" for own in planned.obstacles if own.of_key]
    keys = [own for fields in demanded.values() for own in fields.values() if own.wanted.unique]
    absent = [f"{own.name}: first the field" for own in planned.steps if own.demand.wanted.unique]
    absent += [f"{own.object}.{own.field}: first the object" for own in keys if own.object in unseen]
    if lacking or absent:
        return Look(step, Standing.TO_DO if lacking else Standing.UNSEEN, (*lacking, *absent))
    return judged(step, [], ", ".join(own.field for own in keys))
