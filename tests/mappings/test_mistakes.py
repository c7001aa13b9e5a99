"""What somebody who does not program gets wrong is put right by the message alone."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from connector.errors import FixConfiguration
from connector.mapping.diagnostics import Severity
from connector.running.bootstrap import mapping_path
from connector.running.config import read_agencies
from tests.mappings.build import SHIPPED, load
from tests.mappings.mistakes import agency_files, mapping_files
from tests.mappings.mistakes.applying import Told, readings

ROUNDS: Final = 3
"""A message may only come once another has been followed."""

Judged = tuple[Any, list[Told]]
"""What a file means (None if it is refused), and what is said of it."""


def mapping_judged(text: str) -> Judged:
    loaded = load(text, shipped=SHIPPED)
    shown = [found for found in loaded.diagnostics if found.severity is not Severity.NOTE]
    told = [Told(found.line, found.col, f"{found.message}; {found.hint}") for found in shown]
    return (loaded.written[0] if loaded.written else None), told


def agency_judged(text: str, file: Path) -> Judged:
    file.write_text(text, encoding="utf-8")
    try:
        (agency,) = read_agencies([file], agency_files.ENVIRONMENT)
        for destination in agency.settings.destinations.values():
            mapping_path(agency, destination)
    except FixConfiguration as refused:
        parts = str(refused).split(f"{file}:")
        found = [re.match(r"(\d+):(\d+): (.*)", part, re.S) for part in parts]
        return None, [Told(int(place[1]), int(place[2]), place[3]) for place in found if place]
    return agency.settings, []


def planted(whole: str, right: str, wrong: str) -> tuple[str, str]:
    """A file that is right, with these lines in it, and the same with the mistake."""
    if right not in whole:
        key = right.partition(":")[0] + ":"
        whole = "\n".join(right if line.startswith(key) else line for line in whole.split("\n"))
    assert whole.count(right) == 1, right
    return whole, whole.replace(right, wrong)


def is_put_right(whole: str, wrong: str, judge: Callable[[str], Judged]) -> bool:
    """Whether somebody gets from the wrong file to the right one by nothing but what is said of it."""
    meaning, nothing = judge(whole)
    assert (meaning is None, nothing) == (False, [])
    tried, now = {wrong}, [wrong]
    for _ in range(ROUNDS):
        following = [new for text in now for told in judge(text)[1][:2] for new in readings(text, told)]
        now = [text for text in dict.fromkeys(following) if text not in tried]
        tried |= set(now)
        if any(judge(text)[0] == meaning for text in now):
            return True
    return False


MISSED: Final[dict[str, str]] = {}
"""The mistakes whose message does not lead to the right file, and why; at most ten of the ninety."""


class TestAMistakeOfNinety:
    def test_is_of_as_many(self) -> None:
        assert len(mapping_files.MISTAKES) + len(agency_files.MISTAKES) == 90
        assert len(MISSED) <= 10

    @pytest.mark.parametrize("name", mapping_files.MISTAKES)
    def test_in_a_mapping_is_put_right_by_its_message(self, name: str) -> None:
        whole, wrong = planted(mapping_files.RIGHT, *mapping_files.MISTAKES[name])
        assert is_put_right(whole, wrong, mapping_judged) is (name not in MISSED)

    @pytest.mark.parametrize("name", agency_files.MISTAKES)
    def test_in_an_agency_file_is_put_right_by_its_message(self, name: str, tmp_path: Path) -> None:
        whole, wrong = planted(agency_files.RIGHT, *agency_files.MISTAKES[name])
        file = tmp_path / "agency.yaml"
        assert is_put_right(whole, wrong, lambda text: agency_judged(text, file)) is (name not in MISSED)
