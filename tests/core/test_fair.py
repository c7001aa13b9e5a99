"""Which lane has the next turn where there are more lanes than turns at once."""

from __future__ import annotations

from collections import Counter

from connector.delivery.fair import OLDEST_EVERY, choose, may_start
from connector.store.lanes import Waiting


def due(name: str, since: int = 0, **changes: object) -> Waiting:
    plain = {"destination": name.rpartition("/")[0], "wait_ms": 0, "opt_outs": False, "since": since, "trying": False}
    return Waiting(name, **{**plain, **changes})  # type: ignore[arg-type]  # the test names them


def started(waiting: list[Waiting], most: int, held: dict[str, Waiting] | None = None, agencies: int = 1) -> list[str]:
    """The names of those that have turns at the end, in the order of their start."""
    turns = dict(held or {})
    number = 0
    while (startable := may_start(waiting, turns, most, agencies)) and len(turns) < most:
        number += 1
        chosen = choose(startable, turns.keys(), oldest=number % OLDEST_EVERY == 0)
        turns[chosen.name] = chosen
    return list(turns)


def rounds(waiting: list[Waiting], most: int, count: int) -> Counter[str]:
    """How often each had a turn, where each waits again at once."""
    turns: Counter[str] = Counter()
    number, clock, now = 0, 1, {turn.name: turn for turn in waiting}
    for _ in range(count):
        held: dict[str, Waiting] = {}
        while len(held) < most and (startable := may_start(now.values(), held, most, 1)):
            number += 1
            chosen = choose(startable, held.keys(), oldest=number % OLDEST_EVERY == 0)
            held[chosen.name] = chosen
        for name, turn in held.items():
            clock += 1
            turns[name] += 1
            now[name] = due(name, clock, opt_outs=turn.opt_outs)
    return turns


class TestTheNextTurn:
    def test_is_a_lane_s_with_opt_outs(self) -> None:
        assert started([due("a/crm/0"), due("a/crm/1", 5, opt_outs=True)], 1) == ["a/crm/1"]

    def test_is_then_the_lane_s_that_waits_longest(self) -> None:
        assert started([due("a/crm/0", 9), due("a/crm/1", 3), due("a/crm/2", 6)], 2) == ["a/crm/1", "a/crm/2"]

    def test_is_nobody_s_who_has_one_or_nothing_to_do(self) -> None:
        busy = due("a/crm/0")
        assert started([busy, due("a/crm/1", wait_ms=5)], 4, {"a/crm/0": busy}) == ["a/crm/0"]

    def test_is_one_lane_s_of_an_account_that_may_be_down(self) -> None:
        down = [due(f"a/crm/{number}", number, trying=True) for number in range(8)]
        assert started(down, 8) == ["a/crm/0"]


class TestManyLanesForFewTurns:
    def test_have_about_the_same_number_of_turns(self) -> None:
        counts = rounds([due(f"a/crm/{number}") for number in range(40)], 4, 100)
        assert set(counts.values()) == {10}

    def test_are_not_kept_from_work_by_a_stream_of_opt_outs(self) -> None:
        opting_out = [due(f"a/crm/{number}", opt_outs=True) for number in range(20)]
        counts = rounds([*opting_out, *(due(f"a/crm/{number}") for number in range(20, 40))], 4, 100)
        assert min(counts.values()) >= 3
        assert counts.total() == 400

    def test_leave_one_turn_to_other_agencies(self) -> None:
        slow = [due(f"a/crm/{number}") for number in range(9)]
        assert len(started(slow, 4, agencies=2)) == 3
        assert started([*slow, due("b/crm/0", 9)], 4, agencies=2).count("b/crm/0") == 1

    def test_are_those_of_the_agency_with_the_fewest_turns(self) -> None:
        lanes = [due(f"{agency}/crm/{number}", number) for agency in "ab" for number in range(4)]
        assert sorted(name[0] for name in started(lanes, 4, agencies=2)) == ["a", "a", "b", "b"]
