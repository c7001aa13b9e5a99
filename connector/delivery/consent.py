"""Decide when an opt-out counts. We never lower a flag raised in the CRM; an unknown flag withholds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set

from connector.model import OLDEST, FlagState, Plan, Stamp, Write

States = Mapping[str, FlagState]
"""flag -> its state, for one customer."""


def observe(states: States, plans: Iterable[Plan]) -> dict[str, FlagState]:
    """Update the states with these plans of one customer: the newest snapshot counts, and a spoken flag stays."""
    known = dict(states)
    for plan in sorted(plans, key=lambda plan: plan.stamp):
        for flag, value in plan.consent.items():
            if plan.fetched and value is not True:
                _fill_in(known, flag, value)
            else:
                known[flag] = _after_snapshot(known.get(flag), plan.stamp, value)
        for flag in plan.spoken:
            known[flag] = _after_spoken(known.get(flag) or FlagState(plan.stamp, None), plan.stamp)
    return known


def _fill_in(known: dict[str, FlagState], flag: str, value: bool | None) -> None:
    """Note that a fetched event does not raise a flag: whatever a webhook ever says of it counts instead."""
    if value is False:
        known.setdefault(flag, FlagState(OLDEST, False))


def _after_snapshot(state: FlagState | None, stamp: Stamp, value: bool | None) -> FlagState:
    if state is None:
        return FlagState(stamp, value, owed=value is True)
    newer = stamp >= state.stamp
    # After renewed consent a person may have lowered the CRM's flag: a new raise must be written again.
    applied = state.applied and not (newer and state.value is False and value is True)
    owed = not applied and (state.owed or value is True)
    newest = (stamp, value) if newer else (state.stamp, state.value)
    return FlagState(*newest, applied, owed, state.spoken, state.lowered)


def _after_spoken(state: FlagState, stamp: Stamp) -> FlagState:
    """Return the state after an event itself raised the flag. The first time, the flag is always written to the CRM.

    Skipping that write while the newest snapshot says true would make the result depend on the order of arrival.
    What was said before an operator lowered the flag counts no more.
    """
    if _was_lowered(state, stamp):
        return state
    applied = state.applied and state.spoken
    return state._replace(applied=applied, owed=not applied, spoken=True)


def _was_lowered(state: FlagState, stamp: Stamp) -> bool:
    return stamp.at <= state.lowered


def without_lowered(plan: Plan, states: States) -> Plan:
    """Return the plan as if its customer had not said what an operator has lowered since."""
    spoken = {flag: states[flag] for flag in plan.spoken if plan.consent.get(flag) is not True and flag in states}
    lowered = {flag for flag, state in spoken.items() if _was_lowered(state, plan.stamp)}
    if not lowered:
        return plan
    erases = plan.spoken > lowered
    return plan._replace(writes=tuple(_without(lowered, write, erases=erases) for write in plan.writes))


def _without(lowered: Set[str], write: Write, *, erases: bool) -> Write:
    flags = {flag: target for flag, target in write.flags.items() if flag not in lowered}
    fields = {name: field for name, field in write.fields.items() if erases or not field.spoken}
    return write._replace(flags=flags, fields=fields)


def must_carry(state: FlagState | None) -> bool:
    """Whether a record that is written anyway must carry the flag, whatever the current event says about it.

    A flag that turns unknown stays raised until careCycle says false; a spoken flag stays even then.
    """
    if state is None:
        return False
    return state.spoken or state.owed or state.value is True or (state.applied and state.value is None)


def withholding(guards: Iterable[str], states: States) -> str | None:
    """Return the first of these flags that withholds its fields or record: true, unknown or spoken."""
    for flag in guards:
        state = states.get(flag)
        if state is None or state.spoken or state.value is not False:
            return flag
    return None


def must_raise(state: FlagState | None) -> bool:
    """Whether a raised flag has not reached the CRM yet."""
    return state is None or not state.applied
