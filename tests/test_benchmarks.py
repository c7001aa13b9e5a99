"""The benchmarks' own arithmetic: bounds, tables, the page that keeps what was measured, the older version's turns."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from benchmarks import results, summary
from benchmarks.drain import longest_chain
from benchmarks.figures import COLUMNS, MISSED, Beside, Failed, Figure, holds, rounded, rows, table
from benchmarks.sides import OURS, Older, Side, prepared_if_possible

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks/RESULTS.md"


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

    def test_a_ratio_to_zero_is_not_shown_and_keeps_no_bound(self) -> None:
        (row,) = cells(Figure("g", "ours", "ms", [1], [Beside("theirs", [0], "<= 2")]))
        assert (row["ours / its"], row["reached"]) == ("", MISSED)


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


class TestLimit:
    @pytest.mark.parametrize(
        ("calls", "longest"),
        [
            ([], 0),
            ([(0, 1), (1, 2), (2, 3)], 3),
            ([(0, 1), (0, 1), (0.1, 1.1)], 1),
            ([(0, 1), (0.5, 1.5), (1, 2), (1.5, 2.5)], 2),
            ([(0, 10), (0, 1), (1, 2)], 2),
        ],
    )
    def test_only_calls_that_had_to_wait_for_each_other_count(
        self, calls: list[tuple[float, float]], longest: int
    ) -> None:
        assert longest_chain(calls) == longest


class TestPage:
    MACHINE = ("- Linux, x86_64, 2 cores, 24 GiB", "- Python 3.11")
    FIRST = results.Block("2026-11-30, commit abc, 3 s", "## First\n\n| a |")
    SECOND = results.Block("2026-11-30, commit abc, 4 s", "## Second\n\n| b |")

    def test_what_was_written_is_read_again(self) -> None:
        blocks = {"drain": self.FIRST, "growth": self.SECOND}
        assert results.read(results.write(self.MACHINE, blocks, ["drain", "growth"])) == blocks

    def test_one_benchmark_replaces_its_own_figures_and_no_others(self) -> None:
        page = results.write(self.MACHINE, {"drain": self.FIRST, "growth": self.SECOND}, ["drain", "growth"])
        newer = results.Block("2026-12-01, commit def, 5 s", "## First\n\n| c |")
        again = results.write(self.MACHINE, results.read(page) | {"drain": newer}, ["drain", "growth"])
        assert "| c |" in again
        assert "| b |" in again
        assert "| a |" not in again

    def test_the_benchmarks_keep_their_order_whichever_was_measured_first(self) -> None:
        page = results.write(self.MACHINE, {"growth": self.SECOND, "drain": self.FIRST}, ["drain", "growth"])
        assert page.index("## First") < page.index("## Second")

    def test_figures_of_another_machine_are_recognized(self) -> None:
        page = results.write(self.MACHINE, {"drain": self.FIRST}, ["drain"])
        assert results.same_machine(page, self.MACHINE)
        assert not results.same_machine(page, ["- Linux, x86_64, 8 cores, 24 GiB", "- Python 3.11"])


class TestOlderVersion:
    SIDE = Side("before (abc)", "python", Path())

    def test_its_runs_are_compared_under_the_name_they_have(self) -> None:
        older = Older(self.SIDE)
        older.take(lambda _: {"rate": [10]})
        older.take(lambda _: {"rate": [30]})
        assert older.beside("rate", ">= 1.6") == [Beside("before (abc)", [10, 30], ">= 1.6")]
        assert older.beside("another") == []
        assert older.failures("g") == []

    def test_it_has_no_more_turns_after_a_failure_and_one_row_says_so(self) -> None:
        older, turns = Older(self.SIDE), []

        def fail(_: Side) -> dict[str, list[float]]:
            turns.append(1)
            raise OSError

        older.take(fail)
        older.take(fail)
        assert turns == [1]
        assert older.failures("g") == [Failed("g", "before (abc), OSError")]

    def test_without_one_ours_is_measured_alone(self) -> None:
        older = Older(None)
        older.take(lambda _: {"rate": [10]})
        assert (older.beside("rate"), older.failures("g")) == ([], [])

    def test_a_commit_that_git_does_not_have_is_left_out_in_one_line(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert prepared_if_possible("0" * 40) is None
        assert len(capsys.readouterr().err.splitlines()) == 1

    @pytest.mark.slow
    def test_a_function_is_called_in_a_process_of_its_own(self) -> None:
        assert OURS.call(longest_chain, [[0, 1], [1, 2]]) == 2


class TestResults:
    def test_the_page_was_written_by_the_benchmarks(self) -> None:
        text = RESULTS.read_text("utf-8")
        assert "Written by `make bench`" in text
        assert f"| {' | '.join(COLUMNS)} |" in text


class TestSummary:
    PAGE = table(
        [
            Figure("Draining a backlog", "salesforce at 100 ms a call", "calls per 1,000", [3]),
            Figure("Acknowledging: x", "SQLite, 32 connections", "events/s", [900], [Beside(summary.FLASK, [146])]),
        ]
    )

    def test_a_peer_s_figure_is_that_of_its_own_row(self) -> None:
        read = summary.read(self.PAGE)
        assert read.ours("Acknowledging: ", "SQLite, 32 connections, events/s") == "900"
        assert read.its("Acknowledging: ", "SQLite, 32 connections, events/s", summary.FLASK) == "146"

    def test_what_was_not_measured_is_named_so_and_a_peer_without_any_figure_has_no_row(self) -> None:
        text = summary.block(self.PAGE)
        assert summary.NONE in text
        assert "n8n" not in text

    def test_only_the_table_of_readme_is_replaced(self) -> None:
        readme = f"before\n{summary.BEGIN}\nold\n{summary.END}\nafter"
        assert summary.placed(readme, self.PAGE) == f"before\n{summary.block(self.PAGE)}\nafter"

    def test_readme_says_what_the_results_say(self) -> None:
        readme = (ROOT / "README.md").read_text("utf-8")
        assert summary.placed(readme, RESULTS.read_text("utf-8")) == readme
        assert summary.BEGIN in readme
