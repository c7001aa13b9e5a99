"""The portal's users on its sandbox's page: those who can own records, and those who left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from connector.sandbox.hubspot.owners import Owner
from connector.sandbox.page.desk import Card, Field, NotDone, Row

OWNERS: Final = "owners"
"""Not an object of the API, which lists owners at an address of their own."""


class Users:
    """The owners that the API lists. A user who left is archived, not deleted."""

    def __init__(self, owners: list[Owner]) -> None:
        self.owners = owners

    def count(self) -> tuple[int, int]:
        archived = sum(owner.archived for owner in self.owners)
        return len(self.owners) - archived, archived

    def rows(self, words: str, *, deleted: bool) -> list[Row]:
        wanted = [owner for owner in reversed(self.owners) if owner.archived == deleted]
        return [_row(owner) for owner in wanted if words.lower() in f"{_name(owner)} {owner.email} {owner.id}".lower()]

    def card(self, id: str) -> Card | None:
        owner = next((owner for owner in self.owners if owner.id == id), None)
        if owner is None:
            return None
        values = {"id": id, "email": owner.email, "firstName": owner.first_name, "lastName": owner.last_name}
        return Card(_row(owner), [Field(name, value, is_editable=False) for name, value in values.items()], [])

    def create(self, texts: Mapping[str, str]) -> str:
        if not texts.get("email"):
            raise NotDone("an owner needs an email; firstName and lastName are optional")
        made = str(max((int(owner.id) for owner in self.owners), default=71_000) + 1)
        self.owners.append(Owner(made, texts["email"], texts.get("firstName", ""), texts.get("lastName", "")))
        return made

    def archive(self, id: str, archived: bool) -> None:
        self.owners[:] = [replace(owner, archived=archived) if owner.id == id else owner for owner in self.owners]


def _name(owner: Owner) -> str:
    return f"{owner.first_name} {owner.last_name}".strip()


def _row(owner: Owner) -> Row:
    return Row(OWNERS, owner.id, _name(owner) or owner.email, owner.email, owner.archived)
