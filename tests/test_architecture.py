"""The shape of the house: who may import whom, how large anything may grow, and what the core may not touch."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

import pytest
from importlinter.cli import lint_imports

ROOT = Path(__file__).parent.parent
HISTORY = ROOT / "connector/store/migrations"
"""Left out of the sizes: a released migration is never edited again, not even to make it shorter."""
SOURCES = [path for path in sorted(ROOT.glob("connector/**/*.py")) if HISTORY not in path.parents]
CORE = (
    "backoff.py",
    "carecycle/api_names.py",
    "carecycle/catalogue.py",
    "carecycle/coercions.py",
    "carecycle/decode.py",
    "carecycle/kinds.py",
    "carecycle/recognise.py",
    "carecycle/remnant.py",
    "carecycle/signature.py",
    "crm.py",
    "delivery/consent.py",
    "delivery/decide.py",
    "delivery/fold.py",
    "errors.py",
    "insight/alarms.py",
    "mapping",
    "model",
    "settlement",
)
TREES = {path: ast.parse(path.read_text()) for path in SOURCES}
LINES = {path: len(path.read_text().splitlines()) for path in SOURCES}

SUPPRESSION = re.compile(r"#\s*(noqa|type:\s*ignore)(?P<codes>[\w\s:,\[\]-]*)(#\s*(?P<reason>.*))?$")
MEDIAN_MODULE = 100
OVER_TEN_FORKS = 10
OVER_FIFTEEN_FORKS = 0
LAZY = {"connector/cli/__init__.py", "connector/destinations/vendor.py"}
"""Where a command, or a vendor's package with its client library, is imported by name when it is first needed."""
PACKAGES = ("hubspot", "salesforce")
VENDORS = re.compile("|".join(PACKAGES), re.IGNORECASE)
NAMES_VENDORS = {
    "connector/destinations/__init__.py": "the registry",
    "connector/cli/demo.py": "shows what is in both sandboxes",
    "connector/cli/demo_story.py": "lets one sandbox fail, and the other refuse a value",
    "connector/cli/sandbox.py": "serves both sandboxes",
    "connector/cli/stage.py": "sets both sandboxes up for the demo",
}
"""Which modules outside a vendor's own packages may name one, and why."""
READERS = {
    "connector/mapping/example_events.py",
    "connector/mapping/extending.py",
    "connector/mapping/reference.py",
    "connector/mapping/regular.py",
    "connector/mapping/target.py",
}
"""What touches a file: a mapping, the example events, a CRM's description, all at load; and a page of the docs."""
OWN_CLOCK = {
    "connector/cli/check.py": "says whether a version of a CRM's API ends soon",
    "connector/cli/demo.py": "sample events happened lately",
    "connector/cli/doctor.py": "compares this machine's clock with others'",
    "connector/cli/send.py": "signs as careCycle does",
    "connector/cli/stage.py": "signs as careCycle does",
    "connector/cli/trial.py": "made-up events happened lately",
    "connector/destinations/salesforce/token.py": "a JWT says until when it is valid",
    "connector/receive.py": "names the times that nobody can believe; the database's clock decides what counts",
    "connector/running/clocks.py": "compares this machine's clock with others'",
    "connector/running/outages.py": "tells people when an outage of the database began and ended",
    "connector/store/processes.py": "compares this machine's clock with others'",
    "connector/telemetry/tracing.py": "spans are in the time of their machine",
    "connector/web/console.py": "sessions end by the browser's idea of time",
}
"""Who may ask what time this machine thinks it is, and why.

Everything else asks the database, whose clock all machines share, or measures with the monotonic clock.
"""
WALL_CLOCK = re.compile(
    r"^(time\.(time|time_ns|localtime|gmtime)|(datetime|date|datetime\.datetime)\.(now|utcnow|today))$"
)
FORKS = (
    *(ast.If, ast.IfExp, ast.BoolOp, ast.match_case, ast.comprehension),
    *(ast.For, ast.AsyncFor, ast.While, ast.ExceptHandler, ast.With, ast.AsyncWith),
)
CLOCKS = re.compile(
    r"^(time\.(time|monotonic|perf_counter)(_ns)?|(datetime|date)\.(now|utcnow|today)|random\.|secrets\.|os\.urandom|uuid\.)"
)


def place(path: Path, node: ast.AST) -> str:
    return f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 1)}"


