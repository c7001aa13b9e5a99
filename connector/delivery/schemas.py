"""The CRM's own schema of a destination: asked for, kept in the store, and known to every lane."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Final

from connector.delivery.route import Route
from connector.destinations.base import another_account
from connector.errors import ACCOUNT_WIDE, DestinationUnusable, PauseReason
from connector.mapping import Mapping
from connector.mapping.target import TargetSchema
from connector.store import Store

ASK_EVERY: Final = 6 * 3600.0
ASK_AGAIN: Final = 60.0
"""Seconds until the CRM is asked for its schema again: after it answered, and after it could not."""

SHARED: Final = 5.0
"""Seconds for which lanes share the news that the schema cannot be had."""

_OF_THE_ACCOUNT: Final = ACCOUNT_WIDE - {PauseReason.PERMISSIONS, PauseReason.CONFIGURATION, PauseReason.OUTAGE}
"""Why the schema cannot be had where records cannot be written either. Otherwise only the schema may be refused."""


@dataclass(slots=True)
class Schema:
    """What is known of one destination's schema. Its owner's lock guards it.

    known: the objects described so far. failure, failed_at: why and when it could not be had. is_partial: whether the
    CRM described some objects and refused others. clock: only goes forward.
    """

    route: Route
    store: Store
    clock: Callable[[], float]
    known: TargetSchema | None = None
    failure: DestinationUnusable | None = None
    failed_at: float = -inf
    is_partial: bool = False

    def covers(self, mapping: Mapping) -> bool:
        """Whether every object of a mapping is described."""
        return self.known is not None and self.known.objects.keys() >= set(mapping.objects)

    def recall(self, mapping: Mapping) -> float:
        """Know what is kept; return how many seconds ago the CRM said so, or infinity if something is missing."""
        kept = self.store.descriptions.of(self.route.name, mapping.objects)
        if kept.objects:
            crm = mapping.crm
            self._know(TargetSchema(label=crm.account, crm=crm.name, objects=dict(kept.objects)))
        return kept.age / 1000 if self.covers(mapping) else inf

    def ask(self, mapping: Mapping) -> bool:
        """Ask the CRM for it as it is now, and keep it; return whether it said. What was known is better than none."""
        destination, name = self.route.destination, self.route.name
        try:
            account, ours = destination.account(), self.store.accounts.of(name)
            if account and ours and account.id != ours.id:
                raise another_account(destination.crm, ours, account, name)
            schema = destination.describe(mapping.objects)
        except DestinationUnusable as error:
            self.failure, self.failed_at = error, self.clock()
            return False
        self.store.descriptions.keep(name, set(mapping.objects) - schema.unread.keys(), schema.objects)
        self.failure, self.is_partial = None, bool(schema.unread)
        self._know(self._with_kept(schema))
        return True

    def _with_kept(self, schema: TargetSchema) -> TargetSchema:
        """A schema with the objects that the CRM described before, and refuses to describe now."""
        if not schema.unread:
            return schema
        kept = self.store.descriptions.of(self.route.name, schema.unread.keys()).objects
        unread = {name: why for name, why in schema.unread.items() if name not in kept}
        return schema.model_copy(update={"objects": {**kept, **schema.objects}, "unread": unread})

    def missing(self) -> DestinationUnusable | None:
        """Return why the account cannot be used, if that is why nothing is known."""
        error = self.failure if self.known is None else None
        return error if error and error.reason in _OF_THE_ACCOUNT else None

    def may_ask(self) -> bool:
        """Whether it is time to try again after a failure."""
        return self.clock() >= self.failed_at + SHARED

    def forget(self) -> None:
        """Know nothing any more."""
        self.known, self.failure, self.failed_at = None, None, -inf

    def _know(self, schema: TargetSchema) -> None:
        self.known = schema
        self.route.destination.recall(schema)
