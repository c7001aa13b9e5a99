"""The page that tells why: of one customer or call, each CRM field and the event behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flask import Response

from connector.insight.accounts import Account
from connector.insight.explain import explain
from connector.store import Store
from connector.web.gate import Gate
from connector.web.pages import asked


@dataclass(frozen=True, slots=True)
class Whys:
    """Asks for an id, and tells."""

    store: Store
    gate: Gate
    accounts: Sequence[Account]

    def why(self) -> Response:
        """The form, and what is known of the id asked for."""
        wanted = asked("id")
        told = explain(self.store, wanted, self.accounts) if wanted else None
        return self.gate.show("why", 404 if wanted and told is None else 200, asked=wanted, told=told)
