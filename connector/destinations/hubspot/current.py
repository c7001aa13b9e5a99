"""Current at records by their ids: what became of them, what they show, and what they are associated with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from pydantic import Field

from connector.destinations.base import Current
from connector.destinations.hubspot.calls import LINKED, READ, Calls, expect
from connector.destinations.hubspot.entries import Seen, records
from connector.destinations.hubspot.lenient import Id
from connector.destinations.hubspot.object_types import type_id
from connector.destinations.hubspot.reads import BATCH, FORMER_IDS, RECORD_ID, chunks, former_ids
from connector.destinations.hubspot.refusals import named_ids
from connector.destinations.hubspot.replies import ErrorBody, Read
from connector.destinations.hubspot.values import plain
from connector.destinations.lenient import Entries, Lenient

_LINKED_AT_ONCE: Final = 1_000
_COMPLETE: Final = "COMPLETE"
_NONE: Final = "crm.associations.NO_ASSOCIATIONS_FOUND"
_NOT_FOUND: Final = frozenset({"", "OBJECT_NOT_FOUND"})
"""The categories of an error that may say that a record is not there; a recorded one had none."""


class _Other(Lenient):
    id: Id = Field(alias="toObjectId")


class _Own(Lenient):
    id: Id


class _Linked(Lenient):
    """What a record is associated with. paging: where more is."""

    own: _Own = Field(alias="from")
    to: list[_Other]
    paging: Any = None


class _Unlinked(ErrorBody):
    why: str = Field(default="", alias="subCategory")


class _AllLinked(Lenient):
    status: str = ""
    results: Entries[_Linked] = Field(default_factory=list)
    errors: Entries[_Unlinked] = Field(default_factory=list)


def current(calls: Calls, object: str, ids: Sequence[str], fields: Sequence[str]) -> dict[str, Current]:
    """What is there now of these records. Raises DestinationUnusable."""
    looks: dict[str, Current] = {}
    for chunk in chunks([crm_id for crm_id in dict.fromkeys(ids) if RECORD_ID.fullmatch(crm_id)], BATCH):
        looks |= _read(calls, object, chunk, fields)
    return looks


def _read(calls: Calls, object: str, asked: list[str], fields: Sequence[str]) -> dict[str, Current]:
    # A property that is asked for and has no value is null; one that does not exist or is hidden is left out.
    # https://developers.hubspot.com/docs/api-reference/crm-objects-v3/batch/post-crm-v3-objects-objectType-batch-read
    body = {
        "inputs": [{"id": value} for value in asked],
        "properties": sorted({*fields, *FORMER_IDS}),
        "propertiesWithHistory": [],  # the specification requires it, HubSpot does not
    }
    reply = expect(Read, calls.ask(READ, object=object, body=body))
    listed = records(reply.results).read
    if len(asked) == 1:
        gone = dict.fromkeys([own for own in asked if own in set(_missing(reply))], Current(None))
        return {asked[0]: _shown(listed[0], fields)} if len(listed) == 1 else gone
    by_id = {own: record for record in listed for own in (*former_ids(record), record.id)}
    there = {value: _shown(by_id[value], fields) for value in asked if value in by_id}
    missing = {value: Current(None) for value in _missing(reply) if value in asked}
    # A merged record that does not show its former ids is matched by asking alone.
    return {**missing, **there, **_alone(calls, object, [own for own in asked if own not in there | missing], fields)}


def _alone(calls: Calls, object: str, asked: list[str], fields: Sequence[str]) -> dict[str, Current]:
    """Ask for each of these alone."""
    looks: dict[str, Current] = {}
    for value in asked:
        looks |= _read(calls, object, [value], fields)
    return looks


def _missing(reply: Read) -> Iterator[str]:
    """The ids of which HubSpot says that no record has them."""
    for error in reply.errors:
        yield from named_ids(error) if error.category in _NOT_FOUND else ()


def _shown(record: Seen, fields: Sequence[str]) -> Current:
    shown = record.properties
    return Current(record.id, {name: plain(name, shown[name]) for name in fields if name in shown})


def linked(calls: Calls, object: str, ids: Sequence[str], other: str) -> dict[str, frozenset[str]]:
    """The records of another object that each of these is associated with. Raises DestinationUnusable.

    One of which HubSpot does not say everything is left out. It names those that are associated with none in an error.
    """
    # https://developers.hubspot.com/docs/api-reference/crm-associations-v4/batch/post-crm-v4-associations-fromObjectType-toObjectType-batch-read
    ends: dict[str, frozenset[str]] = {}
    for chunk in chunks(list(dict.fromkeys(ids)), _LINKED_AT_ONCE):
        body: dict[str, Any] = {"inputs": [{"id": crm_id} for crm_id in chunk]}
        reply = expect(_AllLinked, calls.ask(LINKED, object=type_id(object), other=type_id(other), body=body))
        if reply.status == _COMPLETE:
            ends |= _ends(reply)
    return ends


def _ends(reply: _AllLinked) -> dict[str, frozenset[str]]:
    without = [own for error in reply.errors if error.why == _NONE for own in error.context.get("fromObjectId", ())]
    unknown = {own for error in reply.errors if error.why != _NONE for own in named_ids(error)}
    unknown |= {linked.own.id for linked in reply.results if linked.paging}
    ends: dict[str, frozenset[str]] = dict.fromkeys(without, frozenset())
    for linked in reply.results:
        ends[linked.own.id] = ends.get(linked.own.id, frozenset()) | {end.id for end in linked.to}
    return {own: others for own, others in ends.items() if own not in unknown}
