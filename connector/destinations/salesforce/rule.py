"""What to do about an error of Salesforce's, and the words for it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from connector.errors import PauseReason


class Kind(StrEnum):
    """What to do about an error."""

    AGAIN = "again"  # retried within the attempt, then deferred
    ONCE_MORE = "once more"  # retried within the attempt, then rejected, as FIELDS are
    SMALLER = "smaller"  # a whole request is split; a single record is deferred
    LATER = "later"  # deferred
    REJECTED = "rejected"
    FIELDS = "fields"  # rejected; without some of its fields the record may be accepted
    OUTAGE = "outage"  # a whole request is retried, then the account is unusable; a single record is deferred
    UNUSABLE = "unusable"
    SESSION = "session"  # a new login may help, once


TRIGGERS: Final = "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY CANNOT_EXECUTE_FLOW_TRIGGER APEX_ERROR"
REJECTING: Final = (Kind.REJECTED, Kind.FIELDS, Kind.ONCE_MORE)


@dataclass(frozen=True, slots=True)
class Rule:
    """What some error codes mean and what to do about them.

    codes: separated by spaces. cause, action: for an administrator, with `{fields}`. says: what the message matches.
    reason: why a lane pauses. retry_after: seconds. every: applies to every record of the request.
    field: the one at fault if the error names none. code: ours, where Salesforce's also means something else.
    listed: applies only if the error lists a field besides the record's own id.
    patient: waits, however long it takes, until the org's people have changed something.
    """

    codes: str
    kind: Kind
    cause: str
    action: str
    says: str = ""
    reason: PauseReason | None = None
    retry_after: float | None = None
    every: bool = False
    field: str = ""
    code: str = ""
    listed: bool = False
    patient: bool = False
