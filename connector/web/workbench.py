"""What the pages that edit mappings share: the account, its edits, and an edited mapping over the stored events."""

from __future__ import annotations

import secrets
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from flask import abort, g

from connector.insight.accounts import Account, named
from connector.insight.comparison import Comparison
from connector.insight.edits import begun, sharing
from connector.insight.mapping_files import Home, content_of, text_of
from connector.mapping.extending import is_mapping
from connector.mapping.secrecy import masked
from connector.mapping.target import TargetSchema
from connector.store import Store
from connector.store.drafts import Draft, FileEdit
from connector.web.gate import Gate
from connector.web.seen import SeenAccounts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from connector.mapping import Mapping

LAST: Final = 200
"""How many stored events, the newest, an edited mapping is compared over."""
_LOCK_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Workbench:
    """The accounts whose mappings are shown. trying: lets one mapping be tried at a time, for all users."""

    store: Store
    gate: Gate
    accounts: SeenAccounts
    trying: Lock = field(default_factory=Lock)

    def shown(self) -> list[Account]:
        """List the accounts of the agencies that the session sees."""
        return list(self.accounts)

    def account(self, name: str) -> Account:
        """Return an account, the first one for no name."""
        shown = self.shown()
        account = named(shown, name) if name else next(iter(shown), None)
        if account is None:
            abort(404)
        return account

    def home(self, account: Account) -> Home:
        """Return where an account's files are; those of agencies that the session does not see are kept from it."""
        if account.home is None:
            abort(404)
        others = {path for other in self.accounts.unseen() for path in other.files()}
        return replace(account.home, kept=account.home.kept | (others - account.files()))

    def schema(self, account: Account, mapping: Mapping | None) -> TargetSchema | None:
        """Return the CRM's schema for its labels: the saved one, or what the CRM said to a worker."""
        saved = account.saved_schema()
        if saved is not None or mapping is None:
            return saved
        kept = self.store.descriptions.of(account.name, mapping.objects).objects
        return TargetSchema(crm=mapping.crm.name, objects=dict(kept))

    def draft(self, id: str) -> tuple[Account, Home, Draft]:
        """Return an edit with its account; say that it is gone, as after a second click on its button."""
        draft = self.store.drafts.get(id) if id else None
        if draft is None:
            abort(self.gate.back("console.mappings", "This edit was published or discarded meanwhile."))
        account = self.account(draft.destination)
        return account, self.home(account), draft

    def file(self, account: Account, home: Home, name: str) -> str:
        """Return a file's name if the session may edit it; the mapping's own file for no name."""
        name = name or home.root.name
        place = home.place(name)
        text = text_of(content_of(place) or b"")
        is_shown = not text or is_mapping(text) or (place in account.files() and masked(text) == text)
        if home.name(place) != name or not name.isprintable() or not is_shown:
            abort(404)
        if sharing(account, self.accounts.unseen(), {place: b""}):
            abort(403)
        return name

    def begin(self, account: Account, page: str, files: dict[str, FileEdit]) -> Draft:
        """Keep a new edit."""
        return self.store.drafts.begin(secrets.token_hex(8), account.name, g.session.name, page, files)

    def edit(self, home: Home, draft: Draft | None, name: str) -> FileEdit:
        """Return the edit of a file so far."""
        return draft.files[name] if draft and name in draft.files else begun(home, name)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Let one mapping be tried at a time."""
        if not self.trying.acquire(timeout=_LOCK_SECONDS):
            abort(503)
        try:
            yield
        finally:
            self.trying.release()

    def compared(self, account: Account, would_be: Mapping | None, was: Mapping | None = None) -> dict[str, Any] | None:
        """Compare two mappings over the newest stored events; None if that cannot be. was: the file's, by default.

        What somebody makes up is compared with an entry in the audit log: its conditions can ask for a person's values.
        """
        made_up = was is None
        was = was or account.mapping
        if was is None or would_be is None or was.crm != would_be.crm:
            return None
        route = account.route(was)
        if route is None:
            return None
        if made_up:
            self.store.audit.note(g.session.name, "compare mapping", account.name, agency=account.agency)
        comparison = Comparison(self.store, route, would_be, LAST)
        with self.alone():
            for _ in comparison:
                continue
        return comparison.as_data()
