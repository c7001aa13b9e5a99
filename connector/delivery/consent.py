"""When an opt-out counts. A flag once raised in the CRM is never lowered by us; an unknown flag keeps things back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from connector.model import FlagState, Plan, Stamp

States = Mapping[str, FlagState]
"""flag -> what is known of it, for one customer."""


def observe(states: States, plans: Iterable[Plan]) -> dict[str, FlagState]:
    """The states after hearing these plans of one customer: the newest snapshot decides each flag."""
    known = dict(states)
    for plan in sorted(plans, key=lambda plan: plan.stamp):
        for flag, value in plan.consent.items():
            known[flag] = _heard(known.get(flag), plan.stamp, value)
    return known


def _heard(state: FlagState | None, stamp: Stamp, value: bool | None) -> FlagState:
    if state is None:
        return FlagState(stamp, value, owed=value is True)
    newer = stamp >= state.stamp
    # After renewed consent a person may have lowered the CRM's flag: a new raise has to reach it anew.
    applied = state.applied and not (newer and state.value is False and value is True)
    owed = not applied and (state.owed or value is True)
    return FlagState(*((stamp, value) if newer else (state.stamp, state.value)), applied, owed)


def stands(state: FlagState | None) -> bool:
    """Whether a record that is written anyway has to carry the flag, whatever the event at hand says of it.

    A flag that careCycle no longer speaks of stays raised: only a plain false ends it.
    """
    return state is not None and (state.owed or state.value is True or (state.applied and state.value is None))


def withholding(guards: Iterable[str], states: States) -> str | None:
    """The first of these flags that keeps its fields or record back: true, or not known to be false."""
    for flag in guards:
        state = states.get(flag)
        if state is None or state.value is not False:
            return flag
    return None


def must_raise(state: FlagState | None) -> bool:
    """Whether a raise still has to reach the CRM, all events so far heard."""
    return state is None or not state.applied
