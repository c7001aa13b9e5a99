"""The Why page: for one customer or call, each CRM field and the event that wrote it."""

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
    """The page that explains a customer's or call's CRM records."""

    store: Store
    gate: Gate
    accounts: Sequence[Account]

    def why(self) -> Response:
        """Show the form, and the explanation for the id entered."""
        wanted = asked("id")
        answer = explain(self.store, wanted, self.accounts) if wanted else None
        return self.gate.show("why", 404 if wanted and answer is None else 200, asked=wanted, answer=answer)
