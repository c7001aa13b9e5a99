"""The portal as its sandbox's page shows it, and what people do to it there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from flask import Response

from connector.sandbox.hubspot import HubSpotSandbox
from connector.sandbox.hubspot.merging import merge, restore
from connector.sandbox.hubspot.records import Record
from connector.sandbox.hubspot.replies import JSON_TYPE, Refusal
from connector.sandbox.hubspot.users import OWNERS, Users
from connector.sandbox.page.desk import Card, Field, NotDone, Row, Trouble

_TITLES: Final = (
    *("email", "name", "dealname", "subject", "hs_call_title", "hs_task_subject", "hs_meeting_title"),
    "hs_email_subject",
)
_NEVER_MERGED: Final = ("calls", "notes", "meetings", "tasks", "emails")


class HubSpotDesk:
    """One portal. Callers hold its lock."""

    crm = "HubSpot"

    def __init__(self, wire: HubSpotSandbox) -> None:
        self.wire, self.state, self.history = wire, wire.state, wire.state.history
        self.users = Users(wire.owners)
        lost = "The portal writes what was asked for, then the connection breaks before its reply."
        troubles = (
            Trouble("limit", "Rate limit", "429, ten seconds' calls are used up.", self._limit),
            Trouble("outage", "Outage", "503 with a page instead of HubSpot's reply.", self._outage),
            Trouble("lost", "Lost reply", lost, wire.lose_replies),
            Trouble("session", "Revoked access token", "401, as after somebody rotates the token.", self._expire),
        )
        self.troubles = {trouble.name: trouble for trouble in troubles}

    def _limit(self, times: int) -> None:
        self.wire.fault("/", self.wire.rate_limited(), times=times)

    def _outage(self, times: int) -> None:
        self.wire.fault("/", self.wire.html(503), times=times)

    def _expire(self, times: int) -> None:
        body = Refusal(401, "Authentication credentials not found.", "INVALID_AUTHENTICATION").body()
        self.wire.fault("/", Response(json.dumps(body), 401, content_type=JSON_TYPE), times=times)

    def counts(self) -> Mapping[str, tuple[int, int]]:
        deleted = [kind for kind, _ in self.state.deleted]
        counts = {kind: (len(records), deleted.count(kind)) for kind, records in self.state.held.items()}
        return {**counts, OWNERS: self.users.count()}

    def rows(self, kind: str, words: str, *, deleted: bool) -> list[Row]:
        if kind == OWNERS:
            return self.users.rows(words, deleted=deleted)
        gone = [record for (name, _), record in self.state.deleted.items() if name == kind]
        held = gone if deleted else self.state.held[kind].values()
        return [self._row(record) for record in reversed(list(held)) if _has(record, words.lower())]

    def card(self, kind: str, id: str) -> Card | None:
        if kind == OWNERS:
            return self.users.card(id)
        record = self.state.held[kind].get(id) or self.state.deleted.get((kind, id))
        if record is None:
            return None
        values = record.shown()["properties"]
        fields = [Field(own.name, values.get(own.name), not own.read_only) for own in self.state.schema[kind].values()]
        ends = [link[2:] for link in self.state.links if link[:2] == (kind, id)]
        ends += [link[:2] for link in self.state.links if link[2:] == (kind, id)]
        links = [(name, self._row(self.state.held[name][own])) for name, own in sorted(set(ends))]
        return Card(self._row(record), fields, links)

    def _row(self, record: Record) -> Row:
        own = record.properties
        person = f"{own.get('firstname', '')} {own.get('lastname', '')}".strip()
        title = person or next((own[name] for name in _TITLES if own.get(name)), record.id)
        schema = self.state.schema[record.kind]  # without properties that were archived since
        unique = [text for name, text in own.items() if name in schema and schema[name].unique]
        is_deleted = record.id not in self.state.held[record.kind]
        return Row(record.kind, record.id, title, " · ".join(unique), is_deleted)

    def opted_out(self) -> list[tuple[str, Row | None]]:
        people: list[tuple[str, Row | None]] = []
        for address in sorted(self.state.opted_out):
            holder = self.state.unique.get(("contacts", "email", address))
            people.append((address, self._row(self.state.held["contacts"][holder]) if holder else None))
        return people

    def create(self, kind: str, texts: Mapping[str, str]) -> str:
        if kind == OWNERS:
            return self.users.create(texts)
        try:
            return self.state.create(kind, dict(texts)).id
        except Refusal as refusal:
            raise NotDone(refusal.message) from None

    def edit(self, kind: str, id: str, field: str, text: str) -> None:
        self._held(kind, id)
        try:
            self.state.update(kind, id, {field: text})
        except Refusal as refusal:
            raise NotDone(refusal.message) from None

    def _held(self, kind: str, id: str) -> None:
        if id not in self.state.held.get(kind, {}):
            raise NotDone(f"{kind} has no record with the ID {id}")

    def delete(self, kind: str, id: str) -> None:
        if kind == OWNERS:
            self.users.archive(id, archived=True)
        else:
            self._held(kind, id)
            self.state.forget(kind, id)

    def restore(self, kind: str, id: str) -> None:
        if kind == OWNERS:
            self.users.archive(id, archived=False)
            return
        if (kind, id) in self.state.merged:
            raise NotDone(f"it was merged into {self.state.merged[kind, id]}")
        if (kind, id) not in self.state.deleted:
            raise NotDone("it is not deleted")
        restore(self.state, kind, id)

    def merge(self, kind: str, loser: str, winner: str) -> str:
        self._held(kind, loser)
        self._held(kind, winner)
        if kind in _NEVER_MERGED:
            raise NotDone(f"HubSpot does not merge {kind}")
        if loser == winner:
            raise NotDone("this is the record itself")
        return merge(self.state, kind, loser, winner, self.wire.merging).id


def _has(record: Record, words: str) -> bool:
    return words in record.id or any(words in text.lower() for text in record.properties.values())
