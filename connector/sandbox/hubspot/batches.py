"""The batch endpoints: upsert, update, create, read."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from typing import Any

from connector.sandbox.hubspot.records import Record, Records
from connector.sandbox.hubspot.replies import Refusal, absent, envelope

LIMIT = 100
Answer = tuple[int, dict[str, Any]]
Input = dict[str, Any]
Written = tuple[Record, bool | None]
"""the record, and whether an upsert made it (None: not an upsert)"""


class Batches:
    """Batch reads and writes of one portal. Results come back in an order of their own, as HubSpot's do."""

    def __init__(self, records: Records, shuffle: random.Random, *, strict: bool) -> None:
        self.records, self.shuffle, self.strict = records, shuffle, strict

    def upsert(self, kind: str, body: Any) -> Answer:
        inputs = self._inputs(body, "id", "properties")
        for one in inputs:
            if one.get("idProperty") in (None, "", "hs_object_id"):
                raise Refusal(400, "idProperty is required and must be a unique property")
        self._refuse_twins(kind, inputs)
        return self._write(kind, inputs, self._upsert_one)

    def update(self, kind: str, body: Any) -> Answer:
        inputs = self._inputs(body, "id", "properties")
        self._refuse_twins(kind, inputs)
        return self._write(kind, inputs, self._update_one)

    def create(self, kind: str, body: Any) -> Answer:
        inputs = self._inputs(body, "properties")
        status, answer = self._write(kind, inputs, lambda k, one: (self.records.create(k, one["properties"]), None))
        return (201 if status == 200 else status), answer

    def read(self, kind: str, body: Any) -> Answer:
        inputs, key = self._inputs(body, "id"), str(body.get("idProperty") or "")
        names = [name for name in body.get("properties", []) if name in self.records.schema[kind]]
        found = {identity for one in inputs if (identity := self.records.find(kind, key, one["id"]))}
        missing = [one["id"] for one in inputs if not self.records.find(kind, key, one["id"])]
        errors = [absent("")] if missing else []
        if errors:
            errors[0].more["context"] = {"ids": missing}
        results = [self.records.held[kind][identity].shown(names) for identity in found]
        return self._answer(results, [error.entry(None) for error in errors])

    def _inputs(self, body: Any, *needed: str) -> list[Input]:
        inputs = body.get("inputs") if isinstance(body, dict) else None
        if not isinstance(inputs, list) or not inputs or not all(isinstance(one, dict) for one in inputs):
            raise Refusal(400, "Invalid input JSON: inputs is required")
        if len(inputs) > LIMIT:
            raise Refusal(400, f"The maximum number of inputs is {LIMIT}, but {len(inputs)} were given")
        for one in inputs:
            if any(name not in one for name in needed) or not isinstance(one.get("id", ""), str):
                raise Refusal(400, "Invalid input JSON: some required fields were not set: " + ", ".join(needed))
            if self.strict and "associations" in one and "id" in needed:
                raise Refusal(400, "Invalid input JSON: associations is not a field of this input")
        return inputs

    def _refuse_twins(self, kind: str, inputs: list[Input]) -> None:
        asked = Counter((one.get("idProperty", ""), one["id"].lower()) for one in inputs)
        found = [self.records.find(kind, one.get("idProperty", ""), one["id"]) for one in inputs]
        times = Counter(found)
        twins = [
            one["id"]
            for one, identity in zip(inputs, found, strict=True)
            if asked[one.get("idProperty", ""), one["id"].lower()] > 1 or (identity and times[identity] > 1)
        ]
        if twins:
            text = f"Duplicate IDs found in batch input: [{', '.join(twins)}]. IDs must be unique"
            raise Refusal(400, text, context={"ids": twins})

    def _upsert_one(self, kind: str, one: Input) -> Written:
        key, value = one["idProperty"], one["id"]
        identity = self.records.find(kind, key, value)
        properties = {key: value, **one["properties"]}
        if identity is None:
            return self.records.create(kind, properties), True
        if key == "email" and self.records.held[kind][identity].properties.get("email") != value.lower():
            del properties["email"]  # a secondary address resolves to its contact and does not become the primary
        return self.records.update(kind, identity, properties), False

    def _update_one(self, kind: str, one: Input) -> Written:
        identity = self.records.find(kind, one.get("idProperty", ""), one["id"])
        if identity is None:
            raise absent(one["id"])
        return self.records.update(kind, identity, one["properties"]), None

    def _write(self, kind: str, inputs: list[Input], act: Callable[[str, Input], Written]) -> Answer:
        traces = [one.get("objectWriteTraceId") for one in inputs]
        traced = all(traces) and len(set(traces)) == len(traces)
        if not traced:
            with self.records.all_or_nothing():
                return self._answer([self._written(one, *act(kind, one)) for one in inputs], [])
        results, errors = [], []
        for one in inputs:
            try:
                results.append(self._written(one, *act(kind, one)))
            except Refusal as refusal:
                errors.append(refusal.entry(one["objectWriteTraceId"]))
        return self._answer(results, errors)

    @staticmethod
    def _written(one: Input, record: Record, new: bool | None) -> dict[str, Any]:
        shown = record.shown()
        names = {*one["properties"], one.get("idProperty"), "createdate", "lastmodifieddate", "hs_object_id"}
        shown["properties"] = {name: text for name, text in shown["properties"].items() if name in names}
        trace = {"objectWriteTraceId": one["objectWriteTraceId"]} if "objectWriteTraceId" in one else {}
        return {**shown, **({} if new is None else {"new": new}), **trace}

    def _answer(self, results: list[Any], errors: list[Any]) -> Answer:
        self.shuffle.shuffle(results)
        return (207 if errors else 200), envelope(results, self.records.clock(), errors)
