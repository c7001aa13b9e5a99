"""The ledger's memory of a record as its text column holds it: versioned JSON, read back from every version.

The digests are covered together (`store.cover`); where one belongs, the JSON has its number, counted from 0.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from connector.backoff import DAY
from connector.model import OLDEST, Entry, Mark, Stamp, Timing
from connector.store.cover import Cover

VERSION: Final = 3
"""Version 1 was a flat object of marks, in which a prefix marked links and values in doubt; 2 showed its digests."""

Put = Callable[[str], int | str]
"""A digest -> its number."""
Get = Callable[[int | str], str]
"""A digest's number, or the digest as an earlier version had it -> the digest."""

_LINK, _MEANT, _UNSUBSCRIBED, _CREATING = "@link ", "@meant ", "@unsubscribed", "@creating"


def entry_as_text(entry: Entry, cover: Cover | None = None) -> str:
    """Everything but the CRM's ID, which has a column of its own. cover: None shows the digests."""
    digests: list[str] = []

    def put(digest: str) -> int | str:
        return _number(digest, digests) if cover else digest

    fields = _fields(entry.fields, put)
    parts = {
        "links": {name: _mark(mark, put) for name, mark in entry.links.items()},
        "meant": {name: _stamps(values, put) for name, values in entry.meant.items()},
        "unsubscribed": _mark(entry.unsubscribed, put) if entry.unsubscribed else None,
        "unread": entry.unread,
        "merged": entry.merged,
        "undone": entry.undone,
    }
    data = {"v": VERSION, **fields, **{name: part for name, part in parts.items() if part}}
    if entry.creating is not None:
        data["creating"] = entry.creating
    if cover and digests:
        data["digests"] = cover.together(digests)
    return json.dumps(data)


def read_entry(crm_id: str | None, text: str, cover: Cover | None = None) -> Entry:
    """An entry from its columns."""
    data = json.loads(text)
    if data.get("v") not in (2, VERSION):
        return _version_1(crm_id, data)
    get = _getting(data, cover)
    return Entry(
        crm_id,
        _read_fields(data["fields"], data.get("by", ()), data.get("times", ()), get),
        {name: _read_mark(mark, get) for name, mark in data.get("links", {}).items()},
        {name: _read_stamps(values, get) for name, values in data.get("meant", {}).items()},
        _read_mark(data["unsubscribed"], get) if "unsubscribed" in data else None,
        data.get("creating"),
        unread=tuple(data.get("unread", ())),
        merged=data.get("merged", False),
        undone=(data["undone"][0], data["undone"][1]) if "undone" in data else None,
    )


def _number(digest: str, digests: list[str]) -> int | str:
    if digest:
        digests.append(digest)
    return len(digests) - 1 if digest else ""


def _getting(data: Mapping[str, Any], cover: Cover | None) -> Get:
    digests = cover.apart(data["digests"]) if cover and "digests" in data else []

    def get(number: int | str) -> str:
        if isinstance(number, str):
            return number
        return digests[number] if number < len(digests) else ""

    return get


def doubt(entry: Entry) -> Entry:
    """Return a record's entry after a restore: the watermarks are kept, and the values count as unknown.

    A value that comes again is then sent, even if the ledger had the same one. For a field that people may edit, the
    value is ours if the CRM still holds the one the ledger had; otherwise it counts as theirs. One that moves forward
    is not brought again: people may have moved it back.
    """
    ours = {
        name: {**entry.meant.get(name, {}), mark.digest: mark.stamp}
        for name, mark in entry.fields.items()
        if mark.digest
    }
    fields = {
        name: mark if mark.timing is Timing.FORWARD else mark._replace(digest="") for name, mark in entry.fields.items()
    }
    return replace(entry, fields=fields, meant={**entry.meant, **ours})


