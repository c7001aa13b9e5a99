"""What became of one opt-out in one destination, judged from the rows that tell of it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, assert_never

from sqlalchemy import Row

from connector.settlement import NO_RECORD, DeliveryState


@dataclass(frozen=True, slots=True)
class OptOut:
    """One opt-out, and what became of it in one destination. Times in epoch ms.

    status: applied, waiting, paused, dead letter, discarded, no record or not mapped. why: more of all but the first.
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


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of one customer's flag in one destination, and every time it was raised there."""

    known: Row[Any]
    raised: list[Row[Any]]


def judged(event: Row[Any], flag: str, delivery: Row[Any], evidence: Evidence | None) -> OptOut:
    """What the rows of an event, of its delivery and of what is known since say of one flag the event raised."""
    told = (event.customer_id, flag, event.message_id, event.received_at, delivery.destination)
    if evidence is None or not _is_applied(event, delivery, evidence):
        return OptOut(*told, *_standing(delivery))
    since = [one for one in evidence.raised if _since(one, event, delivery)]
    made = since[0] if since else evidence.raised[-1] if evidence.raised else None
    if made is None:
        return OptOut(*told, "applied", evidence.known.applied_at)
    return OptOut(*told, "applied", made.at, made.object, made.crm_id or "")


def _is_applied(event: Row[Any], delivery: Row[Any], evidence: Evidence) -> bool:
    known = evidence.known
    if any(_since(one, event, delivery) for one in evidence.raised):
        return True
    unheard = delivery.state in (DeliveryState.READY, DeliveryState.DEAD) and known.value is False and not known.spoken
    return known.applied_at is not None and not known.owed and not unheard


def _since(one: Row[Any], event: Row[Any], delivery: Row[Any]) -> bool:
    """Whether a raise came with this delivery or after it; clocks of two machines may differ, ids do not."""
    return bool(one.delivery_id >= delivery.id or one.at >= event.received_at)


def _standing(delivery: Row[Any]) -> tuple[str, None, str, str, str]:
    """Why a delivery's opt-out is in no CRM."""
    state, why = DeliveryState(delivery.state), f"{delivery.code}: {delivery.reason}".strip(": ")
    match state:
        case DeliveryState.READY if delivery.paused:
            status, why = "paused", f"{delivery.pause_code}: {delivery.pause_reason}"
        case DeliveryState.READY:
            status = "waiting"
        case DeliveryState.DEAD:
            status = "dead letter"
        case DeliveryState.SKIPPED if delivery.code == "SKIPPED":
            status, why = "not mapped", delivery.reason
        case DeliveryState.SKIPPED:
            status = "no record" if delivery.code == NO_RECORD else "discarded"
        case DeliveryState.DELIVERED | DeliveryState.SUPERSEDED | DeliveryState.IGNORED:
            status, why = "not mapped", "the mapping does not carry this flag"
        case _:
            assert_never(state)
    return status, None, "", "", why
