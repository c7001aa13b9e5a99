"""Write records in batches: every row gets an outcome, and a rejected batch is split to isolate the bad row.

https://developers.hubspot.com/docs/api-reference/crm-objects-v3/guide#upsert-records
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import groupby
from typing import Any, NamedTuple

from connector.destinations.base import Outcome, Row, Verdict, one_call
from connector.destinations.hubspot.addresses import Addresses, address_of, held_by, holders_of
from connector.destinations.hubspot.calls import CREATE, UPDATE, UPSERT, Calls, Path, expect
from connector.destinations.hubspot.errors import OF_PROPERTY, WHOLE
from connector.destinations.hubspot.reads import BATCH, Finder, single_id
from connector.destinations.hubspot.refusals import (
    HELD,
    RecordError,
    named_ids,
    outcome,
    refusal,
    reply_refusal,
    traces,
)
from connector.destinations.hubspot.replies import Batch, ErrorBody, Reply, Written, error_body
from connector.destinations.hubspot.values import folded, plain, wire
from connector.model import Mode, Value
from connector.settlement import WRITTEN, Refusal

Rows = Mapping[int, Row]
"""Rows by their position in the call to write()."""
Outcomes = dict[int, Outcome]

UNACCOUNTED = RecordError("UNACCOUNTED")
STAGE = "lifecyclestage"
SOURCE = "hs_object_source"
"""A property that HubSpot fills in at every creation."""
ID = "id"
"""The key of a row known only by its record's id, without a key property to write."""


class Target(NamedTuple):
    """What rows must share to be sent in one batch.

    corrects: whether the batch corrects an earlier one.
    """

    path: Path
    object: str
    key: str
    corrects: bool = False

    @property
    def with_key(self) -> bool:
        """Whether the key property is written too."""
        return not self.corrects and self.key != ID


