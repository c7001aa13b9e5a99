"""What follows the records themselves: opt addresses out, and link records.

https://developers.hubspot.com/docs/api-reference/communication-preferences-subscriptions-v4/guide
https://developers.hubspot.com/docs/api-reference/crm-associations-v4/guide
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final, assert_never

from connector.destinations.base import Outcome, Row, Verdict
from connector.destinations.hubspot.calls import ASSOCIATE, SUBSCRIPTIONS, UNSUBSCRIBE, Calls, expect
from connector.destinations.hubspot.object_types import type_id
from connector.destinations.hubspot.refusals import RecordError, outcome
from connector.destinations.hubspot.replies import OptOuts, Pairs
from connector.errors import DestinationUnusable, PauseReason
from connector.settlement import WRITTEN, Refusal

EMAIL: Final = [("channel", "EMAIL")]
LINKS: Final = 2_000  # pairs that HubSpot links in one call
_UNSUBSCRIBE, _NO_SCOPE = (outcome(RecordError(code)).refusal for code in ("UNSUBSCRIBE", "UNSUBSCRIBE_SCOPE"))
_ASSOCIATION: Final = RecordError("ASSOCIATION")


def opt_out(calls: Calls, rows: Sequence[Row], outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Opt out the address of every row, even if its record was not written."""
    refused = _opted_out(calls, dict.fromkeys(row.unsubscribe for row in rows if row.unsubscribe))
    return [
        _with_opt_out(row, out, refused[row.unsubscribe]) if row.unsubscribe else out
        for row, out in zip(rows, outcomes, strict=True)
    ]


def _opted_out(calls: Calls, addresses: Iterable[str]) -> dict[str, Refusal]:
    """Opt the addresses out; why HubSpot did not. A missing scope refuses them all, and stops nothing else."""
    refused: dict[str, Refusal] = {}
    for address in addresses:
        try:
            refused[address] = WRITTEN if _is_out(calls, address) else _UNSUBSCRIBE
        except DestinationUnusable as error:
            if error.reason is not PauseReason.PERMISSIONS:
                raise
            return dict.fromkeys(addresses, _NO_SCOPE) | refused
    return refused


def _is_out(calls: Calls, address: str) -> bool:
    """Whether the address is opted out now; HubSpot rejects the request if it already was."""
    if calls.ask(UNSUBSCRIBE, query=EMAIL, address=address).ok:
        return True
    reply = calls.ask(SUBSCRIPTIONS, query=EMAIL, address=address)
    return reply.ok and "UNSUBSCRIBED" in {opt_out.status for opt_out in expect(OptOuts, reply).results}


def _with_opt_out(row: Row, out: Outcome, refused: Refusal) -> Outcome:
    match out.verdict:
        case Verdict.DEFERRED:
            return out
        case Verdict.REJECTED if refused is WRITTEN:
            return replace(out, consent_written=out.consent_written or not row.consent)
        case Verdict.REJECTED:
            # A record refused for some fields is sent again without them, and its address with it.
            why = out.refusal if out.of_fields else _also(out.refusal, refused)
            return replace(out, consent_written=False, refusal=why)
        case Verdict.DELIVERED | Verdict.SKIPPED:
            return replace(out, subscription=refused)
        case _:
            assert_never(out.verdict)


def _also(why: Refusal, refused: Refusal) -> Refusal:
    return replace(why, cause=f"{why.cause}; {refused.cause}", action=f"{why.action}; {refused.action}")


Pair = tuple[str, str]


def link(calls: Calls, rows: Sequence[Row], outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Associate the delivered rows with their links; a row that could not be linked is deferred."""
    wanted: dict[tuple[str, str], list[Pair]] = {}
    for row, out in zip(rows, outcomes, strict=True):
        for kinds, pair in _pairs(row, out):
            wanted.setdefault(kinds, []).append(pair)
    linked = {(kinds, pair) for kinds, pairs in wanted.items() for pair in _associated(calls, kinds, pairs)}
    unlinked = outcome(_ASSOCIATION)
    return [
        out if linked.issuperset(_pairs(row, out)) else replace(unlinked, id=out.id, request_id=out.request_id)
        for row, out in zip(rows, outcomes, strict=True)
    ]


def _pairs(row: Row, out: Outcome) -> Iterable[tuple[tuple[str, str], Pair]]:
    if out.verdict is not Verdict.DELIVERED or out.id is None:
        return []
    return [((row.key.object, end.object), (out.id, end.id)) for end in row.links]


def _associated(calls: Calls, kinds: tuple[str, str], pairs: list[Pair]) -> set[Pair]:
    done: set[Pair] = set()
    for start in range(0, len(pairs), LINKS):
        done |= _link_some(calls, kinds, pairs[start : start + LINKS])
    return done


def _link_some(calls: Calls, kinds: tuple[str, str], pairs: list[Pair]) -> set[Pair]:
    """The pairs that HubSpot confirms; a rejected batch is split until the failing pair is isolated."""
    body = {"inputs": [{"from": {"id": start}, "to": {"id": end}} for start, end in pairs]}
    start_type, end_type = map(type_id, kinds)
    reply = calls.ask(ASSOCIATE, object=start_type, other=end_type, body=body)
    if reply.ok:
        linked = {(pair.start.id, pair.end.id) for pair in expect(Pairs, reply).results}
        return linked | {(end, start) for start, end in linked}
    if len(pairs) == 1:
        return set()
    half = len(pairs) // 2
    return _link_some(calls, kinds, pairs[:half]) | _link_some(calls, kinds, pairs[half:])
