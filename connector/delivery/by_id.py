"""Write flags to records by id, whatever else an event asks of them; follow records that were merged."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby, zip_longest

from connector.delivery.payments import NOT_TRIED, Result, Target, flags_row, object_and_id, result_of
from connector.destinations.base import Destination, Outcome, Verdict
from connector.errors import DestinationUnusable
from connector.settlement import ObligationState

Written = tuple[Target, Result]


@dataclass(slots=True)
class FlagsById:
    """Writes to one CRM account.

    intend: raises LeaseLost where this worker must not write any more. judge: why the account cannot be used, judging
    by what it answered; None if it can.

    unusable: why the account cannot be used. gone: records that are no longer in the CRM, by object and id -> the id
    of the record they were merged into, None where they were deleted. alive: records that a refusal seemed to say were.
    """

    destination: Destination
    intend: Callable[[], None]
    judge: Callable[[Iterable[Outcome]], DestinationUnusable | None]
    unusable: DestinationUnusable | None = None
    gone: dict[tuple[str, str], str | None] = field(default_factory=dict)
    alive: set[tuple[str, str]] = field(default_factory=set)

    def write(self, targets: Iterable[Target]) -> list[Written]:
        """Write flags, and those of merged records to what became of them; return what became of each flag."""
        written = self._write(targets)
        lost = {object_and_id(target): target for target, result in written if result.gone}
        self.gone |= self._survivors(list(lost))
        written = [(target, self._known(target, result)) for target, result in written]
        moved = (
            replace(target, crm_id=survivor)
            for target, result in written
            if result.gone and (survivor := self.gone[object_and_id(target)])
        )
        return written + self._write(moved)

    def _known(self, target: Target, result: Result) -> Result:
        """A record of which the CRM does not say what became of it, or that it still has, stays owed."""
        record = object_and_id(target)
        if not result.gone or record in self.gone:
            return result
        why = result.why if record in self.alive else NOT_TRIED
        return Result(ObligationState.OWED, why, target.object)

    def _survivors(self, lost: Sequence[tuple[str, str]]) -> dict[tuple[str, str], str | None]:
        """Ask what merged records became; nothing where the account cannot be used, so that we ask again."""
        survivors: dict[tuple[str, str], str | None] = {}
        for kind, group in groupby(sorted(lost), key=lambda record: record[0]):
            ids = [crm_id for _, crm_id in group]
            try:
                answer = self.destination.survivors(kind, ids)
            except DestinationUnusable as error:
                self.unusable = error
                return survivors
            self.alive.update((kind, crm_id) for crm_id in ids if answer.get(crm_id) == crm_id)
            survivors |= {(kind, crm_id): where for crm_id, where in answer.items() if where != crm_id}
        return survivors

    def _write(self, targets: Iterable[Target]) -> list[Written]:
        """Write a record's flags together, then, where they were refused, one by one."""
        by_id = sorted(dict.fromkeys(targets), key=object_and_id)
        groups = [tuple(group) for _, group in groupby(by_id, key=object_and_id)]
        written: list[Written] = []
        refused: list[tuple[Target, ...]] = []
        for group, result in self._results(groups):
            if result.state is ObligationState.REFUSED and len(group) > 1:
                refused.append(group)
            else:
                written += ((target, result) for target in group)
        for turn in zip_longest(*refused):  # a call may hold a record only once
            alone = self._results([(target,) for target in turn if target])
            written += ((target, result) for (target,), result in alone)
        return written

    def _results(self, groups: Sequence[tuple[Target, ...]]) -> Iterator[tuple[tuple[Target, ...], Result]]:
        outcomes = self._rows_written(groups)
        for place, group in enumerate(groups):
            if outcomes is None:
                yield group, Result(ObligationState.OWED, NOT_TRIED, group[0].object)
            else:
                yield group, self._result(group[0], outcomes[place])

    def _result(self, target: Target, outcome: Outcome) -> Result:
        result = result_of(outcome, target.object)
        if outcome.verdict is Verdict.SKIPPED or outcome.code in self.destination.crm.gone:
            return Result(ObligationState.NO_RECORD, result.why, target.object, gone=True)
        return result

    def _rows_written(self, groups: Sequence[tuple[Target, ...]]) -> Sequence[Outcome] | None:
        """Write a row for each group; None where the account cannot be used."""
        if not groups:
            return []
        if self.unusable:
            return None
        self.intend()
        id_field = self.destination.crm.id_field
        try:
            outcomes = self.destination.write([flags_row(group, id_field) for group in groups])
            self.unusable = self.judge(outcomes)
        except DestinationUnusable as error:
            self.unusable = error
        return None if self.unusable else outcomes
