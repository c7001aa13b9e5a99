"""Whether anybody writes what waits: a worker that runs, and that was started with the destination."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from connector.settlement.clocks import ProcessClock
from connector.settlement.listings import LaneStatus, MappingStatus

WORKER: Final = "work"
"""The role of a process that writes."""


def works(processes: Iterable[ProcessClock]) -> bool:
    """Whether a worker runs."""
    return any(process.role == WORKER for process in processes)


def unserved(
    lanes: Sequence[LaneStatus], mappings: Iterable[MappingStatus], processes: Iterable[ProcessClock]
) -> list[str]:
    """Say why nobody writes what waits; empty where somebody does, or nothing waits."""
    waiting = [lane for lane in lanes if lane.ready or lane.opt_outs]
    if not waiting:
        return []
    if not works(processes):
        return ["No worker runs: what waits is written once connector run (or connector work) runs."]
    served = {mapping.destination for mapping in mappings}
    return [
        f"{destination}: no worker serves it yet. Restart connector run (or connector work) with this agency file."
        for destination in sorted({lane.destination for lane in waiting} - served)
    ]
