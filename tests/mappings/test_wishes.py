"""docs/recipes.md: each wish has the mapping that fulfils it, in an account prepared for it, with a stated result."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.mappings.test_recipes import checked, problems
from tests.test_docs import ROOT, blocks

PAGE = ROOT / "docs/recipes.md"
README = ROOT / "README.md"
WISHES = [block.text for block in blocks(PAGE) if block.tag == "yaml"]


def test_there_are_forty_each_with_its_lines() -> None:
    parts = re.split(r"^### (\d+)\. .+\n", PAGE.read_text("utf-8"), flags=re.M)[1:]
    assert [int(number) for number in parts[::2]] == list(range(1, 41))
    assert [text.count("<!-- wish -->\n```yaml\n") for text in parts[1::2]] == [1] * len(WISHES)


def test_the_readme_shows_three_of_them() -> None:
    shown = [block.text for block in blocks(README) if block.purpose == "wish"]
    assert len(shown) == 3
    assert set(shown) <= set(WISHES)


@pytest.mark.parametrize("wish", WISHES, ids=range(1, len(WISHES) + 1))
def test_a_wish_is_fulfilled_as_its_tests_say(wish: str, tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text(wish, "utf-8")
    loaded = checked(own)
    assert list(problems(loaded)) == []
    assert loaded.mapping is not None
    assert loaded.mapping.tests
