"""What the console shows while the database cannot be used, and how it finds that out without waiting long."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Final

from flask import Response, g, make_response, render_template, request

from connector.errors import StoreUnavailable
from connector.store import Store
from connector.store.meaning import is_damage, is_read_only
from connector.web.readiness import Shared

_AGAIN: Final = 10
"""Seconds after which a browser loads the page again."""


class Reach:
    """Asks the database before each page, once for all that ask meanwhile, and notes when that was."""

    def __init__(self, store: Store) -> None:
        database, reader = store.database, ThreadPoolExecutor(1, thread_name_prefix="reach")

        def ask() -> str:
            database.moment()
            return database.damage.known()

        self._answer, self._now = Shared(lambda: reader.submit(ask)), database.time

    def look(self) -> None:
        """Before a page: note in `g` how the database is damaged. Raises StoreUnavailable if it does not answer."""
        if not g.token or request.endpoint == "console.logout":
            return
        try:
            g.damage = self._answer.ask()
        except TimeoutError:
            raise StoreUnavailable("database", f"has not answered for {self._answer.waited():.0f} s") from None
        g.reached, g.now = True, self._now()


def outage_page(problem: str, detail: str, since: int = 0) -> Response:
    """Show why there is no page, what that means and what to do. problem: of a StoreUnavailable.

    since: when the database last answered (epoch ms), 0 for not yet.
    """
    kind, acting = _kind(problem), request.method not in ("GET", "HEAD")
    again = _AGAIN if kind in ("away", "failed") and not acting else 0
    values = {"outage": True, "kind": kind, "acting": acting, "again": again, "since": since, "detail": detail}
    page = render_template("console/outage.html", session=g.get("session"), **values)
    answer = make_response(page, 503, {"Retry-After": str(_AGAIN)})
    if again:
        answer.headers["Refresh"] = str(again)  # needs no JavaScript
    return answer


def _kind(problem: str) -> str:
    if is_damage(problem):
        return "damaged"
    if is_read_only(problem):
        return "read-only"
    return "failed" if g.get("reached") else "away"
