"""One tree of errors, named by what its reader must do. Each names its thing and carries a stable code.

No text raised here ever holds a payload value: field names, ids, files and lines only.
"""

from __future__ import annotations

from typing import ClassVar


class ConnectorError(Exception):
    """What went wrong, where, and what to do about it."""

    code: ClassVar[str] = "E000"

    def __init__(self, thing: str, problem: str, hint: str = "") -> None:
        super().__init__(f"{thing}: {problem}" + (f" ({hint})" if hint else ""))
        self.thing, self.problem, self.hint = thing, problem, hint


class FixConfiguration(ConnectorError):
    """The agency file or the process's environment cannot be used as it stands."""

    code = "E100"


class FixMapping(ConnectorError):
    """A mapping does not load; `problem` holds its diagnostics, one per line."""

    code = "E110"


class RefuseMessage(ConnectorError):
    """A request at the door that is not a careCycle message: `reason` is the short word told and counted."""

    code = "E200"

    def __init__(self, thing: str, reason: str) -> None:
        super().__init__(thing, reason)
        self.reason = reason


class UnreadableEvent(ConnectorError):
    """A genuine message the catalogue cannot read: it is kept and parked for an operator."""

    code = "E210"


class StoreUnavailable(ConnectorError):
    """The database cannot be reached or written; whoever sent something must send it again."""

    code = "E300"


class InboxFull(StoreUnavailable):
    """More waits than this installation was set to keep: it must be delivered first, or the bound raised."""

    code = "E301"


class LeaseLost(ConnectorError):
    """Another worker holds this lane now: whatever this one was about to record must not be recorded."""

    code = "E310"


class StateChanged(ConnectorError):
    """An operator's action met a delivery or lane that is no longer in the state it was shown in."""

    code = "E320"


class NotTold(ConnectorError):
    """An alarm did not reach the people it was for: its webhook or mail server did not take it."""

    code = "E500"


class DestinationUnusable(ConnectorError):
    """The whole CRM account cannot be written now: its lane pauses, no delivery loses an attempt.

    retry_after: seconds until it makes sense to ask again, when the CRM said so.
    """

    code = "E400"

    def __init__(self, thing: str, reason: str, problem: str, *, retry_after: float | None = None) -> None:
        super().__init__(thing, problem)
        self.reason, self.retry_after = reason, retry_after
