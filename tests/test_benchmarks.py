"""The benchmarks' own arithmetic: when a bound holds, and how the table shows figures, comparisons and failures."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from benchmarks.figures import COLUMNS, MISSED, Beside, Failed, Figure, holds, rounded, rows, table

RESULTS = Path(__file__).parent.parent / "benchmarks/RESULTS.md"


def cells(figure: Figure | Failed) -> list[dict[str, str]]:
    return [dict(zip(COLUMNS, row, strict=True)) for row in rows(figure)]


class TestBounds:
    @pytest.mark.parametrize(
        ("value", "wanted", "verdict"),
        [
            (2.0, "<= 2.0", "yes"),
            (2.01, "<= 2.0", MISSED),
            (50, "< 50", MISSED),
            (49.9, "< 50", "yes"),
            (0.75, ">= 0.75", "yes"),
            (0.74, ">= 0.75", MISSED),
            (1000, "", ""),
        ],
    )
    def test_a_bound_is_kept_or_missed(self, value: float, wanted: str, verdict: str) -> None:
        assert holds(value, wanted) == verdict

    def test_an_unknown_sign_is_rejected(self) -> None:
        with pytest.raises(KeyError):
            holds(1, "~ 2")

    def test_a_comparison_s_bound_is_on_the_ratio_of_the_medians(self) -> None:
        (row,) = cells(Figure("g", "ours", "ms", [1, 3, 100], [Beside("theirs", [2, 2, 90], "<= 1.5")]))
        assert (row["ours"], row["its"], row["ours / its"], row["reached"]) == ("3", "2", "1.50", "yes")

    def test_a_figure_s_own_bound_has_a_row_of_its_own_before_its_comparisons(self) -> None:
        own, compared = cells(Figure("g", "ours", "ms", [60], [Beside("theirs", [30])], "< 50"))
        assert (own["compared with"], own["wanted"], own["reached"]) == ("", "< 50", MISSED)
        assert (compared["compared with"], compared["wanted"], compared["reached"]) == ("theirs", "", "")

    def test_the_ratio_to_zero_is_infinite(self) -> None:
        (row,) = cells(Figure("g", "ours", "ms", [1], [Beside("theirs", [0], "<= 2")]))
        assert (row["ours / its"], row["reached"]) == ("inf", MISSED)


class TestTable:
    def test_a_failed_benchmark_shows_the_type_of_its_error_and_misses(self) -> None:
        (row,) = cells(Failed("drain", "TimeoutError"))
        assert (row["figure"], row["reached"]) == ("failed: TimeoutError", MISSED)

    def test_a_group_is_a_section_and_a_figure_is_named_once(self) -> None:
        figure = Figure("first", "a", "ms", [1], [Beside("x", [1]), Beside("y", [2])])
        text = table([figure, Failed("second", "OSError"), Figure("first", "b", "ms", [1])])
        assert re.findall(r"^## (.+)$", text, re.M) == ["first", "second"]
        assert text.count("| a, ms |") == 1
        assert text.index("| b, ms |") < text.index("## second")

    def test_every_line_has_every_column(self) -> None:
        text = table([Figure("g", "a", "ms", [1, 2], [Beside("x", [1])], "< 3"), Failed("g", "OSError")])
        lines = [line for line in text.splitlines() if line.startswith("|")]
        assert {line.count("|") for line in lines} == {len(COLUMNS) + 1}

    def test_one_run_has_no_spread(self) -> None:
        assert [cells(Figure("g", "a", "ms", runs))[0]["spread"] for runs in ([1], [1, 2])] == ["", "1 to 2"]

    @pytest.mark.parametrize(
        ("value", "written"), [(1234.5, "1,234"), (12.345, "12.35"), (0.012345, "0.0123"), (0, "0"), (7.0, "7")]
    )
    def test_a_number_has_three_significant_digits(self, value: float, written: str) -> None:
        assert rounded(value) == written


class TestResults:
    def test_the_page_was_written_by_the_benchmarks(self) -> None:
        text = RESULTS.read_text("utf-8")
        assert "Written by `make bench`" in text
        assert f"| {' | '.join(COLUMNS)} |" in text
