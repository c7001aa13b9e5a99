"""What the steps of one trial share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from connector.delivery.answer import Answer
from connector.destinations.bench import Bench
from connector.insight.trial.cast import Cast
from connector.insight.trial.fence import Fence
from connector.insight.trial.person import MadeUp
from connector.insight.trial.verdict import Tried, untried
from connector.insight.trial.way import Sent, Way
from connector.mapping import Mapping as CompiledMapping
from connector.mapping.target import TargetField, TargetSchema
from connector.model import RecordKey, Write

Step = tuple[str, Callable[[], Iterable[Tried]]]
"""What is tried, and how."""


@dataclass(frozen=True, slots=True)
class Written:
    """A record of the trial in the CRM: how it was planned first, and its id."""

    write: Write
    id: str

    @property
    def object(self) -> str:
        """The CRM object."""
        return self.write.key.object


@dataclass(slots=True)
class Stage:
    """schema: the account's own. sources: record of the mapping -> the source of its key, as its file has it.

    written: the trial's records that exist. answers: the first answer of each. people: customer -> the keys of the
    records that their own events make.
    """

    way: Way
    fence: Fence
    bench: Bench
    made_up: MadeUp
    cast: Cast
    schema: TargetSchema
    sources: Mapping[str, str] = field(default_factory=dict)
    written: dict[RecordKey, Written] = field(default_factory=dict)
    answers: dict[RecordKey, Answer] = field(default_factory=dict)
    people: dict[str, dict[RecordKey, None]] = field(default_factory=dict)

    @property
    def mapping(self) -> CompiledMapping:
        """The agency's mapping."""
        return self.way.route.mapping

    def opt_outs(self, kind: str) -> list[str]:
        """The fields of an object that carry flags."""
        return [name for flag in self.mapping.flags for name in self.mapping.flag_fields(kind, flag)]

    def described(self, kind: str) -> Mapping[str, TargetField]:
        """The fields of an object as the account describes them."""
        known = self.schema.objects.get(kind)
        return known.fields if known else {}

    def planned(self) -> list[Write]:
        """What the cast's events would write, each record of the mapping once."""
        events = (self.cast.created, *self.cast.calls)
        return list({write.name: write for event in events for write in self.way.plan(event).writes}.values())

    def send(self, payload: Mapping[str, Any]) -> Sent:
        """Send an event, and remember the records that exist now. Raises DestinationUnusable."""
        sent = self.way.send(payload)
        if payload["event_type"] != "call.completed":
            self.people.setdefault(payload["id"], {}).update(dict.fromkeys(write.key for write in sent.plan.writes))
        for write in sent.plan.writes:
            answer = sent.answers.get(write.key)
            if answer is not None and answer.crm_id is not None:
                self.written.setdefault(write.key, Written(write, answer.crm_id))
                self.answers.setdefault(write.key, answer)
        return sent

    def person(self, part: int = 0) -> Written | None:
        """The record of the first or the second person, if it exists."""
        identity = (self.cast.first, self.cast.second)[part]["id"]
        mine = [self.written[key] for key in self.people.get(identity, ()) if key in self.written]
        return max(mine, key=lambda written: bool(written.write.carries), default=None)


def with_person(stage: Stage, what: str, act: Callable[[Stage, Written], Iterable[Tried]], part: int = 0) -> Step:
    """Return a step on the record of a person, which is not tried without one."""

    def once() -> Iterator[Tried]:
        person = stage.person(part)
        yield from act(stage, person) if person else [untried(what, "the person was not written")]

    return what, once
