"""The Complete page: is everybody here, is it in the CRM, and what was done for it."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Response

from connector.insight.complete import MEANING, TO_DO, complete
from connector.store import Store
from connector.web.gate import Gate


@dataclass(frozen=True, slots=True)
class Completes:
    """The page that says what the comparisons with careCycle and with each CRM found."""

    store: Store
    gate: Gate

    def complete(self) -> Response:
        """Show both comparisons, the runs over everybody, and what operators did about them."""
        now = self.store.database.time()
        return self.gate.show("complete", now=now, view=complete(self.store), meaning=MEANING, to_do=TO_DO)
