"""Keeps what happens at the gate: in the log, the metrics and the audit log."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from connector.errors import StoreUnavailable
from connector.store import Store
from connector.telemetry import console as telemetry
from connector.web.throttle import Throttle


@dataclass(frozen=True, slots=True)
class Watch:
    """Notes every sign-in, and of refusals a limited number an hour: strangers must not fill the audit log."""

    store: Store
    throttle: Throttle

    def signed_in(self, who: str, how: str) -> None:
        """Somebody is signed in."""
        telemetry.signed_in(who)
        self.note(who, "sign-in", how)

    def not_signed_in(self, who: str, result: str, name: str, why: str = "") -> None:
        """Somebody was not. name: of a person there is, empty for a shared password, or `unknown name`.

        why: more than the result, which is one of few.
        """
        telemetry.not_signed_in(who, result, name, why)
        if self.throttle.may_note():
            more = f" ({why})" if why else ""
            self.note(who, "sign-in refused", f"{name or 'shared password'}: {result}{more}")

    def refused(self, who: str, reason: str, page: str) -> None:
        """A request was refused. page: the name of what it asked for."""
        telemetry.refused(who, reason, page)
        if self.throttle.may_note():
            self.note(who, "refused", f"{reason}: {page.removeprefix('console.')}")

    def note(self, who: str, action: str, thing: str) -> None:
        """Keep something in the audit log, if it can be written."""
        with suppress(StoreUnavailable):
            self.store.audit.note(who, action, thing)
