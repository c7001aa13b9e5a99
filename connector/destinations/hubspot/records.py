"""Writing records in batches: every row answered, a refused batch split until the culprit stands alone.

https://developers.hubspot.com/docs/api-reference/crm-objects-v3/guide#upsert-records
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import groupby
from typing import Any, NamedTuple

from connector.destinations.base import LOST_ID, Outcome, Row, Verdict
from connector.destinations.hubspot.adopt import adopted
from connector.destinations.hubspot.calls import CREATE, UPDATE, UPSERT, Calls, Path, expect
from connector.destinations.hubspot.errors import OF_PROPERTY, WHOLE
from connector.destinations.hubspot.reads import BATCH, Finder
from connector.destinations.hubspot.refusals import RecordError, named_ids, outcome, refusal, reply_refusal, traces
from connector.destinations.hubspot.replies import Batch, ErrorBody, Reply, Written
from connector.destinations.hubspot.values import folded, wire
from connector.model import Mode
from connector.settlement import Refusal

Rows = Mapping[int, Row]
"""rows by their place in the call of write()"""
Outcomes = dict[int, Outcome]

UNACCOUNTED, _GONE = RecordError("UNACCOUNTED"), RecordError(LOST_ID)
STAGE = "lifecyclestage"
ID = "id"
"""The key of a row that is known by the record's own id alone: there is no such property to write."""


class Target(NamedTuple):
    """What rows must share to travel in one batch.

    with_key: the key property is written too; without it the batch is a correction of an earlier one.
    """

    path: Path
    object: str
    key: str
    with_key: bool = True


class RecordWriter:
    """Writes rows to one account, whatever their mode."""

    def __init__(self, calls: Calls, finder: Finder) -> None:
        self._calls, self._finder = calls, finder

    def write(self, rows: Rows) -> Outcomes:
        """One outcome per row; a refused row's opt-outs are written alone."""
        known, answered = self._resolved(rows)
        answered |= self._send(known)
        taken = self._send(adopted(self._finder, known, answered))
        answered |= {n: out for n, out in taken.items() if out.verdict is not Verdict.REJECTED}
        gone = {
            n: replace(row, id=None) for n, row in known.items() if row.id and answered[n].code == "OBJECT_NOT_FOUND"
        }
        answered |= {n: _ABSENT if row.mode is Mode.UPDATE else outcome(_GONE) for n, row in gone.items()}
        answered |= self._send({n: row for n, row in gone.items() if row.mode is not Mode.UPDATE and row.unique})
        return answered | self._opt_outs_alone(rows, answered)

    def _resolved(self, rows: Rows) -> tuple[dict[int, Row], Outcomes]:
        """Rows that may be sent, and the answers of those whose mode forbids it."""
        ids = self._ids({n: row for n, row in rows.items() if row.id is None and row.mode is not Mode.UPSERT})
        known, answered = {}, {}
        for n, row in rows.items():
            identity = ids.get(n, "")
            if row.id is not None or row.mode is Mode.UPSERT or (row.mode is Mode.CREATE and not identity):
                known[n] = row
            elif row.mode is Mode.UPDATE and identity:
                known[n] = replace(row, id=identity)
            else:
                answered[n] = replace(_EXISTS, id=identity) if identity else _ABSENT
        return known, answered

    def _ids(self, rows: Rows) -> dict[int, str]:
        """The ids of the records that hold these rows' keys, where there are any."""
        ids: dict[int, str] = {}
        for (kind, key), some in _grouped(rows, lambda row: (row.key.object, row.key.field)):
            found = self._finder.find(kind, key, [row.key.value for row in some.values()], ())
            ids |= {n: found[row.key.value][0].id for n, row in some.items() if len(found[row.key.value]) == 1}
        return ids

    def _opt_outs_alone(self, rows: Rows, answered: Outcomes) -> Outcomes:
        """The outcomes of the rows that were not written, with their opt-outs written where the record exists."""
        held_back = {
            n: row
            for n, row in rows.items()
            if row.consent and (answered[n].verdict is Verdict.REJECTED or answered[n].code == _EXISTS.code)
        }
        ids = self._ids({n: row for n, row in held_back.items() if row.id is None})
        alone = {
            n: replace(row, id=row.id or ids[n], fields={name: row.fields[name] for name in row.consent})
            for n, row in held_back.items()
            if row.id or n in ids
        }
        return {n: _with_opt_outs(answered[n], done) for n, done in self._send(alone, with_key=False).items()}

    def _stages_set(self, rows: Rows) -> Outcomes:
        """Set a lifecycle stage back: HubSpot moves it forward only, and ignores anything else until it is cleared."""
        cleared = self._send({n: replace(row, fields={STAGE: None}) for n, row in rows.items()}, with_key=False)
        return cleared | self._send(
            {n: row for n, row in rows.items() if cleared[n].verdict is Verdict.DELIVERED}, with_key=False
        )

    def _send(self, rows: Rows, *, with_key: bool = True) -> Outcomes:
        answered: Outcomes = {}
        for target, some in _grouped(rows, lambda row: _target(row, with_key)):
            for start in range(0, len(some), BATCH):
                answered |= self._batch(target, dict(list(some.items())[start : start + BATCH]))
        return answered

    def _batch(self, target: Target, rows: dict[int, Row]) -> Outcomes:
        body = {"inputs": [_input(n, row, target) for n, row in rows.items()]}
        reply = self._calls.ask(target.path, object=target.object, body=body)
        if not reply.ok:
            return self._refused(target, rows, reply)
        batch = expect(Batch, reply)
        answered = _matched(target, rows, batch, reply.request_id)
        return answered | (self._stages_set(_stage_kept(rows, answered, batch)) if target.with_key else {})

    def _refused(self, target: Target, rows: dict[int, Row], reply: Reply) -> Outcomes:
        """A batch that was refused as a whole: find the rows that caused it, and write the others."""
        cause = reply_refusal(reply)
        if len(rows) == 1 or cause.code in WHOLE:
            return {n: outcome(cause, reply.request_id) for n in rows}
        guilty = [n for n, row in rows.items() if cause.code in OF_PROPERTY and _carries(row, cause)]
        if guilty:
            rest = {n: row for n, row in rows.items() if n not in guilty}
            return dict.fromkeys(guilty, outcome(cause, reply.request_id)) | (self._batch(target, rest) if rest else {})
        return self._halved(target, rows)

    def _halved(self, target: Target, rows: dict[int, Row]) -> Outcomes:
        """The outcomes of two smaller batches: the rows at fault are not known."""
        places, half = list(rows), len(rows) // 2
        first = self._batch(target, {n: rows[n] for n in places[:half]})
        return first | self._batch(target, {n: rows[n] for n in places[half:]})


