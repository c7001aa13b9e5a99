"""Whatever the file holds, an answer comes within a second and names the place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector import mapping
from connector.destinations import VENDORS
from tests.mappings.build import SHARED, load, mapping_text


@pytest.fixture(autouse=True)
def _within_seconds() -> Iterator[None]:
    """A second on an idle machine; five leave room for a busy one."""
    began = process_time()
    yield
    assert process_time() - began < 5


def codes(text: str) -> list[str]:
    return [d.code for d in load(text).diagnostics]


@pytest.mark.slow
class TestSize:
    def test_ten_megabytes_are_refused(self, tmp_path: Path) -> None:
        (tmp_path / "it.yaml").write_text("# nothing\n" * 1_000_000)
        (found,) = mapping.load(tmp_path / "it.yaml", shipped=SHARED, crms=VENDORS).diagnostics
        assert (found.code, found.line) == ("Y004", 1)

    def test_ten_thousand_tables_load(self) -> None:
        tables = "".join(f"  t{number}: {{ a: b, c: d }}\n" for number in range(10_000))
        assert load(mapping_text(top="tables:\n" + tables)).mapping is not None

    def test_ten_thousand_mistakes_are_told_up_to_a_thousand(self) -> None:
        fields = [f"F{number}: customer.fristName{number}" for number in range(10_000)]
        assert len(codes(mapping_text(*fields))) == 1000

    @pytest.mark.slow
    def test_a_long_template_loads(self) -> None:
        template = "{customer.firstName} " * 5_000
        assert load(mapping_text(f'Description: {{ template: "{template}", cut: true }}')).mapping is not None

    @pytest.mark.parametrize("char", "[]{}")
    def test_a_template_of_brackets_is_refused(self, char: str) -> None:
        assert codes(mapping_text(f'Suffix: {{ template: "{char * 100_000}", cut: true }}')) == ["M120"]

    def test_bars_outside_braces_are_plain_text(self) -> None:
        assert codes(mapping_text(f'Suffix: {{ template: "{"|" * 100_000}", cut: true }}')) == []


class TestShape:
    def test_an_anchor_bomb_is_not_followed(self) -> None:
        bomb = "".join(f"{chr(98 + i)}: &{chr(98 + i)} [{', '.join(['*' + chr(97 + i)] * 9)}]\n" for i in range(20))
        assert set(codes("a: &a [x, x]\n" + bomb)) == {"M110", "Y004"}

    @pytest.mark.parametrize(
        "text", ["a: " + "[" * 100_000, "{a: " * 100_000, "- " * 100_000, "a: " + "[" * 40 + "]" * 40]
    )
    def test_deep_nesting_is_refused(self, text: str) -> None:
        assert codes(text) == ["Y004"]

    def test_a_slip_before_deep_nesting_is_reported_as_the_slip(self) -> None:
        assert codes("a: b: c\n" + "- " * 5_000)[0] == "Y001"

    @pytest.mark.parametrize(
        "text", ["", "hello", "- a", "a:\n\t- b", "a: \0", "a: b\n--- \nc: d", "\ud800", "? [a]\n: b"]
    )
    def test_what_is_no_mapping_file_is_told_so(self, text: str) -> None:
        assert codes(text)[0] == "Y001" or "Y001" in codes(text)

    def test_a_file_in_another_encoding_is_told_the_place(self, tmp_path: Path) -> None:
        (tmp_path / "it.yaml").write_bytes("version: 1\ncrm: Zo\xeb\n".encode("latin-1"))
        (found,) = mapping.load(tmp_path / "it.yaml", shipped=SHARED, crms=VENDORS).diagnostics
        assert (found.code, found.line, found.col) == ("Y001", 2, 8)

    def test_a_missing_file_is_a_finding(self, tmp_path: Path) -> None:
        (found,) = mapping.load(tmp_path / "none.yaml", shipped=SHARED, crms=VENDORS).diagnostics
        assert found.code == "Y001"

    @pytest.mark.parametrize(
        "line",
        [
            "records: 5",
            "records: []",
            "records: {}",
            "tables: [a]",
            "consent: x",
            "filter: [a]",
            "tests: {a: b}",
            "version: 2",
        ],
    )
    def test_a_section_of_the_wrong_shape_is_told_once(self, line: str) -> None:
        name = line.partition(":")[0]
        top = mapping_text().split("records:")[0] if name == "records" else mapping_text()
        kept = "".join(part for part in top.splitlines(keepends=True) if not part.startswith(name))
        assert codes(kept + line + "\n").count("M110") == 1


class TestAnything:
    @settings(max_examples=200, deadline=None)
    @given(text=st.text(alphabet=st.sampled_from("ab:{}[]-,&*!|>'\"#%@`\n\t ~?")))
    def test_any_text_is_answered(self, text: str) -> None:
        assert load(text).diagnostics

    @pytest.mark.parametrize(
        "change", [lambda lines, at: lines[:at] + lines[at + 1 :], lambda lines, at: lines[: at + 1]]
    )
    def test_a_file_that_lost_lines_is_answered(self, change: Callable[[list[str], int], list[str]]) -> None:
        lines = (SHARED / "salesforce-contact.yaml").read_text().splitlines()
        for at in range(len(lines)):
            loaded = load("\n".join(change(lines, at)))
            assert loaded.mapping or loaded.diagnostics


class TestExtends:
    def test_a_circle_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "a.yaml").write_text("extends: b.yaml\n")
        (tmp_path / "b.yaml").write_text("extends: a.yaml\n")
        (found,) = mapping.load(tmp_path / "a.yaml", shipped=SHARED, crms=VENDORS).diagnostics
        assert (found.code, Path(found.file).name, found.col) == ("M140", "b.yaml", 10)

    @pytest.mark.parametrize("name", ["salesforce-contcat", "../shared/hubspot", "none.yaml", "x" * 5000])
    def test_a_mapping_that_does_not_exist_is_refused(self, name: str) -> None:
        assert codes(f"extends: {name}\n") == ["M140"]
