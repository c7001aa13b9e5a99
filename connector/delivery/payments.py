"""What becomes of one opt-out on one CRM record, and when it is tried again. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final, assert_never

from connector import backoff
from connector.delivery.answer import Answer
from connector.delivery.digests import Digest
from connector.destinations.base import Found, Outcome, Row, Verdict
from connector.model import Mode, RecordKey
from connector.settlement import WRITTEN, ObligationState, Raised, Refusal

LOOK_AGAIN: Final = 24 * backoff.HOUR
"""Milliseconds until we check again whether a customer has a record, or the mapping carries the flag."""

MANY: Final = 12
RARELY: Final = 6 * backoff.HOUR
"""Milliseconds between two tries after that many refusals: somebody has to change something in the CRM first."""

NOT_CARRIED: Final = Refusal("NOT_MAPPED", "the mapping does not carry this flag", "carry it under consent: flags:")
NO_RECORD_YET: Final = Refusal("NO_RECORD", "the CRM has no record of this customer yet")
NOT_TRIED: Final = Refusal("", "the CRM account could not be used")
WORST_FIRST: Final = tuple(map(ObligationState, ("refused", "owed", "applied", "no record", "not mapped")))


@dataclass(frozen=True, slots=True)
class Target:
    """One flag on one record that exists in the CRM."""

    customer_id: str
    flag: str
    object: str
    name: str
    crm_id: str
    unsubscribe: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one flag on one record of its customer. gone: the record, known by its id, is not in the CRM."""

    state: ObligationState
    why: Refusal = WRITTEN
    object: str = ""
    crm_id: str | None = None
    gone: bool = False


def result_of_answer(answer: Answer) -> Result:
    kind, crm_id = answer.folded.write.key.object, answer.crm_id
    if answer.outcome is None:
        if crm_id is None:
            return Result(ObligationState.NO_RECORD, NO_RECORD_YET, kind)
        return Result(ObligationState.APPLIED, WRITTEN, kind, crm_id)
    if answer.outcome.consent_written:
        return Result(ObligationState.APPLIED, WRITTEN, kind, crm_id)
    return replace(result_of(answer.outcome, kind), crm_id=crm_id)


def result_of(outcome: Outcome, kind: str) -> Result:
    if outcome.subscription.code:
        return Result(ObligationState.REFUSED, outcome.subscription, kind, outcome.id)
    match outcome.verdict:
        case Verdict.DELIVERED:
            return Result(ObligationState.APPLIED, WRITTEN, kind, outcome.id)
        case Verdict.SKIPPED:
            return Result(ObligationState.NO_RECORD, NO_RECORD_YET, kind)
        case Verdict.DEFERRED:
            return Result(ObligationState.OWED, outcome.refusal, kind, outcome.id)
        case Verdict.REJECTED:
            return Result(ObligationState.REFUSED, outcome.refusal, kind, outcome.id)
        case _:
            assert_never(outcome.verdict)


def known_ids(answer: Answer) -> frozenset[str]:
    return frozenset(answer.candidates) | ({answer.crm_id} if answer.crm_id else set())


def ids_of(answer: list[Found] | Outcome) -> frozenset[str]:
    """Return the ids of the records a search answered; none where the CRM could not be asked."""
    return frozenset() if isinstance(answer, Outcome) else frozenset(match.id for match in answer)


def wait_for(state: ObligationState, attempts: int, roll: float) -> int | None:
    """Return the milliseconds until an obligation is checked again; None waits for something new about it."""
    match state:
        case ObligationState.APPLIED:
            return None
        case ObligationState.OWED:
            return backoff.delay(attempts, roll)
        case ObligationState.REFUSED:
            return backoff.delay(attempts + 6, roll) if attempts < MANY else RARELY
        case ObligationState.NO_RECORD | ObligationState.NOT_MAPPED:
            return LOOK_AGAIN
        case _:
            assert_never(state)


def object_and_id(target: Target) -> tuple[str, str]:
    return target.object, target.crm_id


def flags_row(group: Sequence[Target], id_field: str) -> Row:
    """Build a row that raises flags on a record by its id and touches nothing else, not even its key."""
    first = group[0]
    fields = {target.name: True for target in group}
    address = next((target.unsubscribe for target in group if target.unsubscribe), None)
    key = RecordKey(first.object, id_field, first.crm_id)
    return Row(key, fields, id=first.crm_id, mode=Mode.UPDATE, unsubscribe=address)


def opted_out_by(answer: Answer, digest: Digest) -> frozenset[str]:
    """Digest the addresses that a record's write opted out, now or before."""
    mark, outcome = answer.entry.unsubscribed, answer.outcome
    before = {mark.digest} if mark else set()
    address = answer.decision.unsubscribe
    is_out = address is not None and outcome is not None and result_of(outcome, "").state is ObligationState.APPLIED
    return frozenset(before | ({digest(address)} if is_out else set()))


def raised_on(target: Target) -> Raised:
    return Raised(target.customer_id, target.flag, target.object, target.crm_id, 0, target.name)
