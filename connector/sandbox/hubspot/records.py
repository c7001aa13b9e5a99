"""A portal's data: records, their unique values, links between them, opted-out addresses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from connector.sandbox.history import History
from connector.sandbox.hubspot.portal import PORTAL, TYPE_IDS, UI_DOMAIN, Property
from connector.sandbox.hubspot.replies import Refusal, clash, invalid, iso, not_found, problem
from connector.sandbox.hubspot.values import accept, calculated

STAGE = "lifecyclestage"
Link = tuple[str, str, str, str]
"""From type, from id, to type, to id."""


@dataclass(slots=True)
class Record:
    """A CRM record. `before`: the properties that the search index shows until it catches up (None: no record)."""

    kind: str
    id: str
    created: float
    updated: float
    properties: dict[str, str] = field(default_factory=dict)
    before: dict[str, str] | None = None

    def shown(self, names: list[str] | None = None) -> dict[str, Any]:
        """Build the record as HubSpot returns it; requested properties without a value are null."""
        stamps = {"createdate": iso(self.created), "lastmodifieddate": iso(self.updated), "hs_object_id": self.id}
        values: dict[str, str | None] = {**stamps, **self.properties}
        asked = {**values, **calculated(self.properties)}
        chosen = values if names is None else {**stamps, **{name: asked.get(name) for name in names}}
        times = {"createdAt": iso(self.created), "updatedAt": iso(self.updated)}
        return {"id": self.id, "properties": chosen, **times, "archived": False, "url": self._address()}

    def _address(self) -> str:
        return f"https://{UI_DOMAIN}/contacts/{PORTAL}/record/{_type_id(self.kind)}/{self.id}"


_PERSON = {"sourceType": "CRM_UI", "sourceId": "userId:71001", "updatedByUserId": 71001}


def _type_id(kind: str) -> str:
    return next((number for number, name in TYPE_IDS.items() if name == kind), kind)


class Records:
    """The portal's data. Callers hold the sandbox's lock.

    first_stage: the lifecycle stage that a new contact without one gets; HubSpot's own is lead.
    """

    def __init__(self, schema: dict[str, dict[str, Property]], clock: Callable[[], float], *, strict: bool) -> None:
        self.schema, self.clock, self.strict, self.first_stage = schema, clock, strict, ""
        self.held: dict[str, dict[str, Record]] = {name: {} for name in schema}
        self.unique: dict[tuple[str, str, str], str] = {}
        self.links: set[Link] = set()
        self.opted_out: set[str] = set()
        self.merged: dict[tuple[str, str], str] = {}
        self.deleted: dict[tuple[str, str], Record] = {}
        self.names_holders = True
        self.history = History(clock)
        self._next = 1000
        self._undo: list[tuple[str, str, Record | None]] | None = None

    def kind(self, name: str) -> str:
        """Return an object's name, given its name or type id."""
        kind = TYPE_IDS.get(name, name)
        if kind not in self.held:
            raise Refusal(400, f"Unable to infer object type from: {name}", None)
        return kind

    def find(self, kind: str, key: str, value: str) -> str | None:
        """Return the id of the record whose `key` is `value`, or whose id it is when key is empty."""
        if key in ("", "hs_object_id"):
            value = self.merged.get((kind, value), value)
            return value if value in self.held[kind] else None
        definition = self.schema[kind].get(key)
        if definition is None or not definition.unique:
            what = f"{_type_id(kind)} property {key} in portal ID {PORTAL}"
            raise Refusal(400, f"Unable to perform update/upsert by non-unique {what}")
        return self.unique.get((kind, key, value.lower()))

    def get(self, kind: str, key: str, value: str) -> Record:
        """Return the record whose `key` is `value`. Raises a Refusal with 404."""
        identity = self.find(kind, key, value)
        if identity is None:
            raise not_found()
        return self.held[kind][identity]

    def create(self, kind: str, properties: dict[str, Any]) -> Record:
        """Create a record. Raises Refusal for an invalid property."""
        kept = self._accepted(kind, None, properties)
        missing = [own.name for own in self.schema[kind].values() if own.required and not kept.get(own.name)]
        if missing:
            message = f"Error creating {kind[:-1].upper()}. Some required properties were not set."
            raise Refusal(400, message, context={"properties": missing})
        now = self.clock()
        record = Record(kind, self.new_id(), now, now)
        if kind == "contacts" and self.first_stage and not kept.get(STAGE):
            kept[STAGE] = self.first_stage
        self.put(kind, record, kept)
        return record

    def update(self, kind: str, identity: str, properties: dict[str, Any]) -> Record:
        """Update a record. Raises Refusal for an invalid property."""
        kept = self._accepted(kind, identity, properties)
        old = self.held[kind][identity]
        if self._moves_back(kind, old, kept):
            del kept[STAGE]
        record = Record(kind, identity, old.created, self.clock(), dict(old.properties), old.properties)
        self.put(kind, record, kept)
        return record

    def _moves_back(self, kind: str, old: Record, kept: dict[str, str]) -> bool:
        """Whether a stage would move backward, which HubSpot silently ignores unless the stage is cleared first."""
        if not kept.get(STAGE) or STAGE not in old.properties:
            return False
        order = self.schema[kind][STAGE].options
        return order.index(kept[STAGE]) < order.index(old.properties[STAGE])

    def forget(self, kind: str, identity: str) -> None:
        """Delete a record, its unique values and its links."""
        self._journal(kind, identity)
        self.history.add(kind, identity, "deleted")
        self.deleted[kind, identity] = self.held[kind].pop(identity)
        self.unique = {key: holder for key, holder in self.unique.items() if (key[0], holder) != (kind, identity)}
        self.links = {link for link in self.links if (kind, identity) not in (link[:2], link[2:])}

    def _accepted(self, kind: str, identity: str | None, properties: dict[str, Any]) -> dict[str, str]:
        if not isinstance(properties, dict):
            raise Refusal(400, "Invalid input JSON: properties must be an object")
        kept, problems = {}, []
        for name, value in properties.items():
            kept[name], wrong = accept(self.schema[kind].get(name), name, value, strict=self.strict)
            problems += [wrong] if wrong else []
        problems += self._clashes(kind, identity, kept) if not problems else []
        if problems:
            raise invalid(problems)
        return kept

    def _clashes(self, kind: str, identity: str | None, kept: dict[str, str]) -> list[dict[str, Any]]:
        problems = []
        for name, value in kept.items():
            owner = self.unique.get((kind, name, value.lower())) if value else None
            if owner is None or owner == identity:
                continue
            if name == "email":
                raise clash(owner, named=self.names_holders)
            place = f"PropertyValueCoordinates{{portalId={PORTAL}, propertyName={name}, value={value}}}"
            text = f"Cannot set {place} on {identity or 'a new record'}. {owner} already has that value."
            problems.append(problem(name, "CONFLICTING_UNIQUE_VALUE", text))
        return problems

    def new_id(self) -> str:
        self._next += 1
        return str(self._next)

    def put(self, kind: str, record: Record, kept: dict[str, str]) -> None:
        """Store a record with these properties changed, unchecked."""
        self._journal(kind, record.id)
        old = self.held[kind].get(record.id)
        if old:
            self._index(kind, old, present=False)
        record.properties = {name: text for name, text in {**record.properties, **kept}.items() if text != ""}
        if record.properties.get("email") in self.opted_out:
            record.properties["hs_email_optout"] = "true"
        self.held[kind][record.id] = record
        self._index(kind, record, present=True)
        self.history.add(
            kind, record.id, "changed" if old else "created", old.properties if old else {}, record.properties
        )

    def past(self, kind: str, identity: str, names: list[str]) -> dict[str, list[dict[str, Any]]]:
        """The values these properties had, the newest first, each with who set it."""
        past: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
        for change in self.history.changes:
            if (change.kind, change.id) == (kind, identity):
                source = {"sourceType": "INTEGRATION", "sourceId": "1234567"} if change.request else _PERSON
                for name, _, value in change.fields:
                    version = {"value": value or "", "timestamp": iso(change.at), **source}
                    past.get(name, []).insert(0, version)
        return past

    def lead_to(self, record: Record, keys: dict[str, str]) -> None:
        """Let unique values lead to a record that does not show them."""
        self.unique |= {(record.kind, name, text.lower()): record.id for name, text in keys.items()}

    def _index(self, kind: str, record: Record, *, present: bool) -> None:
        for key in self._unique_values(kind, record):
            if present:
                self.unique[key] = record.id
            elif self.unique.get(key) == record.id:
                del self.unique[key]

    def _unique_values(self, kind: str, record: Record) -> Iterator[tuple[str, str, str]]:
        for name, value in record.properties.items():
            if self.schema[kind][name].unique:
                yield kind, name, value.lower()
        for address in record.properties.get("hs_additional_emails", "").split(";"):
            if address:
                yield kind, "email", address.lower()

    def _journal(self, kind: str, identity: str) -> None:
        if self._undo is not None:
            self._undo.append((kind, identity, self.held[kind].get(identity)))

    @contextmanager
    def all_or_nothing(self) -> Iterator[None]:
        """Undo every write of the block if it ends in a Refusal."""
        self._undo, changes = [], self.history.count
        try:
            yield
        except Refusal:
            self.history.back_to(changes)
            for kind, identity, old in reversed(self._undo):
                self._index(kind, self.held[kind].pop(identity), present=False)
                if old:
                    self.held[kind][identity] = old
                    self._index(kind, old, present=True)
            raise
        finally:
            self._undo = None
