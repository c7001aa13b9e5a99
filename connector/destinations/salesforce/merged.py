"""Ask where records live now: Salesforce keeps the loser of a merge in the recycle bin, with its winner's id."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any, Final, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from connector.destinations.salesforce.api_error import ApiError
from connector.destinations.salesforce.client import UNREADABLE, Client
from connector.destinations.salesforce.pages import Pages

_MOST: Final = 400
_MERGES: Final = 5
"""How often the winner of a merge is followed into another."""

_ID: Final = re.compile(r"[a-zA-Z0-9]{15}(?:[a-zA-Z0-9]{3})?")
_CONTACT: Final = "003"
_MERGED: Final = "MasterRecordId"


class _Row(BaseModel):
    """A record, deleted or not. winner: what it was merged into."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    id: str = Field(alias="Id", pattern=f"^{_ID.pattern}$")
    is_deleted: bool = Field(alias="IsDeleted")
    winner: str | None = Field(default=None, alias=_MERGED, pattern=f"^{_ID.pattern}$")

    @property
    def became(self) -> str:
        """What it was merged into, by its first 15 characters; empty if it was not."""
        return (self.winner or "")[:15] if self.is_deleted else ""


class _Answer(NamedTuple):
    """The rows of a query, by their first 15 characters. complete: whether there are no others."""

    rows: dict[str, _Row]
    complete: bool


class Survivors:
    """Reads one account. May raise DestinationUnusable."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._unmergeable: set[str] = set()

    def of(self, object: str, ids: Sequence[str]) -> dict[str, str | None]:
        """Each id -> where the record lives now; None if it was deleted. Without those Salesforce does not tell."""
        if object != "Lead":
            return self._of(object, ids)
        contacts = [crm_id for crm_id in ids if crm_id.startswith(_CONTACT)]  # a converted lead is known by its contact
        return self._of("Contact", contacts) | self._of(object, [crm_id for crm_id in ids if crm_id not in contacts])

    def _of(self, object: str, ids: Sequence[str]) -> dict[str, str | None]:
        rows: dict[str, _Row | None] = {}
        asked = sorted({crm_id[:15] for crm_id in ids if _ID.fullmatch(crm_id)})
        for _ in range(_MERGES):
            rows |= self._rows(object, asked)
            asked = sorted(set(_winners(rows)) - rows.keys())
            if not asked:
                break
        return {crm_id: _where(rows, crm_id) for crm_id in ids if _is_known(rows, crm_id)}

    def _rows(self, object: str, ids: Sequence[str]) -> dict[str, _Row | None]:
        """The rows with these ids, deleted or not, by their first 15 characters; None where there is none."""
        rows: dict[str, _Row | None] = {}
        for start in range(0, len(ids), _MOST):
            some = ids[start : start + _MOST]
            answer = None if object in self._unmergeable else self._asked(object, _MERGED, some)
            if answer is None:  # most objects cannot be merged, and have no such field
                answer = self._asked(object, "", some)
                if answer is not None:
                    self._unmergeable.add(object)
            if answer is not None:
                rows |= dict.fromkeys(some if answer.complete else ()) | answer.rows
        return rows

    def _asked(self, object: str, merged: str, ids: Sequence[str]) -> _Answer | None:
        """The rows of a query, with this field; None where Salesforce rejects it."""
        # https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_queryall.htm
        names = ", ".join(filter(None, ("Id", "IsDeleted", merged)))
        among = ", ".join(f"'{crm_id}'" for crm_id in ids)
        soql = " ".join(("SELECT", names, "FROM", object, "WHERE Id IN (", among, ")"))
        entries: list[Any] = []
        pages = Pages(self._client, "queryAll", soql)
        for reply in pages:
            if isinstance(reply, ApiError) and reply.code != UNREADABLE:
                return None
            page = reply.get("records") if isinstance(reply, dict) else None
            entries += page if isinstance(page, list) else [None]
        rows = [row for entry in entries if (row := _row(entry, merged))]
        return _Answer({row.id[:15]: row for row in rows}, pages.complete and len(rows) == len(entries))


def _row(entry: Any, merged: str) -> _Row | None:
    """The record; None if it cannot be read, or lacks the field that was asked for."""
    if merged and not (isinstance(entry, dict) and merged in entry):
        return None
    with suppress(ValidationError):
        return _Row.model_validate(entry)
    return None


def _winners(rows: dict[str, _Row | None]) -> Iterator[str]:
    """The records that merged ones became."""
    return (row.became for row in rows.values() if row and row.became)


def _line(rows: dict[str, _Row | None], crm_id: str) -> Iterator[_Row | None]:
    """Yield the row of a record, and of each that it was merged into in turn; stop where nothing is known."""
    at = crm_id[:15]
    for _ in range(_MERGES + 1):
        if at not in rows:
            return
        row = rows[at]
        yield row
        if row is None or not row.became:
            return
        at = row.became


def _last(rows: dict[str, _Row | None], crm_id: str) -> tuple[bool, _Row | None]:
    """Whether it is known where the record ended, and its last row."""
    line = list(_line(rows, crm_id))
    last = line[-1] if line else None
    return bool(line) and not (last and last.became), last


def _is_known(rows: dict[str, _Row | None], crm_id: str) -> bool:
    return _last(rows, crm_id)[0]


def _where(rows: dict[str, _Row | None], crm_id: str) -> str | None:
    last = _last(rows, crm_id)[1]
    if last is None or last.is_deleted:
        return None
    return crm_id if last.id[:15] == crm_id[:15] else last.id
