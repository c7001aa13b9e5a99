"""Is everybody here, and is it in the CRM? What the comparisons with both sides found, and the runs over everybody."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from connector.insight.overview import agencies_of
from connector.settlement.auditing import AuditEntry
from connector.settlement.source import Compared
from connector.settlement.verification import HARMLESS, Coverage, Difference, Standing
from connector.store import Store
from connector.store.runs import REAPPLY, SCHEDULED, SOURCE, Run

_REPAIR: Final = "connector reconcile crm -c agency.yaml --all --repair"
MEANING: Final[Mapping[Difference, str]] = {
    Difference.MISSING: "deleted in the CRM",
    Difference.LOWERED: "an opt-out in force is no longer raised",
    Difference.MERGED: "merged into another record, or a converted lead",
    Difference.UNLINKED: "an association or a look-up is gone",
    Difference.TWIN: "another record has the same key",
    Difference.CHANGED: "a person or automation has changed a field",
    Difference.REFORMATTED: "the same value in another spelling",
}
TO_DO: Final[Mapping[Difference, str]] = {
    Difference.MISSING: f"{_REPAIR} writes them again. If they were deleted for good: connector forget",
    Difference.LOWERED: f"{_REPAIR} raises them again",
    Difference.MERGED: "nothing is lost. The customer's next change is written to what they became, and settles it",
    Difference.UNLINKED: f"{_REPAIR}=owned links them again, where the mapping always writes the link",
    Difference.TWIN: "merge them in the CRM, or remove the key from one of them",
}
"""What to do about each difference that is a fault."""

_ACTIONS: Final = ("backfill", SOURCE, "reconcile", REAPPLY, "undo")
_LISTED: Final = 20


@dataclass(frozen=True, slots=True)
class InCrm:
    """A destination's records as they are in its CRM. differing: by difference, those that were found."""

    coverage: Coverage
    differing: Mapping[Difference, int]
    complete_at: int | None

    @property
    def is_fine(self) -> bool:
        """Whether nobody has to do anything, as far as records have been compared."""
        return not any(own not in HARMLESS for own in self.differing)


@dataclass(frozen=True, slots=True)
class RunBy:
    """A run, and who began it as the audit log has it; empty if it does not say."""

    run: Run
    who: str


@dataclass(frozen=True, slots=True)
class Complete:
    """What is known of completeness. compared: by agency, None where careCycle was never asked. done: by operators."""

    compared: Mapping[str, Compared | None]
    in_crm: Sequence[InCrm]
    runs: Sequence[RunBy]
    done: Sequence[AuditEntry]


def complete(store: Store) -> Complete:
    """Read what the comparisons found. Raises StoreUnavailable."""
    agencies = agencies_of(store.desk.lanes())
    runs = sorted((run for name in agencies for run in store.runs.all(name)), key=lambda run: -run.started_at)
    done = store.audit.entries(_LISTED, _ACTIONS)
    standing = {own.destination: own for own in store.verifications.standing()}
    return Complete(
        {name: store.runs.compared(name) for name in agencies},
        [_in_crm(own, standing.get(own.destination)) for own in store.verifications.coverage()],
        [RunBy(run, _who(run, done)) for run in runs[:_LISTED]],
        done,
    )


def faults(standing: Standing) -> Mapping[Difference, int]:
    """The differences of a destination about which somebody has to do something."""
    return {own: count for own, count in standing.differing.items() if count and own not in HARMLESS}


def _in_crm(coverage: Coverage, standing: Standing | None) -> InCrm:
    differing = standing.differing if standing else {}
    return InCrm(
        coverage,
        {own: differing[own] for own in MEANING if differing.get(own)},
        standing.complete_at if standing else None,
    )


def _who(run: Run, done: Sequence[AuditEntry]) -> str:
    if run.asked == SCHEDULED:
        return "the connector"
    return next((entry.who for entry in done if run.id in entry.thing), "")
