"""The way of a trial's events: planned, merged, looked up, decided and written as usual, with a ledger in memory."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from connector.carecycle import recognise
from connector.delivery.answer import Answer
from connector.delivery.consent import States
from connector.delivery.prepare import prepare
from connector.delivery.remember import remember
from connector.delivery.route import Route
from connector.delivery.settle import Circumstances, consents_after, settle_delivery
from connector.errors import DestinationUnusable
from connector.insight.stand_in import Overlay
from connector.mapping.planning import plan
from connector.mapping.target import TargetSchema
from connector.model import Delivery, Entry, Plan, RecordKey
from connector.settlement import Claim, Settled
from connector.settlement.gaps import Doubt
from connector.store.seal import Digests

_NAME: Final = "trial"


class _Nothing:
    """The ledger of an account to which nothing was ever written."""

    def entries(self, destination: str, keys: Collection[RecordKey]) -> dict[RecordKey, Entry]:
        """Return no entry."""
        return {}

    def consents(self, destination: str, customers: Collection[str]) -> dict[str, States]:
        """Return no consent."""
        return {}

    def doubt(self) -> Doubt | None:
        """Return no restore."""
        return None

    def claim(self, destination: str, wanted: Collection[Claim]) -> Collection[Claim]:
        """Let everything be claimed."""
        return ()

    def taken(self, destination: str, wanted: Collection[Claim]) -> Collection[Claim]:
        """Return nothing: nobody has claimed anything."""
        return ()

    def owners(self, destination: str, wanted: Collection[Claim]) -> Mapping[Claim, RecordKey | None]:
        """Return nothing: nothing is anybody's."""
        return {}


@dataclass(frozen=True, slots=True)
class Known:
    """Implements delivery.fitting.Describing with a schema that was just read."""

    schema: TargetSchema

    def missing(self) -> DestinationUnusable | None:
        """Return None: it is known."""
        return None

    def again(self) -> TargetSchema | None:
        """Return it."""
        return self.schema

    def forget(self) -> None:
        """Keep it: a trial serves one account."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of one event: how it was settled, and the answer for each of its records."""

    plan: Plan
    answers: Mapping[RecordKey, Answer]
    settled: Settled | None


@dataclass(slots=True)
class Way:
    """Sends events one by one. now: epoch ms."""

    route: Route
    now: int
    _ledger: Overlay = field(default_factory=lambda: Overlay(_Nothing()))
    _digests: Digests = field(default_factory=lambda: Digests(secrets.token_bytes(32)))
    _sent: int = 0

    def plan(self, payload: Mapping[str, Any]) -> Plan:
        """Return what an event would write."""
        return self._planned(payload)[1]

    def _planned(self, payload: Mapping[str, Any]) -> tuple[Delivery, Plan]:
        reading = recognise.read(payload, _NAME)
        assert reading is not None  # the samples have known types
        self._sent += 1
        event = reading.event(_NAME, f"{_NAME}-{self._sent}", self.now)
        delivery = Delivery(self._sent, 0, self.now, event, self._sent)
        return delivery, plan(event, self.route.mapping, timezone=self.route.timezone)

    def send(self, payload: Mapping[str, Any]) -> Sent:
        """Write an event to the CRM. Raises DestinationUnusable."""
        delivery, planned = self._planned(payload)
        route, ledger = self.route, self._ledger
        how = (self._digests, lambda _: None, lambda: self.now)
        folded, states, writing = prepare([(delivery, planned)], route, ledger, *how, version=route.mapping.version)
        writing.run(folded)
        answers = writing.answers
        ledger.keep(
            {kept.key: kept.entry for answer in answers.values() if (kept := remember(answer, writing.digest))},
            consents_after(states, answers.values()),
        )
        if writing.unusable is not None:
            raise writing.unusable
        asked = {fold.write.key for fold in folded}
        around = Circumstances(self.now, lambda: 0.0)
        return Sent(planned, answers, settle_delivery(delivery, planned, asked, answers, around))
