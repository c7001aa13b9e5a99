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

Written by `make bench`, never by hand; [docs/performance.md](../docs/performance.md) explains the figures.
*Ours* is the median of the runs, and *spread* their minimum and maximum. *Compared with* names the other
side of a comparison; it alternated with ours in the same run. *Wanted* is the bound on the ratio, or on our figure if
there is no comparison.
"""
ONLY_TRIED = """
**This was a quick or partial run to see that the benchmarks work. Its figures mean nothing.**
"""
PACKAGES = ("granian", "flask", "sqlalchemy", "psycopg", "svix", "simple-salesforce", "hubspot-api-client", "gunicorn")


def parts(modules: Path | None) -> dict[str, Callable[[], Sequence[Figure]]]:
    """List every benchmark by name, sized to take twenty minutes in all on two cores."""
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
    """List the same benchmarks, just large enough to see that they run."""
    return {
        "acknowledge": partial(acknowledge.figures, 0.5, 1, 3000, modules, (acknowledge.CROWD,)),
        "mapping": partial(mapping.figures, 3, modules),
        "drain": partial(drain.figures, 300, {0.0: 1}),
        "latency": partial(latency.figures, 3, 1.0, 1),
        "growth": partial(growth.figures, {"SQLite": (1000, 2000), "PostgreSQL": (1000, 2000)}, 1),
        "scaling": partial(scaling.figures, 50, 1, (1, 2)),
    }


def measured(name: str, measure: Callable[[], Sequence[Figure]]) -> Sequence[Figure | Failed]:
    """Run a benchmark in its own process, so that it neither slows nor stops the next."""
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
    """Describe the machine and the versions of the packages."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    commit = _output("git", "-C", str(HERE), "describe", "--always", "--dirty")
    lines = [
        f"- {datetime.now(UTC):%Y-%m-%d}, commit {commit}",
        f"- {platform.system()}, {platform.machine()}, {os.cpu_count()} cores, {memory:.0f} GiB",
        f"- Python {platform.python_version()}; " + ", ".join(f"{name} {version(name)}" for name in PACKAGES),
    ]
    if modules:
        lines.append(f"- Node {_output('node', '--version')}; {_peers(modules)}")
    return "\n".join(lines)


def _peers(modules: Path) -> str:
    wanted = json.loads((HERE / "peers/package.json").read_text("utf-8"))["dependencies"]
    versions = {name: json.loads((modules / name / "package.json").read_text("utf-8"))["version"] for name in wanted}
    return ", ".join(f"{name} {number}" for name, number in versions.items())


def _output(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def options() -> argparse.Namespace:
    """Read the command line."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--quick", action="store_true", help="small sizes, to see that everything runs")
    arguments.add_argument("--only", nargs="+", metavar="NAME", choices=list(parts(None)), help="only these benchmarks")
    arguments.add_argument("--node-modules", type=Path, help="where peers/package.json is installed")
    arguments.add_argument("--output", type=Path, help="default: RESULTS.md, or none with --quick or --only")
    return arguments.parse_args()


def main() -> None:
    """Run, print, write."""
    chosen = options()
    folder = chosen.node_modules
    modules = folder if folder and folder.is_dir() and shutil.which("node") else None
    where = machine(modules)  # before measuring, so that a missing package is reported at once
    benchmarks = (quick_parts if chosen.quick else parts)(modules)
    whole = not chosen.quick and chosen.only is None
    figures = [figure for name in chosen.only or benchmarks for figure in measured(name, benchmarks[name])]
    text = f"{ABOUT}{'' if whole else ONLY_TRIED}\n{where}\n{table(figures)}\n"
    print(text)
    report_bounds(figures)
    if output := chosen.output or (HERE / "RESULTS.md" if whole else None):
        output.write_text(text, "utf-8")


def report_bounds(figures: Sequence[Figure | Failed]) -> None:
    """Say on standard error how many bounds were missed."""
    missed = [row for figure in figures for row in rows(figure) if row[-1] == MISSED]
    print(f"{len(missed)} bounds are missed" if missed else "every bound holds", file=sys.stderr)


if __name__ == "__main__":
    main()
