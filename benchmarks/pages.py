"""The console's pages over a store, as somebody who is signed in sees them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial

from werkzeug.security import generate_password_hash

from connector.store import Store
from connector.store.agencies import Terms
from connector.web.console import create_console
from connector.web.health import create_admin
from connector.web.passwords import Passwords

PASSWORD = "correct horse battery staple"  # noqa: S105  # of a database that lasts as long as the benchmark
HASH = generate_password_hash(PASSWORD, "scrypt:1024:8:1")  # a cheap one: only sign-in would measure it
METRICS = "/metrics"


def paths(message_id: str, customer: str, cause: str, day: str) -> list[str]:
    """List the console's pages about an event, a customer, a cause of dead letters and a day of agency `bench`."""
    pages = [
        "", "/events", "/events?state=dead", "/events?state=skipped", "/events?code=CAUSE_0", "/events?agency=bench",
        "/events?type=call.completed", f"/events?customer_id={customer}", f"/events?since={day}T00:00",
        f"/events?message_id={message_id}", f"/events/{message_id}", "/problems", f"/problems/{cause}",
        f"/problems/{cause}/replay", "/complete", "/people", f"/people/bench/{customer}", "/consent", "/identity",
        f"/why?id={customer}", "/mapping", "/log", "/accounts",
    ]  # fmt: skip
    return [*(f"/console{page}" for page in pages), METRICS]


class Pages:
    """A browser that is signed in to a store's console. Raises AssertionError where a page is not shown."""

    def __init__(self, store: Store) -> None:
        store.agencies.announce([Terms("bench", reveal_values=True, dead_letter_days=90)])
        console = create_console(store, Passwords(HASH), b"a signing key of the benchmarks")
        self._browser = create_admin(store, [console]).test_client()
        token = re.search(r'name="token" value="([^"]+)"', self._browser.get("/console/login").text)
        assert token is not None
        form = {"token": token[1], "password": PASSWORD}
        assert self._browser.post("/console/login", data=form).status_code == 303

    def show(self, path: str) -> None:
        """Get a page."""
        answer = self._browser.get(path)
        assert answer.status_code == 200, f"{path}: {answer.status_code}"
        assert path != METRICS or "connector_opt_outs_waiting" in answer.text, "the metrics lack what the store holds"

    def measures(self, names: Mapping[str, str]) -> dict[str, Callable[[], None]]:
        """Return what gets each page. names: by path, the same at every size."""
        return {f"page: {name}": partial(self.show, path) for path, name in names.items()}
