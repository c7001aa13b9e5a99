"""Run every benchmark beside the version before, print one table, write RESULTS.md as each is finished.

python -m benchmarks [--quick] [--only NAME ...] [--before COMMIT|none] [--node-modules DIR] [--output FILE]
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
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path

from benchmarks import (
    acknowledge,
    backfill,
    drain,
    fairness,
    growth,
    latency,
    mapping,
    memory,
    results,
    rival,
    scaling,
    summary,
)
from benchmarks.figures import MISSED, Failed, Figure, rows, table
from benchmarks.sides import BEFORE, ROOT, Side, prepared_if_possible

HERE = Path(__file__).parent
RESULTS, README = HERE / "RESULTS.md", ROOT / "README.md"
UNKNOWN = "unknown"
PACKAGES = ("granian", "flask", "sqlalchemy", "psycopg", "svix", "simple-salesforce", "hubspot-api-client", "gunicorn")
MODULES = {"simple-salesforce": "simple_salesforce", "hubspot-api-client": "hubspot"}
"""The modules of packages that have another name."""

Parts = dict[str, Callable[[], Sequence[Figure | Failed]]]


@dataclass(frozen=True, slots=True)
class Peers:
    """What the benchmarks are compared with. modules: Node's, or None; before: the older version, or None."""

    modules: Path | None
    before: Side | None


def parts(peers: Peers) -> Parts:
    """List every benchmark by name, sized to take little more than an hour in all on two cores."""
    return {
        "acknowledge": partial(acknowledge.figures, 3.0, 3, 20_000, peers.modules, peers.before),
        "mapping": partial(mapping.figures, 41, peers.modules, peers.before),
        "drain": partial(drain.figures, 10_000, {0.0: 3, 0.1: 3, 0.4: 1}, peers.before),
        "latency": partial(latency.figures, 100, 10.0, 5, peers.before),
        "growth": partial(
            growth.figures, {"SQLite": (1000, 100_000, 1_000_000), "PostgreSQL": (1000, 100_000, 1_000_000)}, 9
        ),
        "scaling": partial(scaling.figures, 2000, 2),
        "fairness": partial(fairness.figures, 100_000, 60),
        "memory": partial(memory.figures, (20_000, 1_000_000), 15.0),
        "backfill": partial(backfill.figures, 20_000),
        "rival": partial(rival.figures, 500, 50),
    }  # fmt: skip


def quick_parts(peers: Peers) -> Parts:
    """List the same benchmarks, just large enough to see that they run."""
    return {
        "acknowledge": partial(
            acknowledge.figures, 0.5, 1, 3000, peers.modules, peers.before, (acknowledge.CROWD,)
        ),
        "mapping": partial(mapping.figures, 3, peers.modules, peers.before),
        "drain": partial(drain.figures, 300, {0.0: 1, 0.1: 1}, peers.before),
        "latency": partial(latency.figures, 3, 1.0, 1, peers.before),
        "growth": partial(growth.figures, {"SQLite": (1000, 2000), "PostgreSQL": (1000, 2000)}, 1),
        "scaling": partial(scaling.figures, 50, 1, (1, 2)),
        "fairness": partial(fairness.figures, 3000, 3),
        "memory": partial(memory.figures, (2000, 4000), 1.0),
        "backfill": partial(backfill.figures, 400),
        **({"rival": partial(rival.figures, 100, 5)} if rival.FOLDER.is_dir() else {}),  # n8n is large to install
    }  # fmt: skip


def measured(name: str, measure: Callable[[], Sequence[Figure | Failed]]) -> tuple[Sequence[Figure | Failed], float]:
    """Run a benchmark in its own process, so that it neither slows nor stops the next; return also its seconds."""
    began = time.monotonic()
    with ProcessPoolExecutor(1, get_context("spawn")) as apart:
        running = apart.submit(measure)
        error = running.exception()
    took = time.monotonic() - began
    print(f"{name}: {took:.0f} s", file=sys.stderr, flush=True)
    if error is None:
        return running.result(), took
    traceback.print_exception(error)
    return [Failed(name, type(error).__name__)], took


