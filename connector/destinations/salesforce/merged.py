"""Ask where records live now: Salesforce keeps the loser of a merge in the recycle bin, with its winner's id."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from connector.destinations.salesforce.client import Client
from connector.destinations.salesforce.pages import Pages

_MOST: Final = 400
_MERGES: Final = 5
"""How often the winner of a merge is followed into another."""

_ID: Final = re.compile(r"[a-zA-Z0-9]{15}(?:[a-zA-Z0-9]{3})?")
_CONTACT: Final = "003"

_Row = dict[str, Any]


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
            answer = None if object in self._unmergeable else self._asked(object, "Id, IsDeleted, MasterRecordId", some)
            if answer is None:  # most objects cannot be merged, and have no such field
                answer = self._asked(object, "Id, IsDeleted", some)
                if answer is not None:
                    self._unmergeable.add(object)
            if answer is not None:
                rows |= dict.fromkeys(some) | {str(row["Id"])[:15]: row for row in answer}
        return rows

    def _asked(self, object: str, names: str, ids: Sequence[str]) -> list[_Row] | None:
        """The rows of a query; None where Salesforce rejects it or its reply cannot be read."""
        # https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_queryall.htm
        among = ", ".join(f"'{crm_id}'" for crm_id in ids)
        soql = " ".join(("SELECT", names, "FROM", object, "WHERE Id IN (", among, ")"))
        rows: list[_Row] = []
        pages = Pages(self._client, "queryAll", soql)
        for reply in pages:
            if (page := _rows_of(reply)) is None:
                return None
            rows += page
        return rows if pages.complete else None


def _winners(rows: dict[str, _Row | None]) -> Iterator[str]:
    """The records that merged ones became."""
    return (str(row["MasterRecordId"])[:15] for row in rows.values() if row and row.get("MasterRecordId"))


def _rows_of(reply: Any) -> list[_Row] | None:
    if not isinstance(reply, dict) or not isinstance(rows := reply.get("records"), list):
        return None
    return rows if all(isinstance(row, dict) and isinstance(row.get("Id"), str) for row in rows) else None


def _line(rows: dict[str, _Row | None], crm_id: str) -> Iterator[_Row | None]:
    """Yield the row of a record, and of each that it was merged into in turn; stop where nothing is known."""
    at = crm_id[:15]
    for _ in range(_MERGES + 1):
        if at not in rows:
            return
        row = rows[at]
        yield row
        if row is None or not row.get("IsDeleted") or not row.get("MasterRecordId"):
            return
        at = str(row["MasterRecordId"])[:15]


def _last(rows: dict[str, _Row | None], crm_id: str) -> tuple[bool, _Row | None]:
    """Whether it is known where the record ended, and its last row."""
    line = list(_line(rows, crm_id))
    last = line[-1] if line else None
    is_open = last is not None and bool(last.get("IsDeleted") and last.get("MasterRecordId"))
    return bool(line) and not is_open, last


def _is_known(rows: dict[str, _Row | None], crm_id: str) -> bool:
    return _last(rows, crm_id)[0]


def _where(rows: dict[str, _Row | None], crm_id: str) -> str | None:
    last = _last(rows, crm_id)[1]
    if last is None or last.get("IsDeleted"):
        return None
    return crm_id if str(last["Id"])[:15] == crm_id[:15] else str(last["Id"])
