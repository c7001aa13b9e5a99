"""Notice what was written to a converted lead: nobody looks at it there, and a user may be allowed to edit it.

https://help.salesforce.com/s/articleView?id=000384333
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic import Field, ValidationError

from connector.destinations.base import Found, Outcome, Row, Verdict
from connector.destinations.lenient import Lenient
from connector.destinations.salesforce import errors
from connector.destinations.salesforce.api_error import ApiError
from connector.destinations.salesforce.client import Client
from connector.destinations.salesforce.converted import CODE
from connector.destinations.salesforce.reads import Reader

# https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/sforce_api_objects_userpermissionaccess.htm
_PERMISSION: Final = "PermissionsAllowViewEditConvertedLeads"
_QUESTION: Final = " ".join(("SELECT", _PERMISSION, "FROM", "UserPermissionAccess"))
_ASK_AGAIN: Final = 3600.0
"""Seconds until the permission is asked for again: an administrator may have granted it."""

_CONVERTED: Final = ApiError(400, CODE)


class _Permissions(Lenient):
    may_edit: bool = Field(alias=_PERMISSION)


class _Answer(Lenient):
    records: list[_Permissions] = Field(min_length=1)


class EditedLeads:
    """Asks one account. Every method may raise DestinationUnusable."""

    def __init__(self, client: Client, reader: Reader) -> None:
        self._client, self._reader = client, reader
        self._may_edit, self._ask_at = True, 0.0

    def refused(self, rows: Sequence[Row], outcomes: Mapping[int, Outcome]) -> dict[int, Outcome]:
        """The rows that were written to a converted lead, by their places, as Salesforce refuses them to other users.

        Where Salesforce does not say whether a lead was converted, its row waits.
        """
        updated = {place: outcome for place, outcome in outcomes.items() if _is_updated(rows[place], outcome)}
        written = {place: outcome.id for place, outcome in updated.items() if outcome.id}
        if not written or not self._is_allowed():
            return {}
        answers = self._reader.find("Lead", "Id", sorted(set(written.values())), ["IsConverted"])
        judged = {place: _judged(answers[crm_id]) for place, crm_id in written.items()}
        return {place: outcome for place, outcome in judged.items() if outcome}

    def _is_allowed(self) -> bool:
        """Whether the connector's user may edit converted leads; assumed where Salesforce does not say."""
        if time.monotonic() >= self._ask_at:
            reply = self._client.call("GET", "query/", params={"q": _QUESTION})
            self._may_edit = _may_edit(reply)
            self._ask_at = time.monotonic() + _ASK_AGAIN
        return self._may_edit


def _may_edit(reply: Any) -> bool:
    try:
        return _Answer.model_validate(reply).records[0].may_edit
    except ValidationError:  # refused, or in an unexpected form
        return True


def _is_updated(row: Row, outcome: Outcome) -> bool:
    return row.key.object == "Lead" and outcome.verdict is Verdict.DELIVERED and not outcome.created


def _judged(answer: list[Found] | Outcome) -> Outcome | None:
    """The outcome of a row that was written to this lead; None to leave it as it is."""
    if isinstance(answer, Outcome):
        return answer if answer.verdict is Verdict.DEFERRED else None
    if any(lead.values["IsConverted"] is True for lead in answer):
        return errors.outcome(_CONVERTED, errors.rule_for(_CONVERTED), (), "")
    return None