def machine(peers: Peers) -> list[str]:
    """Describe the machine and the versions of the packages."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    found = [(name, version(name)) for name in PACKAGES if find_spec(MODULES.get(name, name))]
    lines = [
        f"- {platform.system()}, {platform.machine()}, {os.cpu_count()} cores, {memory:.0f} GiB",
        f"- Python {platform.python_version()}; " + ", ".join(f"{name} {number}" for name, number in found),
    ]
    if peers.modules:
        lines.append(f"- Node {_output('node', '--version')}; {_versions(peers.modules)}")
    return lines


def _versions(modules: Path) -> str:
    wanted = json.loads((HERE / "peers/package.json").read_text("utf-8"))["dependencies"]
    versions = {name: json.loads((modules / name / "package.json").read_text("utf-8"))["version"] for name in wanted}
    return ", ".join(f"{name} {number}" for name, number in versions.items())


def _output(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() or UNKNOWN


def options() -> argparse.Namespace:
    """Read the command line."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--quick", action="store_true", help="small sizes, to see that everything runs")
    names = list(parts(Peers(None, None)))
    arguments.add_argument("--only", nargs="+", metavar="NAME", choices=names, help="only these; the others stay")
    arguments.add_argument("--before", default=BEFORE, metavar="COMMIT", help="the older version; none: no older one")
    arguments.add_argument("--node-modules", type=Path, help="where peers/package.json is installed")
    arguments.add_argument("--output", type=Path, help="default: RESULTS.md, or none with --quick")
    return arguments.parse_args()


def main() -> None:
    """Run, print, and write after each benchmark."""
    chosen = options()
    folder = chosen.node_modules
    modules = folder if folder and folder.is_dir() and shutil.which("node") else None
    where = machine(Peers(modules, None))
    before = None if chosen.before == "none" else prepared_if_possible(chosen.before)
    benchmarks = (quick_parts if chosen.quick else parts)(Peers(modules, before))
    page = Page(chosen.output or (None if chosen.quick else RESULTS), where, list(benchmarks), tried=chosen.quick)
    figures: list[Figure | Failed] = []
    began = time.monotonic()
    for name in chosen.only or benchmarks:
        some, took = measured(name, benchmarks[name])
        figures += some
        page.add(name, some, took)
    print(page.text())
    print(f"all: {time.monotonic() - began:.0f} s", file=sys.stderr)
    report_bounds(figures)


class Page:
    """The results measured so far, in their file after each benchmark."""

    def __init__(self, path: Path | None, where: list[str], order: list[str], *, tried: bool) -> None:
        self._path, self._where, self._order, self._tried = path, where, order, tried
        product = [str(ROOT / name) for name in ("connector", "mappings")]
        changed = _output("git", "-C", str(ROOT), "status", "--porcelain", "--", *product)
        commit = _output("git", "-C", str(HERE), "rev-parse", "--short", "HEAD")
        self._commit = commit if changed == UNKNOWN else f"{commit} with changes"
        old = path.read_text("utf-8") if path and path.exists() and not tried else ""
        self._blocks = results.read(old) if results.same_machine(old, where) else {}

    def add(self, name: str, figures: Sequence[Figure | Failed], took: float) -> None:
        """Put a benchmark's figures where those of its last run are."""
        stamp = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, commit {self._commit}, {took:.0f} s"
        self._blocks[name] = results.Block(stamp, table(figures).strip())
        if self._path:
            self._path.write_text(self.text(), "utf-8")
        if self._path == RESULTS:
            README.write_text(summary.placed(README.read_text("utf-8"), self.text()), "utf-8")

    def text(self) -> str:
        """Return the whole page."""
        return results.write(self._where, self._blocks, self._order, tried=self._tried)


def report_bounds(figures: Sequence[Figure | Failed]) -> None:
    """Say on standard error how many bounds were missed."""
    missed = [row for figure in figures for row in rows(figure) if row[-1] == MISSED]
    print(f"{len(missed)} bounds are missed" if missed else "every bound holds", file=sys.stderr)


if __name__ == "__main__":
    main()
