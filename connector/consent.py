"""When an opt-out counts. A flag once raised in the CRM is never lowered by us; an unknown flag keeps things back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from connector.model import FlagState, Plan, Stamp

States = Mapping[str, FlagState]
"""flag -> what is known of it, for one customer."""


def observe(states: States, plans: Iterable[Plan]) -> dict[str, FlagState]:
    """The states after hearing these plans of one customer: the newest snapshot decides each flag."""
    known = dict(states)
    for plan in plans:
        for flag, value in plan.consent.items():
            state = known.get(flag)
            if state is None or plan.stamp >= state.stamp:
                known[flag] = FlagState(plan.stamp, value, applied=state.applied if state else False)
    return known


def withholding(guards: Iterable[str], states: States) -> str | None:
    """The first of these flags that keeps its fields or record back: true, or not known to be false."""
    for flag in guards:
        state = states.get(flag)
        if state is None or state.value is not False:
            return flag
    return None


def must_raise(before: FlagState | None, stamp: Stamp) -> bool:
    """Whether a raise said at `stamp` still has to reach the CRM, given what was known before it.

    Yes when no raise ever reached it, and again when the customer had consented in between: the CRM's own flag may
    have been lowered by a person since.
    """
    if before is None or not before.applied:
        return True
    return before.value is False and stamp > before.stamp
