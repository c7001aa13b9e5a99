"""The read-only pages: events, one event."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flask import Response, g, request

from connector.insight.accounts import Account
from connector.insight.oddities import what_came
from connector.insight.story import Story, story, story_revealed
from connector.store import Store
from connector.store.agencies import NOTICE_DAYS
from connector.store.desk import Filter
from connector.web import words
from connector.web.gate import Gate
from connector.web.rights import Right
from connector.web.times import Times


def asked(name: str) -> str:
    """A query parameter, without NUL, which PostgreSQL's text cannot hold."""
    return request.args.get(name, "").replace("\0", "").strip()


def given_reason() -> str:
    """Why somebody does what a form asks for; the store cuts and cleans it."""
    return request.form.get("reason", "")


@dataclass(frozen=True, slots=True)
class Pages:
    """The pages of events."""

    store: Store
    gate: Gate
    accounts: Sequence[Account] = ()

    @property
    def _times(self) -> Times:
        return Times.of(self.accounts)

    def event(self, message_id: str) -> Response:
        """Show one event's story, with links to its CRM records."""
        return self._event(message_id, None if "\0" in message_id else story(self.store, message_id))

    def reveal(self, message_id: str) -> Response:
        """Show one event's story with its values, only in answer to a form: no URL contains the reason or a value."""
        reason, who = given_reason(), g.session.name
        masked = None if "\0" in message_id else story(self.store, message_id)
        if masked is None or not reason.strip():
            return self._event(message_id, masked, "Enter a reason first." if masked else "")
        return self._event(message_id, story_revealed(self.store, message_id, who, reason), revealed=True)

    def _event(self, message_id: str, shown: Story | None, problem: str = "", *, revealed: bool = False) -> Response:
        if shown is None:
            return self.gate.show("unknown_event", 404, message_id=message_id)
        first, links = shown.deliveries[0], {account.name: account.link for account in self.accounts}
        lines = self.store.event_lists.page(Filter(message_id=shown.message_id)).lines
        return self.gate.show(
            "event",
            400 if problem else 200,
            states=words.STATES,
            story=shown,
            odd=[what_came(field) for field in shown.odd],
            first=first,
            lines=lines,
            raised=lines[0].raised if lines else (),
            links=links,
            payload=words.by_privacy(shown.payload),
            undecrypted=shown.undecrypted,
            revealable=g.session.may(Right.COMPLY) and self.store.reveal.allowed(first.agency) and not revealed,
            revealed=revealed,
            problem=problem,
        )


def expiring(store: Store) -> dict[str, Any]:
    """The figures of the notice about dead letters that will soon be discarded."""
    return {"expiring": sum(store.agencies.expiring().values()), "notice_days": NOTICE_DAYS}
