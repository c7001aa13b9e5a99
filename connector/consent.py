"""When an opt-out counts. A flag once raised in the CRM is never lowered by us; an unknown flag keeps things back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from connector.model import FlagState, Plan

States = Mapping[str, FlagState]
"""flag -> what is known of it, for one customer."""


def observe(states: States, plans: Iterable[Plan]) -> dict[str, FlagState]:
    """The states after hearing these plans of one customer: the newest snapshot decides each flag."""
    known = dict(states)
    for plan in sorted(plans, key=lambda plan: plan.stamp):
        for flag, value in plan.consent.items():
            state = known.get(flag)
            if state is None:
                known[flag] = FlagState(plan.stamp, value)
            elif plan.stamp >= state.stamp:
                # After renewed consent a person may have lowered the CRM's flag: a new raise has to reach it anew.
                anew = state.value is False and value is True
                known[flag] = FlagState(plan.stamp, value, applied=state.applied and not anew)
    return known


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
