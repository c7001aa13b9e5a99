"""Look at each step of an account's set-up, as far as can be seen now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from connector.delivery.route import Route
from connector.destinations.guide import CREDENTIALS, FIELDS, KEYS, Look, Needs, SetupStep, Standing, in_order, judged
from connector.destinations.provision import Making, Provision, Provisioner, completed
from connector.errors import DestinationUnusable
from connector.mapping import Severity
from connector.mapping.demands import Demands, demands
from connector.running import bootstrap
from connector.running.drafts import Draft


@dataclass(frozen=True, slots=True)
class Surveyed:
    """How far every step of one destination is. more: what `check --live` reports beside that."""

    destination: str
    crm: str
    looks: tuple[Look, ...]
    more: int = 0

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to do that can be seen."""
        return all(look.standing in (Standing.DONE, Standing.UNKNOWN) for look in self.looks)


def survey(draft: Draft) -> Surveyed:
    """Look at every step of a destination. Raises FixConfiguration, FixMapping; for an unusable account, nothing."""
    steps = draft.vendor.setup
    if draft.file is None:
        looks = [Look(step, Standing.TO_DO, draft.missing) for step in steps if step.name == CREDENTIALS]
        return Surveyed(draft.full_name, draft.vendor.title, tuple(in_order(steps, looks)))
    route = bootstrap.open_route(draft.file, draft.name)
    try:
        looks, more = _looked_at(draft, route)
    finally:
        route.destination.close()
    return Surveyed(draft.full_name, draft.vendor.title, tuple(in_order(steps, looks)), more)


def _looked_at(draft: Draft, route: Route) -> tuple[list[Look], int]:
    """The looks at the steps that can be reached, and how much more `check --live` reports."""
    assert draft.file is not None
    path = bootstrap.mapping_path(draft.file, draft.file.settings.destinations[draft.name])
    written = bootstrap.read_mapping(path).written
    assert written is not None  # open_route raises for a mapping that does not load
    demanded, provisioner = demands(*written), route.destination.provisioner()
    looks = list(provisioner.access(Needs(route.mapping, demanded)))
    rest = draft.vendor.setup[len(looks) :]
    if [step.name for step in rest] != [FIELDS, KEYS]:
        return looks, 0
    planned, unread = _planned(provisioner, demanded)
    looks += [_fields(rest[0], planned, unread), _keys(rest[1], planned, demanded)]
    try:
        schema = route.destination.describe(route.mapping.objects)
    except DestinationUnusable:
        return looks, 0
    checked = bootstrap.read_mapping(path, completed(schema, demanded, planned))
    return looks, sum(problem.severity is Severity.ERROR for problem in checked.diagnostics)


def _planned(provisioner: Provisioner, demanded: Demands) -> tuple[Provision, list[str]]:
    """What the account lacks for each object, and why some could not be looked at: one hides no other."""
    whole, unread = Provision(), []
    for kind, wanted in demanded.items():
        try:
            own = provisioner.plan({kind: wanted})
        except DestinationUnusable as error:
            unread.append(f"{kind}: {error.problem}")
            continue
        whole = Provision(whole.steps + own.steps, whole.obstacles + own.obstacles, whole.doubts + own.doubts)
    return whole, unread


def _fields(step: SetupStep, planned: Provision, unread: Sequence[str]) -> Look:
    lacking = [*unread, *(f"{own.name}: {_about(own.making, own.about)}" for own in planned.steps)]
    lacking += [
        f"{own.object}.{own.field}: {own.problem}: {own.advice}"
        for own in planned.obstacles
        if own.field and not own.of_key
    ]
    return judged(step, [*lacking, *planned.doubts])


def _about(making: Making, about: str) -> str:
    return f"is missing: {about}" if making is Making.FIELD else about


def _keys(step: SetupStep, planned: Provision, demanded: Demands) -> Look:
    lacking = [f"{own.object}.{own.field}: {own.problem}" for own in planned.obstacles if own.of_key]
    absent = tuple(f"{own.name}: first the field" for own in planned.steps if own.demand.wanted.unique)
    if lacking or absent:
        return Look(step, Standing.TO_DO if lacking else Standing.UNSEEN, (*lacking, *absent))
    keys = [name for fields in demanded.values() for name, own in fields.items() if own.wanted.unique]
    return judged(step, [], ", ".join(keys))
