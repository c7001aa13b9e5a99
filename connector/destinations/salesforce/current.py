"""Current at records by their ids, deleted ones included: what became of them, and what they show."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from pydantic import ValidationError

from connector.destinations.base import Current
from connector.destinations.salesforce import values
from connector.destinations.salesforce.api_error import ApiError
from connector.destinations.salesforce.client import Client
from connector.destinations.salesforce.composite import Part, Parts
from connector.destinations.salesforce.merged import Survivors
from connector.destinations.salesforce.pages import Pages
from connector.destinations.salesforce.reads import Reader
from connector.destinations.salesforce.schema import Described
from connector.model import Value

_QUERIES: Final = 5
"""Queries in one composite call, which counts as one call: https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_composite_composite.htm."""
_MOST: Final = 400
_LONGEST: Final = 14_000
"""URL-encoded bytes of one query, as of a search."""
_CONTACT: Final = "003"
_BECAME: Final = "ConvertedContactId"
_MASKED: Final = "encryptedstring"
"""The type of a field whose value is shown masked."""


@dataclass(frozen=True, slots=True)
class Presence:
    """Looks at records of one account. follows: whether a converted lead is known by the contact it became.

    Every method may raise DestinationUnusable.
    """

    client: Client
    reader: Reader
    survivors: Survivors
    follows: bool = True

    def at(self, object: str, ids: Sequence[str], fields: Sequence[str]) -> dict[str, Current]:
        """What is there now of these records."""
        if object != "Lead":
            return self._at(object, ids, fields)
        contacts = [crm_id for crm_id in ids if crm_id.startswith(_CONTACT)]  # a converted lead is known by its contact
        leads = self._at(object, [crm_id for crm_id in ids if crm_id not in contacts], fields)
        return leads | (self._as_contacts(contacts, fields) if contacts else {})

    def _as_contacts(self, ids: Sequence[str], fields: Sequence[str]) -> dict[str, Current]:
        """Leads that became contacts: of their fields, people set most when they convert one; checkboxes are kept."""
        described = self.reader.known("Contact") or self.reader.describe("Contact")
        kinds = {own.name.lower(): own.type for own in described.fields} if described else {}
        return self._at("Contact", ids, [name for name in fields if kinds.get(name.lower()) == "boolean"])

    def _at(self, object: str, ids: Sequence[str], fields: Sequence[str]) -> dict[str, Current]:
        wanted = sorted({whole for crm_id in ids if (whole := values.full_id(crm_id))})
        if not wanted:
            return {}
        known = self.reader.known(object)
        rows = self._rows(object, known.fields, wanted, fields) if known else None
        if rows is None:  # it was never described, or a field is hidden since
            described = self.reader.describe(object)
            rows = self._rows(object, described.fields, wanted, fields) if described else None
        looks = self._looks(object, rows or {}, fields)
        return {crm_id: looks[whole] for crm_id in ids if (whole := values.full_id(crm_id)) in looks}

    def _rows(
        self, object: str, described: Sequence[Described], wanted: Sequence[str], fields: Sequence[str]
    ) -> dict[str, dict[str, Any]] | None:
        """The rows by id, with field names in lower case; None where a query is refused."""
        visible = {own.name.lower() for own in described if own.type != _MASKED}
        extra = [name for name in ("MasterRecordId", _BECAME) if name.lower() in visible]
        names = dict.fromkeys(["Id", "IsDeleted", *extra, *(name for name in fields if name.lower() in visible)])
        head = " ".join(("SELECT", ", ".join(names), "FROM", object, "WHERE Id IN"))
        room = max(_LONGEST - len(quote(head)), 1_000)
        queries = [
            f"{head} ({','.join(portion)})"
            for portion in values.portions([f"'{crm_id}'" for crm_id in wanted], _MOST, room)
        ]
        rows: dict[str, dict[str, Any]] = {}
        for start in range(0, len(queries), _QUERIES):
            for reply in self._pages(queries[start : start + _QUERIES]):
                if isinstance(reply, ApiError):
                    return None
                rows |= dict(_entries(reply))
        return rows

    def _pages(self, queries: Sequence[str]) -> Iterator[Any]:
        """The pages of some queries, asked together; an ApiError where one is refused."""
        asked = [
            {"method": "GET", "url": f"{self.client.base}queryAll?q={quote(query)}", "referenceId": f"look{n}"}
            for n, query in enumerate(queries)
        ]
        reply = self.client.call("POST", "composite", json={"allOrNone": False, "compositeRequest": asked})
        parts: list[Part] = []
        with suppress(ValidationError):
            parts = Parts.model_validate(reply, strict=True).parts
        for part in parts:
            if part.status != 200:
                yield ApiError(part.status, "")
            else:
                yield from Pages(self.client, "queryAll", "", first=part.body)

    def _looks(self, object: str, rows: dict[str, dict[str, Any]], fields: Sequence[str]) -> dict[str, Current]:
        looks = {crm_id: _look(row, fields) for crm_id, row in rows.items() if row.get("isdeleted") is False}
        deleted = {crm_id: row.get("masterrecordid") for crm_id, row in rows.items() if row.get("isdeleted") is True}
        looks |= {crm_id: Current(None) for crm_id, winner in deleted.items() if not winner}
        merged = [crm_id for crm_id, winner in deleted.items() if winner]
        became = {c: row[_BECAME.lower()] for c, row in rows.items() if self.follows and row.get(_BECAME.lower())}
        looks |= self._followed(object, self.survivors.of(object, merged) if merged else {}, fields)
        return looks | (self._contacts_of(became, fields) if became else {})

    def _followed(self, object: str, lives: dict[str, str | None], fields: Sequence[str]) -> dict[str, Current]:
        """What merged records became, with what it shows."""
        shown = self._at(object, sorted({own for own in lives.values() if own}), fields) if lives else {}
        return {crm_id: shown.get(own, Current(own)) if own else Current(None) for crm_id, own in lives.items()}

    def _contacts_of(self, became: dict[str, str], fields: Sequence[str]) -> dict[str, Current]:
        shown = self._as_contacts(sorted(set(became.values())), fields)
        return {lead: shown.get(contact, Current(contact)) for lead, contact in became.items()}


def _entries(page: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    records = page.get("records") if isinstance(page, dict) else None
    for record in records if isinstance(records, list) else ():
        named = {name.lower(): value for name, value in record.items()} if isinstance(record, dict) else {}
        whole = values.full_id(named["id"]) if isinstance(named.get("id"), str) else None
        if whole:
            yield whole, named


def _look(row: dict[str, Any], fields: Sequence[str]) -> Current:
    shown = {name: _plain(row[name.lower()]) for name in fields if name.lower() in row}
    return Current(row["id"], {name: value for name, value in shown.items() if not isinstance(value, dict | list)})


def _plain(value: Any) -> Value:
    return None if value == "" else value
