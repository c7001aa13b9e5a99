"""Run a trial: every step for itself, and afterwards delete what it made."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import chain
from typing import Final

from connector.delivery.deliver import fault_in
from connector.delivery.route import Route
from connector.errors import DestinationUnusable
from connector.insight.trial.cast import cast, made_up_for, reserved_keys, telling
from connector.insight.trial.cleaning import (
    HOPELESS,
    NOT_YET,
    SOMEBODYS,
    Cleaning,
    Keys,
    Link,
    leftovers,
    missed,
    sweep,
)
from connector.insight.trial.fence import Fence
from connector.insight.trial.person import SLOTS, MadeUp
from connector.insight.trial.stage import Stage, Step
from connector.insight.trial.steps import ordinary
from connector.insight.trial.uniqueness import uniqueness
from connector.insight.trial.unproven import once_deleted, unproven
from connector.insight.trial.verdict import KEPT, Left, Tried, fails, untried, unusable, works
from connector.insight.trial.way import Way
from connector.mapping.target import TargetSchema

_MINUTE: Final = 60
_EARLIER: Final = "delete what earlier trials left"


@dataclass(slots=True)
class Trial:
    """One trial of one destination. run: random, of this trial alone. keep: delete nothing afterwards.

    on_made: called with the object and id of each record that was made, at once. sources: see `Stage`.
    tried, left, interrupted: the result.
    """

    route: Route
    schema: TargetSchema
    run: str
    now: datetime
    link: Link
    on_made: Callable[[str, str], None]
    sources: Mapping[str, str] = field(default_factory=dict)
    keep: bool = False
    tried: list[Tried] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)
    interrupted: bool = False
    _hopeless: bool = False

    def start(self) -> None:
        """Try everything, and clean up. Raises nothing but what ends the process."""
        way = Way(self.route, int(self.now.timestamp() * 1000))
        made_up = made_up_for(way, self.run, self.now)
        keys = reserved_keys(way, replace(made_up))
        cleaning = Cleaning(self.route.destination.bench(), self.link)
        fence = Fence(self.route.destination, made_up.owns, self._objects, self.on_made)
        try:
            made_up.slot = self._after_earlier(cleaning, keys, self._telling(way, made_up))
            way.route = replace(self.route, destination=fence)
            stage = Stage(way, fence, cleaning.bench, made_up, cast(made_up, way), self.schema, self.sources)
            self._try_each(chain(ordinary(stage), unproven(stage), uniqueness(stage)))
        except KeyboardInterrupt:
            self.interrupted = True
        self._clean(cleaning, fence, keys, made_up.slot)
        if not (self.interrupted or self.keep or cleaning.left):
            fence.made.clear()
            self._unless_interrupted(lambda: self._try_each(once_deleted(stage)))
            self._clean(cleaning, fence, keys, made_up.slot)
        self.left = list(cleaning.left.values())

    def _unless_interrupted(self, act: Callable[[], None]) -> None:
        try:
            act()
        except KeyboardInterrupt:
            self.interrupted = True

    @property
    def _objects(self) -> frozenset[str]:
        return frozenset(self.route.mapping.writes)

    def _try_each(self, steps: Iterable[Step]) -> None:
        for what, act in steps:
            self._try(what, act)

    def _try(self, what: str, act: Callable[[], Iterable[Tried]]) -> None:
        """Take one step; whatever becomes of it, the next one follows."""
        if self._hopeless:
            self.tried.append(untried(what, "the account cannot be used"))
            return

        def once() -> None:
            try:
                for line in act():
                    if line not in self.tried:
                        self.tried.append(line)
            except DestinationUnusable as error:
                self.tried.append(unusable(what, error))
                self._hopeless = error.reason in HOPELESS

        if fault := fault_in("trial", once):
            self.tried.append(fails(what, fault.problem))

    def _telling(self, way: Way, made_up: MadeUp) -> dict[str, set[str]]:
        """The fields that show that people are made up, as far as the account has them."""
        described = {kind: set(known.fields) for kind, known in self.schema.objects.items()}
        shown = telling(way, replace(made_up))
        return {kind: names & described.get(kind, set()) for kind, names in shown.items()}

    def _after_earlier(self, cleaning: Cleaning, keys: Keys, telling: Mapping[str, set[str]]) -> int:
        """Delete what earlier trials left; return a slot of which nothing is left."""
        taken: set[int] = set()

        def clean() -> Iterator[Tried]:
            having = list(leftovers(self.route.destination, keys, telling))
            taken.update(slot for _, slot, _ in having)
            cleaning.note((record for record, _, is_made_up in having if not is_made_up), SOMEBODYS)
            earlier = dict.fromkeys(record for record, _, is_made_up in having if is_made_up)
            cleaning.delete(earlier)
            fields = sweep(cleaning.bench, self._objects)
            if fields:
                yield fails(_EARLIER, f"fields that are left: {', '.join(fields)}", "delete them in the CRM's settings")
            if cleaning.left:
                yield fails(_EARLIER, f"{len(cleaning.left)} records are left", "delete those listed below by hand")
            elif earlier:
                yield works(_EARLIER, f"{len(earlier)} records deleted")

        self._try(_EARLIER, clean)
        first = int(self.now.timestamp()) // _MINUTE % SLOTS  # those of the last hours were used lately
        slots = [(first + more) % SLOTS for more in range(SLOTS)]
        return next((slot for slot in slots if slot not in taken), first)

    def _clean(self, cleaning: Cleaning, fence: Fence, keys: Keys, slot: int) -> None:
        """Find and delete what this trial made, unless it is to be kept; a second Ctrl-C ends this."""

        def look() -> Iterator[Tried]:
            missed(fence, keys, slot)
            yield from ()

        def clean() -> None:
            if not self._hopeless:
                self._try("look for records without a reply", look)
            if not self.keep:
                cleaning.delete(fence.made)

        cleaning.note(fence.made, NOT_YET)
        self._unless_interrupted(clean)
        if self.keep:
            cleaning.note(fence.made, KEPT)
        cleaning.note_unsure(fence.unsure)
        self._report_deleted(cleaning, fence)

    def _report_deleted(self, cleaning: Cleaning, fence: Fence) -> None:
        what = "delete what this trial made"
        kept = [own for own in fence.made if own in cleaning.left]
        if kept and not self.keep:
            self.tried.append(fails(what, f"{len(kept)} of {len(fence.made)} records are left", "delete them by hand"))
        elif fence.made and not self.keep and all(line.what != what for line in self.tried):
            self.tried.append(works(what, f"{len(fence.made)} records; {cleaning.bench.remains}"))