_ABSENT = Outcome(
    Verdict.SKIPPED, refusal=Refusal("ABSENT", "HubSpot has no record with this key, and the mapping only updates")
)
_EXISTS = Outcome(
    Verdict.SKIPPED, refusal=Refusal("EXISTS", "HubSpot already has the record, and the mapping only creates")
)


def _with_opt_outs(out: Outcome, done: Outcome) -> Outcome:
    """The refusal, unless its opt-outs may pass later: a row that is over would never raise them."""
    match done.verdict:
        case Verdict.DELIVERED:
            return replace(out, id=done.id, consent_written=True)
        case Verdict.DEFERRED:
            return done
        case _:
            return out


def _grouped(rows: Rows, by: Any) -> Iterator[tuple[Any, dict[int, Row]]]:
    pairs = sorted(((by(row), n) for n, row in rows.items()), key=lambda pair: (pair[0], pair[1]))
    for shared, some in groupby(pairs, key=lambda pair: pair[0]):
        yield shared, {n: rows[n] for _, n in some}


def _target(row: Row, with_key: bool) -> Target:
    path = UPDATE if row.id else UPSERT if row.unique else CREATE
    return Target(path, row.key.object, row.key.field, with_key and row.key.field != ID)


def _input(n: int, row: Row, target: Target) -> dict[str, Any]:
    key = {row.key.field: row.key.value} if target.with_key else {}
    properties = {**key, **{name: wire(name, value) for name, value in row.fields.items()}}
    return {**_identity(row, target), "objectWriteTraceId": str(n), "properties": properties}


def _identity(row: Row, target: Target) -> dict[str, Any]:
    if row.id:
        return {"id": row.id}
    if target.path is CREATE:
        return {"associations": []}  # the specification requires it, HubSpot does not: links are made apart
    return {"id": row.key.value, "idProperty": row.key.field}


def _carries(row: Row, found: RecordError) -> bool:
    return bool({row.key.field, *row.fields} & set(found.fields))


def _matched(target: Target, rows: Rows, batch: Batch, request_id: str) -> Outcomes:
    """Results by trace id, else by key or id; never by their order, which is HubSpot's own."""
    refused = _refusals(rows, batch.errors)
    by_trace = {one.trace: one for one in batch.results if one.trace is not None}
    rest = [one for one in batch.results if one.trace is None]
    by_key = {folded(one.properties[target.key]): one for one in rest if one.properties.get(target.key)}
    by_id = {one.id: one for one in rest}
    answered = {}
    for n, row in rows.items():
        written = by_trace.get(str(n)) or by_id.get(row.id or "") or by_key.get(folded(row.key.value))
        answered[n] = _answer(refused.get(n), written, request_id)
    return answered


def _stage_kept(rows: Rows, answered: Outcomes, batch: Batch) -> dict[int, Row]:
    """The rows whose record shows another stage than the one just written, with that stage alone to write."""
    held = {one.id: one.properties.get(STAGE) for one in batch.results}
    return {
        n: replace(row, id=answered[n].id, fields={STAGE: row.fields[STAGE]})
        for n, row in rows.items()
        if row.fields.get(STAGE) and held.get(answered[n].id or "") not in (None, "", row.fields[STAGE])
    }


def _answer(found: RecordError | None, written: Written | None, request_id: str) -> Outcome:
    if found is None and written is not None:
        return Outcome(Verdict.DELIVERED, id=written.id, request_id=request_id)
    return outcome(found or UNACCOUNTED, request_id)


def _refusals(rows: Rows, errors: Iterable[ErrorBody]) -> dict[int, RecordError]:
    refused = {}
    for error in errors:
        named, ids = set(traces(error)), set(named_ids(error))
        for n, row in rows.items():
            if str(n) in named or (not named and ids & {row.key.value.lower(), row.id}):
                refused[n] = refusal(error)
    return refused