def functions() -> Iterator[tuple[Path, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for path, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield path, node


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without its signature and its docstring."""
    body = function.body[1:] if ast.get_docstring(function, clean=False) is not None else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def forks(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """1, and each fork of its body: those of a function inside it count for both."""
    return 1 + sum(isinstance(node, FORKS) for statement in function.body for node in ast.walk(statement))


def imported(node: ast.AST) -> list[str]:
    match node:
        case ast.Import():
            return [name.name for name in node.names]
        case ast.ImportFrom():
            return [f"{node.module}.{name.name}" for name in node.names]
    return []


def words_of(tree: ast.Module) -> Iterator[str]:
    """Every name and every text of a module, but not its docstrings."""
    prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        match node:
            case ast.Constant(str() as text) if id(node) not in prose:
                yield text
            case ast.Name(name) | ast.Attribute(attr=name) | ast.arg(name) | ast.keyword(arg=str() as name):
                yield name
            case ast.FunctionDef(name) | ast.ClassDef(name) | ast.alias(name):
                yield name
            case ast.ImportFrom(str() as module):
                yield module


def percentile(values: Sequence[int], part: float) -> int:
    return sorted(values)[math.ceil(len(values) * part) - 1]


def core() -> list[Path]:
    places = [ROOT / "connector" / name for name in CORE]
    return [path for path in SOURCES if any(place in (path, *path.parents) for place in places)]


class TestImports:
    def test_the_contracts_of_pyproject_hold(self, capsys: pytest.CaptureFixture[str]) -> None:
        status = lint_imports(str(ROOT / "pyproject.toml"), no_cache=True)
        assert status == 0, capsys.readouterr().out

    def test_the_sandboxes_import_nothing_else_of_ours(self) -> None:
        outside = [
            f"{place(path, node)} imports {name}"
            for path, tree in TREES.items()
            if (ROOT / "connector/sandbox") in path.parents
            for node in ast.walk(tree)
            for name in imported(node)
            if name.startswith("connector.") and not name.startswith("connector.sandbox.")
        ]
        assert outside == []

    def test_no_function_imports_our_own_modules(self) -> None:
        inner = {
            f"{place(path, node)} imports {name}"
            for path, function in functions()
            for node in ast.walk(function)
            for name in imported(node)
            if name.startswith("connector.")
        }
        assert inner == set()

    def test_our_own_modules_are_imported_by_name_in_two_places_alone(self) -> None:
        assert {
            path.relative_to(ROOT).as_posix()
            for path, tree in TREES.items()
            for node in ast.walk(tree)
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "__import__"))
        } == LAZY

    def test_only_a_vendors_own_packages_and_the_registry_name_it(self) -> None:
        own = [ROOT / "connector" / place / vendor for place in ("destinations", "sandbox") for vendor in PACKAGES]
        naming = {
            path.relative_to(ROOT).as_posix()
            for path, tree in TREES.items()
            if not any(package in path.parents for package in own)
            if any(VENDORS.search(word) for word in words_of(tree))
        }
        assert naming == set(NAMES_VENDORS)

    def test_imports_name_the_module_in_full(self) -> None:
        assert [
            place(path, node)
            for path, tree in TREES.items()
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and node.level
        ] == []

    def test_a_newcomer_finds_at_most_twenty_places_at_the_top(self) -> None:
        places = [path for path in (ROOT / "connector").iterdir() if path.name not in ("__pycache__", "py.typed")]
        assert len(places) <= 20


class TestSizes:
    def test_modules_are_short(self) -> None:
        lengths = list(LINES.values())
        assert percentile(lengths, 0.9) <= 220
        assert [f"{path.relative_to(ROOT)}: {lines}" for path, lines in LINES.items() if lines > 400] == []

    def test_the_middle_module_fits_two_screens(self) -> None:
        assert median(LINES.values()) <= MEDIAN_MODULE

    def test_functions_are_sentences(self) -> None:
        lengths = [body_lines(function) for _, function in functions()]
        assert median(lengths) <= 6
        assert percentile(lengths, 0.9) <= 18

    def test_no_function_is_long(self) -> None:
        assert [
            f"{place(path, function)} {function.name}: {lines}"
            for path, function in functions()
            if (lines := body_lines(function)) > 45
        ] == []

    def test_few_functions_fork_more_than_ten_times_and_none_more_than_fifteen(self) -> None:
        counts = {f"{place(path, function)} {function.name}": forks(function) for path, function in functions()}
        over_ten = {name: count for name, count in counts.items() if count > 10}
        assert len(over_ten) <= OVER_TEN_FORKS, over_ten
        assert len([count for count in over_ten.values() if count > 15]) <= OVER_FIFTEEN_FORKS, over_ten


class TestExceptionsToTheRules:
    def suppressions(self) -> list[tuple[str, re.Match[str]]]:
        return [
            (f"{path.relative_to(ROOT)}:{number}", found)
            for path in SOURCES
            for number, line in enumerate(path.read_text().splitlines(), 1)
            if (found := SUPPRESSION.search(line))
        ]

    def test_each_says_which_rule_and_why(self) -> None:
        bare = [where for where, one in self.suppressions() if not one["codes"].strip(" :") or not one["reason"]]
        assert bare == []

    def test_there_is_at_most_one_in_a_thousand_lines(self) -> None:
        assert len(self.suppressions()) <= sum(LINES.values()) / 1000

    def test_at_most_five_excepts_are_broad_and_each_has_its_reason(self) -> None:
        broad = [
            (place(path, node), path.read_text().splitlines()[node.lineno - 1])
            for path, tree in TREES.items()
            for node in ast.walk(tree)
            if isinstance(node, ast.ExceptHandler)
            and (
                node.type is None
                or {"Exception", "BaseException"}
                & {name.id for name in ast.walk(node.type) if isinstance(name, ast.Name)}
            )
        ]
        assert len(broad) <= 5
        assert [where for where, line in broad if not re.search(r"#\s*noqa: BLE001\s+#\s*\w", line)] == []


@pytest.mark.slow
class TestChance:
    def test_no_test_says_that_a_few_digits_are_absent(self) -> None:
        """A digest, a random id or a port has any three of them once in a while: look for a whole value."""
        compared = [
            (path, node)
            for path in sorted((ROOT / "tests").rglob("*.py"))
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.NotIn)
        ]
        sought = [(path, node) for path, node in compared if isinstance(node.left, ast.Constant)]
        assert len(sought) > 100
        short = [
            place(path, node)
            for path, node in sought
            if isinstance(node.left, ast.Constant) and re.fullmatch(r"[0-9a-f]{1,6}", str(node.left.value))
        ]
        assert short == []


@pytest.mark.slow
class TestGroups:
    def test_what_is_costly_to_start_is_started_by_one_worker(self, pytester: pytest.Pytester) -> None:
        pytester.makepyfile(
            """
            import os
            import pytest

            @pytest.mark.xdist_group("costly")
            @pytest.mark.parametrize("number", range(8))
            def test_notes_who_ran_it(number):
                with open("workers", "a") as file:
                    file.write(os.environ["PYTEST_XDIST_WORKER"] + "\\n")
            """
        )
        pytester.runpytest_subprocess("-n", "2", "--dist", "loadgroup").assert_outcomes(passed=8)
        assert len(set((pytester.path / "workers").read_text().split())) == 1


class TestTheTime:
    def test_only_these_modules_ask_this_machine_for_it(self) -> None:
        sandboxes = ROOT / "connector/sandbox"  # they stand in for other machines
        assert {
            path.relative_to(ROOT).as_posix()
            for path, tree in TREES.items()
            if sandboxes not in path.parents
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute) and WALL_CLOCK.match(ast.unparse(node))
        } == set(OWN_CLOCK)


class TestTheCore:
    def test_all_of_it_is_looked_at(self) -> None:
        assert [name for name in CORE if not (ROOT / "connector" / name).exists()] == []

    def test_it_asks_no_clock_and_rolls_no_dice(self) -> None:
        asked = [
            f"{place(path, node)} {ast.unparse(node)}"
            for path in core()
            for node in ast.walk(TREES[path])
            if isinstance(node, ast.Attribute) and CLOCKS.match(ast.unparse(node))
        ]
        assert asked == []

    def test_it_reads_files_at_load_alone_and_writes_none(self) -> None:
        opened = {
            path.relative_to(ROOT).as_posix()
            for path in core()
            for node in ast.walk(TREES[path])
            if isinstance(node, ast.Call)
            and ast.unparse(node.func).rpartition(".")[2] in ("open", "read_text", "read_bytes", "write_text", "getenv")
        }
        assert opened <= READERS
