"""Write the records of one request: each gets an outcome, and a bad record does not affect the others.

https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_composite_sobjects_collections.htm
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from connector.destinations.base import Outcome, Verdict
from connector.destinations.salesforce import api_error, errors
from connector.destinations.salesforce.api_error import ApiError
from connector.destinations.salesforce.client import UNREADABLE, Client, within_attempt
from connector.destinations.salesforce.rule import REJECTING, Kind, Rule
from connector.destinations.salesforce.together import Reply
from connector.settlement import Refusal

Record = dict[str, Any]

SPLITS: Final = 64
"""Extra calls to isolate the bad records of a rejected request: enough for the 20 in a row that stop a lane."""


_LEFT_OVER: Final = "its request was rejected because of another record, and there are too many to tell which"
_UNACCOUNTED: Final = Refusal(
    UNREADABLE,
    "Salesforce's reply does not say whether the record was written",
    "replay: what is already in Salesforce is not written twice",
)
_ID: Final = re.compile(r"[A-Za-z0-9]{15}([A-Za-z0-9]{3})?")


class _Answer(NamedTuple):
    """A record's outcome. again: it may succeed if sent again right away. too_much: or with fewer others."""

    outcome: Outcome
    again: bool = False
    too_much: bool = False


@dataclass(slots=True)
class Batch:
    """Writes records of one object to one path. key_field: empty if they are not written by their key.

    method: PATCH, or POST for records that are created.
    crowded: whether they were too much for the org among the others of their call.
    """

    client: Client
    path: str
    key_field: str = ""
    method: str = "PATCH"
    splits: int = SPLITS
    delivered: bool = False
    crowded: bool = False
    request_id: str = ""

    def write(self, records: Sequence[Record], replied: Reply | None = None) -> list[Outcome]:
        """Write at most 200 records. One outcome each, in order. Raises DestinationUnusable.

        replied: the reply to them, if they were sent among others already.
        """
        answers: dict[int, _Answer] = {}
        pending, first = list(range(len(records))), [replied]

        def once() -> bool:
            sent, among_others = list(pending), first.pop() if first else None
            answers.update(zip(sent, self._send([records[place] for place in sent], among_others), strict=True))
            pending[:] = [place for place in sent if answers[place].again]
            return bool(pending)

        within_attempt(bool, self.client.tries, self.client.sleep)(once)
        return [answers[place].outcome for place in range(len(records))]

    def _send(self, records: Sequence[Record], among_others: Reply | None = None) -> list[_Answer]:
        if among_others:
            reply, self.request_id = among_others.body, among_others.request_id
        else:
            reply = self.client.call(self.method, self.path, json={"allOrNone": False, "records": list(records)})
            self.request_id = self.client.line.last.request_id
        if isinstance(reply, ApiError) and reply.code != UNREADABLE:
            return self._refused(records, reply)
        if not isinstance(reply, list) or len(reply) != len(records):
            return [self._unaccounted() for _ in records]  # only its place says which record a result is about
        answers = [self._row(record, result) for record, result in zip(records, reply, strict=True)]
        return self._in_parts(records, answers, was_alone=among_others is None)

    def _row(self, record: Record, result: Any) -> _Answer:
        """What Salesforce confirms of a record: a part that is missing or odd confirms nothing."""
        row = result if isinstance(result, dict) else {}
        problems, is_written = api_error.entries(row.get("errors")), row.get("success") is True
        error = api_error.read(200, problems)
        if problems and not (is_written or error.is_unnamed):
            return self._judged(record, error)
        crm_id = _confirmed_id(record, row)
        if problems or not is_written or crm_id is None:
            return self._unaccounted()
        self.delivered = True
        created = self.method == "POST" or _created(record, row)
        return _Answer(Outcome(Verdict.DELIVERED, id=crm_id, request_id=self.request_id, created=created))

    def _in_parts(self, records: Sequence[Record], answers: list[_Answer], *, was_alone: bool) -> list[_Answer]:
        """Send records that were too much together again, half of them at a time, or first without other requests."""
        places = [place for place, answer in enumerate(answers) if answer.too_much]
        self.crowded = self.crowded or bool(places and not was_alone)
        for part in self._halves(places) if was_alone else filter(None, [places]):
            for place, answer in zip(part, self._send([records[place] for place in part]), strict=True):
                answers[place] = answer
        return answers

    def _halves(self, places: list[int]) -> Sequence[list[int]]:
        if len(places) < 2 or self.splits < 2:
            return ()
        self.splits -= 2
        middle = len(places) // 2
        return places[:middle], places[middle:]

    def _judged(self, record: Record, refusal: ApiError) -> _Answer:
        refusal = api_error.located(refusal, record)
        rule = errors.rule_for(refusal, self.key_field)
        if rule.kind is Kind.UNUSABLE:
            raise errors.unusable(rule)
        outcome = errors.outcome(refusal, rule, record.keys(), self.request_id)
        return _Answer(outcome, rule.kind in (Kind.AGAIN, Kind.ONCE_MORE), rule.kind is Kind.SMALLER)

    def _refused(self, records: Sequence[Record], refusal: ApiError) -> list[_Answer]:
        """Handle the rejection of a whole request: leave the bad records out, and send the others again."""
        rule = errors.rule_for(refusal, self.key_field)
        if len(records) == 1 or rule.every:
            return [self._judged(record, refusal) for record in records]
        ours = frozenset().union(*records)
        columns = set(api_error.named(refusal, ours)) & ours if rule.kind in REJECTING else set()
        if columns:
            return self._without(records, refusal, columns)
        if self.splits < 2:
            return [self._left_over(refusal, rule) for _ in records]
        self.splits -= 2
        middle = len(records) // 2
        return self._send(records[:middle]) + self._send(records[middle:])

    def _without(self, records: Sequence[Record], refusal: ApiError, columns: set[str]) -> list[_Answer]:
        """Reject the records with one of these columns, and send the others again."""
        others = [record for record in records if not columns & record.keys()]
        answers = iter(self._send(others) if others else ())
        return [self._judged(record, refusal) if columns & record.keys() else next(answers) for record in records]

    def _left_over(self, refusal: ApiError, rule: Rule) -> _Answer:
        if rule.kind is Kind.SMALLER and not self.delivered:
            raise errors.unusable(rule)
        why = Refusal(refusal.code, _LEFT_OVER, "fix the other dead letters of this account first, then replay")
        return _Answer(Outcome(Verdict.DEFERRED, refusal=why, request_id=self.request_id))

    def _unaccounted(self) -> _Answer:
        return _Answer(Outcome(Verdict.DEFERRED, refusal=_UNACCOUNTED, request_id=self.request_id))


def _created(record: Record, row: dict[str, Any]) -> bool | None:
    """Whether the record was created by this write; a record written by its id was not."""
    if "id" in record:
        return False
    return row["created"] if isinstance(row.get("created"), bool) else None


def _confirmed_id(record: Record, row: dict[str, Any]) -> str | None:
    """The id of the record that a row says was written: the one it was sent to, if it was sent to one."""
    sent, shown = record.get("id"), row.get("id")
    if shown is None:
        return sent
    if not isinstance(shown, str) or not _ID.fullmatch(shown):
        return None
    return shown if sent is None or shown[:15] == sent[:15] else None
