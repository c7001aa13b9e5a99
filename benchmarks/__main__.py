"""Run every benchmark, print one table, write RESULTS.md.

python -m benchmarks [--quick] [--only NAME ...] [--node-modules DIR] [--output FILE]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path

from benchmarks import acknowledge, drain, growth, latency, mapping, scaling
from benchmarks.figures import MISSED, Failed, Figure, rows, table

HERE = Path(__file__).parent
ABOUT = """\
# Results

Written by `make bench`; nothing here is typed by hand, and [docs/performance.md](../docs/performance.md) explains it.
*Ours* is the median of the runs, the spread their least and most. What stands beside it ran in turn with ours, in the
same run. A bound in *wanted* is on the ratio, or on our own figure where nothing stands beside it.
"""
ONLY_TRIED = """
**This was a quick or partial run, to see that the benchmarks work. Its figures mean nothing.**
"""
PACKAGES = ("granian", "flask", "sqlalchemy", "psycopg", "svix", "simple-salesforce", "hubspot-api-client", "gunicorn")


def parts(modules: Path | None) -> dict[str, Callable[[], Sequence[Figure]]]:
    """Every benchmark by its name, in sizes that take twenty minutes together on two cores."""
    return {
        "acknowledge": partial(acknowledge.figures, 3.0, 3, 10_000, modules),
        "mapping": partial(mapping.figures, 41, modules),
        "drain": partial(drain.figures, 10_000, {0.0: 2, 0.1: 2, 0.4: 1}),
        "latency": partial(latency.figures, 100, 10.0, 5),
        "growth": partial(
            growth.figures, {"SQLite": (1000, 100_000, 1_000_000), "PostgreSQL": (1000, 100_000, 1_000_000)}, 9
        ),
        "scaling": partial(scaling.figures, 2000, 2),
    }  # fmt: skip


def quick_parts(modules: Path | None) -> dict[str, Callable[[], Sequence[Figure]]]:
    """The same, enough to see that all of them run."""
    return {
        "acknowledge": partial(acknowledge.figures, 0.5, 1, 3000, modules, (acknowledge.CROWD,)),
        "mapping": partial(mapping.figures, 3, modules),
        "drain": partial(drain.figures, 300, {0.0: 1}),
        "latency": partial(latency.figures, 3, 1.0, 1),
        "growth": partial(growth.figures, {"SQLite": (1000, 2000), "PostgreSQL": (1000, 2000)}, 1),
        "scaling": partial(scaling.figures, 50, 1, (1, 2)),
    }


def measured(name: str, measure: Callable[[], Sequence[Figure]]) -> Sequence[Figure | Failed]:
    """One part, in a process of its own, so that it neither slows the next nor ends it."""
    began = time.monotonic()
    with ProcessPoolExecutor(1, get_context("spawn")) as apart:
        running = apart.submit(measure)
        error = running.exception()
    print(f"{name}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    if error is None:
        return running.result()
    traceback.print_exception(error)
    return [Failed(name, type(error).__name__)]


def machine(modules: Path | None) -> str:
    """Where and with what this was measured."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    commit = _said("git", "-C", str(HERE), "describe", "--always", "--dirty")
    lines = [
        f"- {datetime.now(UTC):%Y-%m-%d}, commit {commit}",
        f"- {platform.system()}, {platform.machine()}, {os.cpu_count()} cores, {memory:.0f} GiB",
        f"- Python {platform.python_version()}; " + ", ".join(f"{name} {version(name)}" for name in PACKAGES),
    ]
    if modules:
        lines.append(f"- Node {_said('node', '--version')}; {_peers(modules)}")
    return "\n".join(lines)


def _peers(modules: Path) -> str:
    wanted = json.loads((HERE / "peers/package.json").read_text("utf-8"))["dependencies"]
    found = {name: json.loads((modules / name / "package.json").read_text("utf-8"))["version"] for name in wanted}
    return ", ".join(f"{name} {number}" for name, number in found.items())


def _said(*command: str) -> str:
    asked = subprocess.run(command, capture_output=True, text=True, check=False)
    return asked.stdout.strip() or "unknown"


def main() -> None:
    """Run, print, write."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--quick", action="store_true", help="small sizes, to see that all of it runs")
    arguments.add_argument("--only", nargs="+", metavar="NAME", choices=list(parts(None)), help="these parts alone")
    arguments.add_argument("--node-modules", type=Path, help="where peers/package.json is installed")
    arguments.add_argument("--output", type=Path, help="RESULTS.md; with --quick or --only: nothing is written")
    chosen = arguments.parse_args()
    given = chosen.node_modules
    modules = given if given and given.is_dir() and shutil.which("node") else None
    where = machine(modules)  # before anything is measured: a package that is missing is told at once
    every = (quick_parts if chosen.quick else parts)(modules)
    whole = not chosen.quick and chosen.only is None
    figures = [one for name in chosen.only or every for one in measured(name, every[name])]
    text = f"{ABOUT}{'' if whole else ONLY_TRIED}\n{where}\n{table(figures)}\n"
    print(text)
    missed = [row for one in figures for row in rows(one) if row[-1] == MISSED]
    print(f"{len(missed)} bounds are missed" if missed else "every bound holds", file=sys.stderr)
    if output := chosen.output or (HERE / "RESULTS.md" if whole else None):
        output.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
