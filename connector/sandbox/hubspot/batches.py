"""The batch endpoints: upsert, update, create, read."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from typing import Any

from connector.sandbox.hubspot.records import Record, Records
from connector.sandbox.hubspot.replies import Refusal, absent, envelope

LIMIT, WITH_HISTORY = 100, 50
Answer = tuple[int, dict[str, Any]]
Input = dict[str, Any]
Written = tuple[Record, bool | None]
"""The record, and whether the upsert created it (None: not an upsert)."""


class Batches:
    """A portal's batch reads and writes. Results are shuffled, because HubSpot's order is not that of the inputs.

    whole: whether the reply to a creation shows the whole record, to be set at any time.
    """

    def __init__(
        self, records: Records, shuffle: random.Random, *, strict: bool, rows_meet: bool, traced: bool
    ) -> None:
        self.records, self.shuffle, self.strict, self.whole = records, shuffle, strict, True
        self.rows_meet, self.traced = rows_meet, traced
        self._created: set[str] = set()

    def upsert(self, kind: str, body: Any) -> Answer:
        inputs = self._inputs(body, "id", "properties")
        if any(item.get("idProperty") in (None, "", "hs_object_id") for item in inputs):
            raise Refusal(400, "idProperty is required and must be a unique property")
        self._refuse_twins(kind, inputs)
        return self._write(kind, inputs, self._upsert_record)

    def update(self, kind: str, body: Any) -> Answer:
        inputs = self._inputs(body, "id", "properties")
        self._refuse_twins(kind, inputs)
        return self._write(kind, inputs, self._update_record)

    def create(self, kind: str, body: Any) -> Answer:
        inputs = self._inputs(body, "properties")
        status, answer = self._write(kind, inputs, lambda k, item: (self.records.create(k, item["properties"]), None))
        return (201 if status == 200 else status), answer

    def read(self, kind: str, body: Any) -> Answer:
        inputs, key = self._inputs(body, "id"), str(body.get("idProperty") or "")
        names = [name for name in body.get("properties", []) if name in self.records.schema[kind]]
        identities = {identity for item in inputs if (identity := self.records.find(kind, key, item["id"]))}
        missing = [item["id"] for item in inputs if not self.records.find(kind, key, item["id"])]
        past = self._past_wanted(kind, body, inputs)
        held = [self.records.held[kind][identity] for identity in identities]
        results = [self._with_history(kind, record, names, past) for record in held]
        return self._answer(results, [absent(kind, *missing).entry(None)] if missing else [])

    def archive(self, kind: str, body: Any) -> None:
        """Delete records; one that is not there is passed over."""
        for item in self._inputs(body, "id"):
            if item["id"] in self.records.held[kind]:
                self.records.forget(kind, item["id"])

    def _past_wanted(self, kind: str, body: Any, inputs: list[Input]) -> list[str]:
        """The properties whose former values are asked for, of fewer records than usual."""
        past = [name for name in body.get("propertiesWithHistory", []) if name in self.records.schema[kind]]
        if past and len(inputs) > WITH_HISTORY:
            raise Refusal(400, f"The maximum number of inputs with history is {WITH_HISTORY}")
        return past

    def _with_history(self, kind: str, record: Record, names: list[str], asked: list[str]) -> dict[str, Any]:
        shown = record.shown(names)
        return {**shown, "propertiesWithHistory": self.records.past(kind, record.id, asked)} if asked else shown

    def _inputs(self, body: Any, *needed: str) -> list[Input]:
        inputs = body.get("inputs") if isinstance(body, dict) else None
        if not isinstance(inputs, list) or not inputs or not all(isinstance(item, dict) for item in inputs):
            raise Refusal(400, "Invalid input JSON: inputs is required")
        if len(inputs) > LIMIT:
            raise Refusal(400, f"The maximum number of inputs is {LIMIT}, but {len(inputs)} were given")
        for item in inputs:
            self._check(item, needed)
        return inputs

    def _check(self, item: Input, needed: tuple[str, ...]) -> None:
        if any(name not in item for name in needed) or not isinstance(item.get("id", ""), str):
            raise Refusal(400, "Invalid input JSON: some required fields were not set: " + ", ".join(needed))
        if self.strict and "associations" in item and "id" in needed:
            raise Refusal(400, "Invalid input JSON: associations is not a field of this input")

    def _refuse_twins(self, kind: str, inputs: list[Input]) -> None:
        keys = [(item.get("idProperty", ""), item["id"].lower()) for item in inputs]
        identities = [self.records.find(kind, item.get("idProperty", ""), item["id"]) for item in inputs]
        of_key, of_record = Counter(keys), Counter(identities)
        twins = [
            item["id"]
            for item, key, identity in zip(inputs, keys, identities, strict=True)
            if of_key[key] > 1 or (identity and of_record[identity] > 1)
        ]
        if twins:
            text = f"Duplicate IDs found in batch input: [{', '.join(twins)}]. IDs must be unique"
            raise Refusal(400, text, context={"ids": twins})

    def _upsert_record(self, kind: str, item: Input) -> Written:
        key, value = item["idProperty"], item["id"]
        identity = self.records.find(kind, key, value)
        properties = {key: value, **item["properties"]}
        if identity is None and (met := self._met(kind, properties)):
            return self.records.update(kind, met, properties), False
        if identity is None:
            return self._create(kind, properties), True
        if key == "email" and self.records.held[kind][identity].properties.get("email") != value.lower():
            del properties["email"]  # a secondary address leads to its contact but does not become the primary
        return self.records.update(kind, identity, properties), False

    def _create(self, kind: str, properties: dict[str, Any]) -> Record:
        record = self.records.create(kind, properties)
        self._created.add(record.id)
        return record

    def _met(self, kind: str, properties: dict[str, Any]) -> str | None:
        """Return the contact that an earlier row of this batch created with the address this one wants."""
        if not (self.rows_meet and properties.get("email")):
            return None
        identity = self.records.find(kind, "email", properties["email"])
        return identity if identity in self._created else None

    def _update_record(self, kind: str, item: Input) -> Written:
        identity = self.records.find(kind, item.get("idProperty", ""), item["id"])
        if identity is None:
            raise absent(kind, item["id"])
        return self.records.update(kind, identity, item["properties"]), None

    def _write(self, kind: str, inputs: list[Input], act: Callable[[str, Input], Written]) -> Answer:
        traces = [item.get("objectWriteTraceId") for item in inputs]
        self._created.clear()
        traced = self.traced and all(traces) and len(set(traces)) == len(traces)
        if not traced:
            with self.records.all_or_nothing():
                return self._answer([self._written(item, *act(kind, item)) for item in inputs], [])
        results, errors = [], []
        for item in inputs:
            try:
                results.append(self._written(item, *act(kind, item)))
            except Refusal as refusal:
                errors.append(refusal.entry(item["objectWriteTraceId"]))
        return self._answer(results, errors)

    def _written(self, item: Input, record: Record, new: bool | None) -> dict[str, Any]:
        shown = record.shown()
        if self.whole and record.before is None:  # created now
            shown["properties"]["hs_object_source"] = "INTEGRATION"
        else:
            names = {*item["properties"], item.get("idProperty"), "createdate", "lastmodifieddate", "hs_object_id"}
            shown["properties"] = {name: text for name, text in shown["properties"].items() if name in names}
        trace = {"objectWriteTraceId": item["objectWriteTraceId"]} if "objectWriteTraceId" in item else {}
        return {**shown, **({} if new is None else {"new": new}), **trace}

    def _answer(self, results: list[Any], errors: list[Any]) -> Answer:
        self.shuffle.shuffle(results)
        return (207 if errors else 200), envelope(results, self.records.clock(), errors)
