"""What has happened to records since they were created, and archiving those that nothing has."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, Final

from pydantic import Field

from connector.destinations.bench import Touched
from connector.destinations.hubspot.attached import attached
from connector.destinations.hubspot.calls import READ, Calls, Path, expect
from connector.destinations.hubspot.describe import all_properties
from connector.destinations.hubspot.lenient import Id, Values
from connector.destinations.hubspot.reads import FORMER_IDS, chunks
from connector.destinations.hubspot.refusals import named_ids, reply_refusal
from connector.destinations.hubspot.replies import Read
from connector.destinations.lenient import Entries, Lenient

# https://developers.hubspot.com/docs/api-reference/crm-objects-v3/batch/post-crm-v3-objects-objectType-batch-archive
ARCHIVE: Final = Path("POST", "/crm/v3/objects/{object}/batch/archive")

_WITH_HISTORY: Final = 50
"""Records in one call that asks for former values. Their reply, of every property, is a few megabytes."""
_BATCH: Final = 100
_GRACE: Final = 5.0
"""Seconds within which what a creation sets off belongs to it."""
_APPS: Final = ("INTEGRATION", "API")
_CALCULATED: Final = "CALCULATED"
_ITSELF: Final = (_CALCULATED, "DEFAULT", "INTERNAL_PROCESSING")
"""Who set a value: an app, or HubSpot. Everybody else is a person or an automation."""
_OPT_OUT: Final = "hs_email_optout"
"""Of all email; with a number at its end, of one kind. The person sets it, which the history need not tell."""
_GONE: Final = "OBJECT_NOT_FOUND"


class _Version(Lenient):
    at: str = Field(alias="timestamp")
    source: str = Field(default="", alias="sourceType")
    app: str = Field(default="", alias="sourceId")


class _Record(Lenient):
    id: Id
    created: str = Field(alias="createdAt")
    values: Values | None = Field(default=None, alias="properties")
    history: dict[str, list[_Version]] | None = Field(default=None, alias="propertiesWithHistory")


class _Records(Lenient):
    results: Entries[_Record] = Field(default_factory=list)


def touched(calls: Calls, object: str, ids: Sequence[str]) -> dict[str, Touched]:
    """What has happened to each of these records. Raises DestinationUnusable."""
    if not ids:
        return {}
    seen = _changed(calls, object, ids)
    others, unknown = attached(calls, object, [own for own, how in seen.items() if not how.gone])
    return {
        own: how if how.gone else Touched(False, how.changed, others[own], unknown.get(own, ""))
        for own, how in seen.items()
    }


def _changed(calls: Calls, object: str, ids: Sequence[str]) -> dict[str, Touched]:
    """Whether the records are as they were created, by the former values of all that they have."""
    writable = {own.name: not own.changes.read_only for own in all_properties(calls, object)}
    seen: dict[str, Touched] = {}
    for chunk in chunks(list(dict.fromkeys(ids)), _WITH_HISTORY):
        seen |= _read(calls, object, chunk, writable)
    return seen


def _read(calls: Calls, object: str, ids: Sequence[str], writable: dict[str, bool]) -> dict[str, Touched]:
    body = {
        "inputs": [{"id": own} for own in ids],
        "properties": sorted({*FORMER_IDS, *(name for name in writable if name.startswith(_OPT_OUT))}),
        "propertiesWithHistory": sorted(writable),
    }
    reply = calls.ask(READ, object=object, body=body)
    there = {record.id: Touched(changed=_is_changed(record, writable)) for record in expect(_Records, reply).results}
    errors = [error for error in expect(Read, reply).errors if error.category == _GONE]
    missing = {own for error in errors for own in named_ids(error)}
    return {own: there.get(own, Touched(gone=True)) for own in ids if own in there or own in missing}


def _is_changed(record: _Record, writable: dict[str, bool]) -> bool:
    """Whether a record is not as one app created it, or does not show that it is."""
    created = _moment(record.created)
    if created is None or not record.history or record.values is None:
        return True
    versions = [(version, writable.get(name, True)) for name, former in record.history.items() for version in former]
    apps = {version.app for version, _ in versions if version.source in _APPS}
    later = any(_is_later(version, created, can) for version, can in versions)
    return len(apps) != 1 or later or _has_a_sign(record.values)


def _has_a_sign(values: Values) -> bool:
    """Whether a record was merged with another, or its person has opted out of email."""
    merged = any(values.get(name) for name in FORMER_IDS)
    return merged or any(name.startswith(_OPT_OUT) and value == "true" for name, value in values.items())


def _is_later(version: _Version, created: float, writable: bool) -> bool:
    """Whether a value was not set by the creation. HubSpot itself fills some in, at once, and calculates others later.

    writable: whether others may write the property. If not, nobody but HubSpot does.
    """
    at = _moment(version.at)
    if at is None or at - created > _GRACE:
        return writable or version.source not in (*_APPS, _CALCULATED)
    return writable and version.source not in (*_APPS, *_ITSELF)


def _moment(text: str) -> float | None:
    with suppress(ValueError):
        return datetime.fromisoformat(text).timestamp()
    return None


def delete_all(calls: Calls, object: str, ids: Sequence[str]) -> dict[str, str]:
    """Archive records; return why each is still there. Raises DestinationUnusable."""
    return {own: why for chunk in chunks(list(ids), _BATCH) for own, why in _archived(calls, object, chunk).items()}


def _archived(calls: Calls, object: str, ids: Sequence[str]) -> dict[str, str]:
    """Archive some records. Any reply but the documented one says nothing certain of any of them."""
    body: Any = {"inputs": [{"id": own} for own in ids]}
    reply = calls.ask(ARCHIVE, object=object, body=body)
    why = "" if reply.status == 204 else f"HubSpot does not confirm that it is deleted ({reply_refusal(reply).code})"
    return dict.fromkeys(ids, why)
