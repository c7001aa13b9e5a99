"""The users of a portal who can own records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from connector.sandbox.hubspot.replies import iso


@dataclass(frozen=True, slots=True)
class Owner:
    """A portal user who can own records."""

    id: str
    email: str
    first_name: str
    last_name: str
    archived: bool = False


OWNERS: Final = (
    Owner("71001", "priya@youragency.com", "Priya", "Shah"),
    Owner("71002", "marcus@youragency.com", "Marcus", "Bell"),
    Owner("71003", "dana@youragency.com", "Dana", "Ortiz"),
    Owner("71004", "former@youragency.com", "Former", "Colleague", archived=True),
)


def page(owners: Sequence[Owner], query: Mapping[str, str], now: float) -> dict[str, Any]:
    """Return a page of the owners that a query string selects: by email, archived or not."""
    email, archived = query.get("email", "").lower(), query.get("archived", "false") == "true"
    selected = [owner for owner in owners if owner.archived == archived and email in ("", owner.email.lower())]
    limit, after = int(query.get("limit", 100)), int(query.get("after", 0))
    results = [_shown(owner, now) for owner in selected[after : after + limit]]
    more = {"paging": {"next": {"after": str(after + limit)}}} if len(selected) > after + limit else {}
    return {"results": results, **more}


def _shown(owner: Owner, now: float) -> dict[str, Any]:
    user = int(owner.id) + 5_000_000
    names = {"firstName": owner.first_name, "lastName": owner.last_name}
    users = {"userId": user, "userIdIncludingInactive": user}
    times = {"createdAt": iso(now), "updatedAt": iso(now)}
    return {
        "id": owner.id,
        "email": owner.email,
        "type": "PERSON",
        **names,
        **users,
        "archived": owner.archived,
        **times,
    }
