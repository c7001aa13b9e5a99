"""How lives are tried: a state machine of its own for each, from the start to its end."""

from __future__ import annotations

import os
from collections.abc import Callable

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test


def try_lives(life: Callable[[], RuleBasedStateMachine], runs: int, steps: int, share: int) -> None:
    """Try so many lives. They are not shrunk: that takes minutes, and what happened is printed anyway."""
    how = settings(
        max_examples=runs,
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        print_blob=True,
        phases=[Phase.explicit, Phase.reuse, Phase.generate],
    )
    # Every day the same lives, so that a failure is about the change at hand; the nightly profile looks further.
    machine = life if os.environ.get("CONNECTOR_PROMISES") == "nightly" else seed(share)(life)
    run_state_machine_as_test(machine, settings=how)
