"""Describe an account's objects one by one: one that is refused leaves the others described."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, TypeVar

from connector.errors import DestinationUnusable, PauseReason

_Described = TypeVar("_Described")

_OF_ONE: Final = frozenset(
    {PauseReason.CONFIGURATION, PauseReason.PERMISSIONS, PauseReason.REQUEST, PauseReason.REPLY, PauseReason.OUTAGE}
)
"""Why a CRM may refuse to describe one object and describe the others."""


def each(
    objects: Iterable[str], describe: Callable[[str], _Described]
) -> tuple[dict[str, _Described], dict[str, DestinationUnusable]]:
    """Describe objects; return what was described, and why the others were not. Raises DestinationUnusable."""
    described: dict[str, _Described] = {}
    refused: dict[str, DestinationUnusable] = {}
    for name in objects:
        try:
            described[name] = describe(name)
        except DestinationUnusable as error:
            if error.reason not in _OF_ONE:
                raise
            refused[name] = error
    return described, refused


def problems(refused: dict[str, DestinationUnusable], *, all_of_them: bool) -> dict[str, str]:
    """Why objects were not described. Raises the first error if none was."""
    if refused and all_of_them:
        raise next(iter(refused.values()))
    return {name: error.problem for name, error in refused.items()}
