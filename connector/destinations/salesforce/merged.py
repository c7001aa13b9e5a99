"""Ask what merged records became: Salesforce keeps the loser of a merge in the recycle bin, with its winner's id."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from connector.destinations.salesforce.api_error import ApiError
from connector.destinations.salesforce.client import Client

_MOST: Final = 400
_MERGES: Final = 5
"""How often the winner of a merge is followed into another."""

_ID: Final = re.compile(r"[a-zA-Z0-9]{15}(?:[a-zA-Z0-9]{3})?")


def survivors(client: Client, object: str, ids: Sequence[str]) -> dict[str, str]:
    """The records that merged ones became: id -> id. Raises DestinationUnusable."""
    masters: dict[str, str] = {}
    asked = sorted({crm_id for crm_id in ids if _ID.fullmatch(crm_id)})
    for _ in range(_MERGES):
        merged = dict(_masters(client, object, asked))
        masters |= merged
        asked = sorted({master for master in merged.values() if master not in masters})
        if not asked:
            break
    return {crm_id: _last(masters, crm_id) for crm_id in ids if crm_id in masters}


def _last(masters: dict[str, str], crm_id: str) -> str:
    for _ in range(_MERGES):
        crm_id = masters.get(crm_id, crm_id)
    return crm_id


def _masters(client: Client, object: str, ids: Sequence[str]) -> Iterator[tuple[str, str]]:
    # https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_queryall.htm
    for start in range(0, len(ids), _MOST):
        among = ", ".join(f"'{crm_id}'" for crm_id in ids[start : start + _MOST])
        soql = " ".join(("SELECT Id, MasterRecordId FROM", object, "WHERE Id IN (", among, ")"))
        yield from _pairs(client.call("GET", "queryAll/", params={"q": soql}))


def _pairs(reply: Any) -> Iterator[tuple[str, str]]:
    """Read a reply record by record; an object without merges is an error, and has none."""
    records = reply.get("records") if isinstance(reply, dict) and not isinstance(reply, ApiError) else None
    for record in records if isinstance(records, list) else ():
        pair = (record.get("Id"), record.get("MasterRecordId")) if isinstance(record, dict) else (None, None)
        if isinstance(pair[0], str) and isinstance(pair[1], str):
            yield pair[0], pair[1]
