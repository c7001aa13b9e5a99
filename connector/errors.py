"""The tree of errors, named by what their reader must do. Each names what it is about and carries a stable code.

No text here ever contains a payload value: only field names, ids, files and lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, Final


class ConnectorError(Exception):
    """What went wrong, where, and what to do about it."""

    code: ClassVar[str] = "E000"

    def __init__(self, thing: str, problem: str, hint: str = "") -> None:
        super().__init__(f"{thing}: {problem}" + (f" ({hint})" if hint else ""))
        self.thing, self.problem, self.hint = thing, problem, hint


class FixConfiguration(ConnectorError):
    """The agency file or the environment is wrong and must be corrected."""

    code = "E100"


class CannotDecrypt(FixConfiguration):
    """Stored content cannot be decrypted. key: the fingerprint it names; missing: whether this key was not given."""

    code = "E130"

    def __init__(self, thing: str, key: str, *, missing: bool) -> None:
        problem = f"is encrypted with the key {key}" if missing else "was changed, or belongs to another row"
        hint = "add this key to CONNECTOR_DATA_KEY" if missing else f"it does not decrypt with the key {key}"
        super().__init__(thing, problem, hint)
        self.key, self.missing = key, missing


class FixMapping(ConnectorError):
    """A mapping has errors; `problem` holds its diagnostics, one per line."""

    code = "E110"


class RefuseMessage(ConnectorError):
    """A request that is not a careCycle message. reason: a few words, sent back, logged and counted."""

    code = "E200"

    def __init__(self, thing: str, reason: str) -> None:
        super().__init__(thing, reason)
        self.reason = reason


class UnreadableEvent(ConnectorError):
    """A genuine message that cannot be read: it is stored and parked for an operator."""

    code = "E210"


class StoreUnavailable(ConnectorError):
    """The database cannot be reached or written; the sender must retry."""

    code = "E300"


class WentBack(StoreUnavailable):
    """The database is older than what this process has committed: an older copy took its place."""

    code = "E302"


class InboxFull(StoreUnavailable):
    """More events are waiting than this installation's limit allows: deliver them, or raise the limit."""

    code = "E301"


class StoreDamaged(StoreUnavailable):
    """The database is damaged: nothing is written to it until it is repaired or replaced by a backup."""

    code = "E303"


class LeaseLost(ConnectorError):
    """Another worker holds this lane now: this worker must not record its results."""

    code = "E310"


class StateChanged(ConnectorError):
    """An operator acted on a delivery or lane whose state has changed since it was shown."""

    code = "E320"


class AlarmNotSent(ConnectorError):
    """An alarm was not delivered: its webhook or mail server did not accept it."""

    code = "E500"


class PauseReason(StrEnum):
    """Why a lane rests. docs/operating.md says what to do about each."""

    AUTH = "auth"
    ANOTHER_ACCOUNT = "another account"
    PERMISSIONS = "permissions"
    NETWORK = "network"
    UNREACHABLE = "unreachable"
    OUTAGE = "outage"
    MAINTENANCE = "maintenance"
    LOCKED = "locked"
    BUSY = "busy"
    RATE = "rate"
    QUOTA = "quota"
    STORAGE = "storage"
    CONFIGURATION = "configuration"
    REQUEST = "request"
    REPLY = "reply"
    CLIENT = "client"
    BUDGET = "budget"
    SENSITIVE = "sensitive"
    TESTS = "tests"
    OPERATOR = "operator"
    HISTORY = "history"
    FAULT = "FAULT"
    REFUSED = "refused"


ACCOUNT_WIDE: Final = frozenset(
    {
        PauseReason.AUTH,
        PauseReason.ANOTHER_ACCOUNT,
        PauseReason.PERMISSIONS,
        PauseReason.NETWORK,
        PauseReason.UNREACHABLE,
        PauseReason.OUTAGE,
        PauseReason.MAINTENANCE,
        PauseReason.LOCKED,
        PauseReason.BUSY,
        PauseReason.RATE,
        PauseReason.QUOTA,
        PauseReason.CONFIGURATION,
    }
)
"""The pauses that hold opt-outs too: nothing can be written to the account. Every other pause lets them through."""

LIMITS: Final = frozenset({PauseReason.RATE, PauseReason.QUOTA, PauseReason.BUSY})
"""The pauses for a limit that all of an account's lanes use up together: they hold for every lane of it."""

PASSING: Final = frozenset({PauseReason.NETWORK, PauseReason.UNREACHABLE, PauseReason.OUTAGE, PauseReason.BUSY})
"""The pauses that end by themselves, at any moment, and in which a try does no harm."""

OF_ONE_EVENT: Final = frozenset(
    {PauseReason.REQUEST, PauseReason.REPLY, PauseReason.CLIENT, PauseReason.FAULT, PauseReason.OUTAGE}
)
"""The pauses that one event may cause by what it sends. If they repeat, that event is looked for."""


@dataclass(frozen=True, slots=True)
class InFlight:
    """What was being sent to a CRM, or looked up there, when it could not be used.

    delivery_id: the first event's. record: of the mapping. crm_id: empty if not known. count: records of the call.
    """

    delivery_id: int
    record: str
    object: str
    crm_id: str = ""
    count: int = 1


class DestinationUnusable(ConnectorError):
    """The CRM account cannot be written at the moment: its lane pauses, and no delivery loses an attempt.

    retry_after: seconds to wait before the next request, if the CRM said so. refused: with REFUSED, the code that
    record after record was rejected with. keys: of the records in the call that failed, where the destination knows
    them. in_flight: what was being sent.
    """

    code = "E400"

    def __init__(
        self, thing: str, reason: PauseReason, problem: str, *, retry_after: float | None = None, refused: str = ""
    ) -> None:
        super().__init__(thing, problem)
        self.reason, self.retry_after, self.refused = reason, retry_after, refused
        self.keys: Sequence[object] = ()
        self.in_flight: InFlight | None = None


class SourceUnusable(ConnectorError):
    """careCycle's API cannot be asked at the moment. Events and their delivery go on without it.

    retry_after: seconds to wait before the next request, if careCycle said so.
    """

    code = "E410"

    def __init__(self, thing: str, problem: str, reason: PauseReason, *, retry_after: float | None = None) -> None:
        super().__init__(thing, problem)
        self.reason, self.retry_after = reason, retry_after


class SourceForbidden(SourceUnusable):
    """careCycle's API key lacks the permission for one kind of request; the others work."""

    code = "E411"
