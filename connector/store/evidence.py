"""What became of an opt-out in a destination, judged from the rows that record it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, assert_never

from sqlalchemy import Row

from connector.settlement import ObligationState
from connector.settlement.verification import LoweredOptOut

NOT_VERIFIED: Final = "not verified"
FOUND_LOWERED: Final = "found lowered"


@dataclass(frozen=True, slots=True)
class OptOut:
    """One opt-out, and what became of it in one destination. Times in epoch ms.

    status: applied, waiting, paused, refused, no record or not mapped. why: more about every status but the first.
    crm_check: verified or found lowered, when the customer's records were last compared with the CRM, or not verified.
    One that is found lowered counts as no longer in the CRM until it is raised again.
    """

    customer_id: str
    flag: str
    message_id: str
    received_at: int
    destination: str
    status: str
    applied_at: int | None = None
    object: str = ""
    crm_id: str = ""
    why: str = ""
    crm_check: str = NOT_VERIFIED
    checked_at: int | None = None


def judged(event: Row[Any], flag: str, obligation: Row[Any], applied: Sequence[Row[Any]]) -> OptOut:
    """Judge one flag that an event raised, by its obligation and every time the flag reached the CRM.

    An earlier opt-out, before careCycle said false, is judged by those times alone.
    """
    state = ObligationState(obligation.state)
    row = first_since(applied, event.received_at)
    if row is not None and (event.received_at < obligation.since or state is ObligationState.APPLIED):
        whose = (event.customer_id, flag, event.message_id, event.received_at, obligation.destination)
        return OptOut(*whose, "applied", row.at, row.object, row.crm_id or "")
    return owed_as(event, flag, obligation)


def owed_as(event: Any, flag: str, obligation: Row[Any]) -> OptOut:
    """Judge a flag that an event raised by its obligation alone."""
    state = ObligationState(obligation.state)
    whose = (event.customer_id, flag, event.message_id, event.received_at, obligation.destination)
    why = f"{obligation.code}: {obligation.reason}".strip(": ")
    match state:
        case ObligationState.APPLIED:
            return OptOut(*whose, "applied", obligation.applied_at, obligation.object, obligation.crm_id or "")
        case ObligationState.OWED:
            return OptOut(*whose, "paused" if obligation.paused else "waiting", why=_pause(obligation) or why)
        case ObligationState.REFUSED | ObligationState.NO_RECORD | ObligationState.NOT_MAPPED:
            return OptOut(*whose, state.value, why=why)
        case _:
            assert_never(state)


def _pause(obligation: Row[Any]) -> str:
    return f"{obligation.pause_code}: {obligation.pause_reason}" if obligation.paused else ""


def first_since(applied: Sequence[Row[Any]], at: int) -> Row[Any] | None:
    return next((row for row in applied if row.at >= at), None)


def checked(
    opt_out: OptOut, obligation: Row[Any], looks: Sequence[Row[Any]], lowered: Sequence[LoweredOptOut]
) -> OptOut:
    """Add what the last comparisons of the customer's records showed since the CRM confirmed the flag.

    lowered: the customer's opt-outs that are no longer in this CRM.
    """
    if opt_out.status != "applied":
        return opt_out
    lacking = [own.found_at for own in lowered if own.flag == opt_out.flag and opt_out.received_at >= obligation.since]
    if lacking:
        return replace(opt_out, crm_check=FOUND_LOWERED, checked_at=max(lacking))
    since = [look for look in looks if look.verified_at >= (obligation.applied_at or 0)]
    raised = [look.verified_at for look in since if opt_out.flag in look.raised.split(",")]
    return replace(opt_out, crm_check="verified", checked_at=max(raised)) if raised else opt_out
