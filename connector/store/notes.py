"""Lists of names as text columns hold them: what attempts note of records, and which fields a refusal names."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from connector.settlement import WHOLE_RECORD, CauseKey, RecordNote, RecordVerdict

VERSION: Final = 3
"""Of the JSON of notes. Version 1 was a bare list, in which a record withheld as a whole looked like a field.

Until version 2, the fields were those sent; since version 3, they are those the CRM confirmed.
"""


def notes_as_text(notes: Iterable[RecordNote]) -> str:
    """Notes as `attempts.records` holds them."""
    return _text({"v": VERSION, "records": [_data(note) for note in notes]})


def _data(note: RecordNote) -> dict[str, Any]:
    return {
        "record": note.record,
        "object": note.object,
        "crm_id": note.crm_id,
        "fields": note.fields,
        "withheld": note.withheld,
        "withheld_by": note.withheld_by,
        "kept": note.kept,
        "left_out": note.left_out,
        "verdict": note.verdict,
        "code": note.code,
        **({"untranslated": note.untranslated} if note.untranslated else {}),
    }


def read_notes(text: str) -> tuple[RecordNote, ...]:
    """Notes from `attempts.records`, whichever version wrote them."""
    kept = json.loads(text)
    version, records = (1, kept) if isinstance(kept, list) else (kept["v"], kept["records"])
    return tuple(_note(data, version) for data in records)


def _note(data: Mapping[str, Any], version: int) -> RecordNote:
    withheld = {**data.get("withheld", {})}
    whole = [withheld.pop(name) for name in (WHOLE_RECORD, "") if name in withheld]
    verdict = RecordVerdict(data.get("verdict", RecordVerdict.DELIVERED))
    confirmed = version >= 3 or verdict is RecordVerdict.DELIVERED
    return RecordNote(
        data["record"],
        data.get("object", ""),
        data.get("crm_id"),
        tuple(data.get("fields", ())) if confirmed else (),
        withheld,
        data.get("withheld_by") or next(iter(whole), ""),
        tuple(data.get("kept", ())),
        verdict,
        data.get("code", ""),
        data.get("untranslated", {}),
        data.get("left_out", {}),
    )


def fields_as_text(fields: Iterable[str]) -> str:
    """The fields of a refusal as `deliveries.fields` holds them: equal for the same fields."""
    return _text(list(fields))


def read_fields(text: str) -> tuple[str, ...]:
    """The fields of a refusal from `deliveries.fields`."""
    return tuple(json.loads(text))


def cause_as_text(cause: CauseKey | None) -> str:
    """A cause as `lanes.refused_cause` holds it; empty for none."""
    return "" if cause is None else _text([cause.code, list(cause.fields), cause.record])


def read_cause(text: str) -> CauseKey | None:
    """A cause from `lanes.refused_cause`."""
    if not text:
        return None
    code, fields, record = json.loads(text)
    return CauseKey(code, tuple(fields), record)


def _text(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))
