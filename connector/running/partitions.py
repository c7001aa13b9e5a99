"""Spread destinations over lanes as the agency files say, and empty the lanes that they no longer name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from connector import telemetry
from connector.errors import StoreUnavailable
from connector.receive import lane_for, lane_name
from connector.running.config import AgencyFile
from connector.store import Store

_EVERY: Final = 60.0
"""Seconds between two looks: a replay, or a receiver with an older file, may use such a lane again."""


def partitions_of(files: Sequence[AgencyFile]) -> dict[str, int]:
    """Map every destination of these agencies to its number of lanes."""
    return {
        f"{file.settings.agency}/{name}": settings.partitions
        for file in files
        for name, settings in file.settings.destinations.items()
    }


def lanes_of(partitions: Mapping[str, int]) -> dict[str, str]:
    """Map every lane of these destinations to its destination."""
    return {
        lane_name(*_split(destination), number): destination
        for destination, count in partitions.items()
        for number in range(count)
    }


def _split(destination: str) -> tuple[str, str]:
    agency, _, name = destination.partition("/")
    return agency, name


@dataclass(slots=True)
class Mover:
    """Empties lanes that are no longer configured, at most once a minute however often it is called."""

    store: Store
    partitions: Mapping[str, int]
    clock: Callable[[], float]
    _next: float = field(default=0.0)

    def __call__(self) -> None:
        """Move what is left in such lanes if a minute has passed."""
        if self.clock() < self._next:
            return
        self._next = self.clock() + _EVERY
        try:
            moved = self.store.moving.move(lanes_of(self.partitions), self._lane)
        except StoreUnavailable as error:
            telemetry.store_unavailable("upkeep", error.problem)
            return
        if moved:
            telemetry.lanes_emptied(moved)

    def _lane(self, destination: str, spread_by: str) -> str:
        return lane_for(*_split(destination), self.partitions[destination], spread_by)