class RecordWriter:
    """Writes rows to one account."""

    def __init__(self, calls: Calls, finder: Finder) -> None:
        self._calls, self._finder = calls, finder

    def write(self, rows: Rows) -> Outcomes:
        """Write the rows; the opt-outs of a rejected row are written alone. One outcome per row."""
        known, answered = self._resolved(rows)
        answered |= Addresses(known, self._send, self._finder).write()
        return answered | self._opt_outs_alone(rows, answered)

    def _resolved(self, rows: Rows) -> tuple[dict[int, Row], Outcomes]:
        """The rows to send, and the outcomes of those that their mode excludes."""
        ids = self._ids({n: row for n, row in rows.items() if row.id is None and row.mode is not Mode.UPSERT})
        known, answered = {}, {}
        for n, row in rows.items():
            identity = ids.get(n, "")
            if isinstance(identity, Outcome):
                answered[n] = identity
            elif row.id is not None or row.mode is Mode.UPSERT:
                known[n] = row
            elif bool(identity) is (row.mode is Mode.UPDATE):
                known[n] = replace(row, id=identity or None)
            else:
                answered[n] = replace(_EXISTS, id=identity) if identity else _ABSENT
        return known, answered

    def _ids(self, rows: Rows) -> dict[int, str | Outcome]:
        """The ids of the records that have these rows' keys, for keys with exactly one record, or why it is unknown."""
        ids: dict[int, str | Outcome] = {}
        for (kind, key), group in _grouped(rows, lambda row: (row.key.object, row.key.field)):
            holders = self._finder.find(kind, key, [row.key.value for row in group.values()], ())
            ids |= {n: holder for n, row in group.items() if (holder := single_id(holders[row.key.value]))}
        return ids

    def _with_ids(self, rows: Rows) -> dict[int, Row]:
        """The rows that have an id, or whose key exactly one record has, with that id."""
        by_key = self._ids({n: row for n, row in rows.items() if row.id is None})
        matched = {n: replace(rows[n], id=holder) for n, holder in by_key.items() if isinstance(holder, str)}
        return {n: row for n, row in rows.items() if row.id} | matched

    def _opt_outs_alone(self, rows: Rows, answered: Outcomes) -> Outcomes:
        """Write the opt-outs of rows that were not written, if their record exists; returns their new outcomes."""
        held_back = {
            n: row
            for n, row in rows.items()
            if row.consent and (answered[n].verdict is Verdict.REJECTED or answered[n].code == _EXISTS.code)
        }
        alone = {
            n: replace(row, fields={name: row.fields[name] for name in row.consent})
            for n, row in self._with_ids(held_back).items()
        }
        return {n: _with_opt_outs(answered[n], done) for n, done in self._send(alone, corrects=True).items()}

    def _stages_set(self, rows: Rows) -> Outcomes:
        """Clear lifecycle stages, then set them: HubSpot ignores an earlier stage while a later one is set."""
        cleared = self._send({n: replace(row, fields={STAGE: None}) for n, row in rows.items()}, corrects=True)
        return cleared | self._send(
            {n: row for n, row in rows.items() if cleared[n].verdict is Verdict.DELIVERED}, corrects=True
        )

    def _send(self, rows: Rows, *, corrects: bool = False) -> Outcomes:
        answered: Outcomes = {}
        for target, group in _grouped(rows, lambda row: _target(row, corrects)):
            for start in range(0, len(group), BATCH):
                answered |= self._batch(target, dict(list(group.items())[start : start + BATCH]))
        return answered

    def _batch(self, target: Target, rows: dict[int, Row]) -> Outcomes:
        body = {"inputs": [_input(n, row, target) for n, row in rows.items()]}
        with one_call(rows.values()):
            reply = self._calls.ask(target.path, object=target.object, body=body)
            if not reply.ok:
                return self._refused(target, rows, reply)
            batch = expect(Batch, reply)
        answered = _matched(target, rows, batch, reply.request_id)
        again = {} if target.corrects else self._stages_set(_stage_kept(rows, answered, batch))
        return answered | {n: replace(out, created=answered[n].created) for n, out in again.items()}

    def _refused(self, target: Target, rows: dict[int, Row], reply: Reply) -> Outcomes:
        """Handle a batch that was rejected as a whole: reject the rows that caused it, and write the others."""
        cause = reply_refusal(reply)
        if len(rows) == 1 or cause.code in WHOLE:
            return {n: outcome(cause, reply.request_id) for n in rows}
        bad = self._at_fault(rows, reply)
        if bad:
            rest = {n: row for n, row in rows.items() if n not in bad}
            return bad | (self._batch(target, rest) if rest else {})
        return self._halved(target, rows)

    def _at_fault(self, rows: dict[int, Row], reply: Reply) -> Outcomes:
        """The rows that this rejection of them all is about, if it can be known, with their outcomes."""
        cause = reply_refusal(reply)
        if cause.code == HELD:
            held = holders_of(self._finder, {n: row for n, row in rows.items() if address_of(row)})
            return {n: held_by(holder, reply.request_id) for n, holder in held.items() if holder}
        ids = frozenset(named_ids(error_body(reply)))
        return {n: outcome(cause, reply.request_id) for n, row in rows.items() if _concerns(cause, ids, row)}

    def _halved(self, target: Target, rows: dict[int, Row]) -> Outcomes:
        """Write the rows as two smaller batches, to isolate those that caused the rejection."""
        positions, half = list(rows), len(rows) // 2
        first = self._batch(target, {n: rows[n] for n in positions[:half]})
        return first | self._batch(target, {n: rows[n] for n in positions[half:]})


_ABSENT = Outcome(
    Verdict.SKIPPED, refusal=Refusal("ABSENT", "HubSpot has no record with this key, and the mapping only updates")
)
_EXISTS = Outcome(
    Verdict.SKIPPED, refusal=Refusal("EXISTS", "HubSpot already has the record, and the mapping only creates")
)


def _with_opt_outs(out: Outcome, done: Outcome) -> Outcome:
    """The row's outcome after its opt-outs: deferred if they are, because a settled row is never retried."""
    match done.verdict:
        case Verdict.DELIVERED:
            return replace(out, id=done.id, consent_written=True)
        case Verdict.DEFERRED:
            return done
        case _:
            return out


def _grouped(rows: Rows, by: Any) -> Iterator[tuple[Any, dict[int, Row]]]:
    pairs = sorted(((by(row), n) for n, row in rows.items()), key=lambda pair: (pair[0], pair[1]))
    for shared, group in groupby(pairs, key=lambda pair: pair[0]):
        yield shared, {n: rows[n] for _, n in group}