def believed(entry: Entry, now: int) -> Entry:
    """Return an entry without the watermarks of times that have not come, which older versions believed.

    They keep out what is sent since; the next event that has the field writes it. now: epoch ms; 0 if it is not known.
    A worker whose database has a wrong clock writes nothing, so this judges by a right one.
    """
    ahead = {
        name: mark._replace(stamp=OLDEST)
        for name, mark in entry.fields.items()
        if mark.stamp.at > now + DAY and now and not mark.stamp.is_turned
    }
    return replace(entry, fields={**entry.fields, **ahead}) if ahead else entry


def _version_1(crm_id: str | None, data: Mapping[str, Any]) -> Entry:
    marks = _read_marks(data)
    meant: dict[str, dict[str, Stamp]] = {}
    for name, mark in marks.items():
        if name.startswith(_MEANT):
            field, _, digest = name.removeprefix(_MEANT).rpartition(" ")
            meant.setdefault(field, {})[digest] = mark.stamp
    creating = marks.get(_CREATING)
    return Entry(
        crm_id,
        {name: mark for name, mark in marks.items() if not name.startswith("@")},
        {name.removeprefix(_LINK): mark for name, mark in marks.items() if name.startswith(_LINK)},
        meant,
        marks.get(_UNSUBSCRIBED),
        creating.stamp.at if creating else None,
    )


def _fields(marks: Mapping[str, Mark], put: Put) -> dict[str, Any]:
    by = list(dict.fromkeys(mark.by for mark in marks.values() if mark.by))
    fields = {name: _field(mark, by, put) for name, mark in marks.items()}
    return {"fields": fields, **({"by": by} if by else {}), **_times(marks)}


def _times(marks: Mapping[str, Mark]) -> dict[str, list[Any]]:
    """What the watermarks are the times of: most of a record's are of one kind, and the others are named."""
    ((usual, _),) = Counter(mark.timing for mark in marks.values()).most_common(1) or [(Timing.UNKNOWN, 0)]
    others = {name: mark.timing for name, mark in marks.items() if mark.timing is not usual}
    return {"times": [usual, others] if others else [usual]} if usual or others else {}


def _field(mark: Mark, by: Sequence[str], put: Put) -> list[Any]:
    """A field's mark; who wrote it is a number, because all of a record's fields have few versions."""
    author = [by.index(mark.by)] if mark.by else []
    return [*mark.stamp, put(mark.digest), *author, *([mark.turn] if mark.by and mark.turn else [])]


def _read_fields(data: Mapping[str, Any], by: Sequence[str], times: Sequence[Any], get: Get) -> dict[str, Mark]:
    usual, others = times[0] if times else "", times[1] if times[1:] else {}

    def read(name: str, at: int, tie: str, digest: int | str, author: int | None = None, turn: str = "") -> Mark:
        by_whom = "" if author is None else by[author]
        return Mark(Stamp(at, tie), get(digest), by_whom, turn, Timing(others.get(name, usual)))

    return {name: read(name, *mark) for name, mark in data.items()}


def _mark(mark: Mark, put: Put) -> list[Any]:
    return [*mark.stamp, put(mark.digest)]


def _stamps(values: Mapping[str, Stamp], put: Put) -> list[list[Any]]:
    return [[put(digest), *stamp] for digest, stamp in values.items()]


def _read_mark(data: tuple[int, str, int | str], get: Get) -> Mark:
    at, tie, digest = data
    return Mark(Stamp(at, tie), get(digest))


def _read_marks(data: Mapping[str, Any]) -> dict[str, Mark]:
    return {name: Mark(Stamp(at, tie), digest) for name, (at, tie, digest) in data.items()}


def _read_stamps(data: Mapping[str, Any] | Sequence[Any], get: Get) -> dict[str, Stamp]:
    if isinstance(data, Mapping):  # as version 2 has them
        return {digest: Stamp(*stamp) for digest, stamp in data.items()}
    return {get(number): Stamp(at, tie) for number, at, tie in data}