def _target(row: Row, corrects: bool) -> Target:
    path = UPDATE if row.id else UPSERT if row.unique else CREATE
    return Target(path, row.key.object, row.key.field, corrects)


def _input(n: int, row: Row, target: Target) -> dict[str, Any]:
    key = {row.key.field: row.key.value} if target.with_key and row.keyed else {}
    properties = {**key, **{name: wire(name, value) for name, value in row.fields.items()}}
    return {**_identity(row, target), "objectWriteTraceId": str(n), "properties": properties}


def _identity(row: Row, target: Target) -> dict[str, Any]:
    if row.id:
        return {"id": row.id}
    if target.path is CREATE:
        return {"associations": []}  # the specification requires it, HubSpot does not: links are made separately
    return {"id": row.key.value, "idProperty": row.key.field}


def _concerns(error: RecordError, ids: frozenset[str], row: Row) -> bool:
    """Whether the rejection of a whole batch is about this row, according to what it names."""
    if error.code == "OBJECT_NOT_FOUND":
        return _is_named(row, ids)
    return error.code in OF_PROPERTY and bool({row.key.field, *row.fields} & set(error.fields))


def _is_named(row: Row, ids: frozenset[str]) -> bool:
    return not ids.isdisjoint({row.key.value.lower(), (row.id or "").lower()})


def _matched(target: Target, rows: Rows, batch: Batch, request_id: str) -> Outcomes:
    """Match results to rows by trace id, else by id or key; never by order, which HubSpot does not keep."""
    refused = _refusals(rows, batch.errors)
    sent = set(map(str, rows))
    by_trace = {result.trace: result for result in batch.results if result.trace in sent}
    rest = [result for result in batch.results if result.trace not in sent]
    by_key = {folded(result.properties[target.key]): result for result in rest if result.properties.get(target.key)}
    by_id = {result.id: result for result in rest}
    answered = {}
    for n, row in rows.items():
        written = by_trace.get(str(n)) or by_id.get(row.id or "") or by_key.get(folded(row.key.value))
        answered[n] = _answer(refused.get(n), written, target, row, request_id)
    return answered


def _stage_kept(rows: Rows, answered: Outcomes, batch: Batch) -> dict[int, Row]:
    """Rows whose record still shows another lifecycle stage than the one written, reduced to that stage."""
    results = {result.id: result for result in batch.results}
    return {
        n: replace(row, id=answered[n].id, fields={STAGE: row.fields[STAGE]})
        for n, row in rows.items()
        if (stage := row.fields.get(STAGE)) and _keeps_stage(results.get(answered[n].id or ""), stage)
    }


def _keeps_stage(written: Written | None, stage: Value) -> bool:
    if written is None:
        return False
    return STAGE in written.ignored((STAGE,)) or written.properties.get(STAGE) not in (None, "", stage)


def _answer(error: RecordError | None, written: Written | None, target: Target, row: Row, request_id: str) -> Outcome:
    if error is not None or written is None:
        return outcome(error or UNACCOUNTED, request_id)
    created = written.new if target.path is UPSERT else target.path is CREATE
    ignored = written.ignored(row.fields)
    warned = outcome(RecordError("VALUE_IGNORED", tuple(sorted(ignored))), request_id)
    if any(written.properties.get(flag) != wire(flag, row.fields[flag]) for flag in ignored & row.consent):
        return replace(warned, id=written.id)  # an opt-out counts only once the record shows it
    shown = {name: plain(name, text) for name, text in written.properties.items()}
    why = warned.refusal if ignored else WRITTEN
    done = Outcome(Verdict.DELIVERED, written.id, request_id=request_id, ignored=why, created=created)
    return replace(done, shown=shown, is_whole=_is_whole(written, created=created))


def _is_whole(written: Written, *, created: bool | None) -> bool:
    """Whether a reply shows all that a record has: it does so of a new one, with what HubSpot filled in."""
    return bool(created) and SOURCE in written.properties


def _refusals(rows: Rows, errors: Iterable[ErrorBody]) -> dict[int, RecordError]:
    refused = {}
    for error in errors:
        named, ids = set(traces(error)), frozenset(named_ids(error))
        for n, row in rows.items():
            if str(n) in named or (not named and _is_named(row, ids)):
                refused[n] = refusal(error)
    return refused
