"""What is measured: this version, and an older commit from git in an environment of its own.

Both run the same measuring code, that of this version: the older commit's own benchmarks are replaced. So a measurement
may use only what both versions have. Called as a module it is the far end of `Side.call`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from io import BytesIO
from pathlib import Path
from typing import Any

from benchmarks.figures import Beside, Failed

ROOT = Path(__file__).parent.parent
BEFORE = "514692c"
"""The last commit before the work whose gain is measured."""

FAILURES = (subprocess.SubprocessError, OSError, AssertionError, ValueError, LookupError, RuntimeError)
"""What a measurement of the older version may raise."""

LEAKING = ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "VIRTUAL_ENV", "MAKEFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "MFLAGS")
"""What is for this process alone. Without the second each process would compile all it imports."""


@dataclass(frozen=True, slots=True)
class Side:
    """A version of the connector that can be run. name: '' for this version."""

    name: str
    python: str
    folder: Path

    def command(self, module: str, *arguments: str) -> list[str]:
        """Return the command of a module in this version; run it in `folder`, which decides what is imported."""
        return [self.python, "-m", module, *arguments]

    def started(self, module: str, *arguments: str, **options: Any) -> subprocess.Popen[Any]:
        """Start a module of this version. options: as for Popen; `env` is what is set besides."""
        environment = {**clean(), **options.pop("env", {})}
        return subprocess.Popen(self.command(module, *arguments), cwd=self.folder, env=environment, **options)

    def call(self, work: Callable[..., Any], *given: Any) -> Any:
        """Call a function of the benchmarks in a process of this version; arguments and result travel as JSON."""
        command = self.command("benchmarks.sides", f"{_module(work)}:{work.__qualname__}", json.dumps(given))
        done = subprocess.run(command, cwd=self.folder, env=clean(), stdout=subprocess.PIPE, text=True, check=True)
        return json.loads(done.stdout.splitlines()[-1])


OURS = Side("", sys.executable, ROOT)


class Older:
    """The older version's turns in a benchmark. After its first failure it has no more: ours must still be measured."""

    def __init__(self, side: Side | None) -> None:
        self._side, self._kind = side, ""
        self.runs: dict[str, list[float]] = {}

    def take(self, measure: Callable[[Side], Mapping[str, Sequence[float]]]) -> None:
        """Measure the older version, if there is one, and keep its runs under their names."""
        if self._side is None or self._kind:
            return
        try:
            for name, runs in measure(self._side).items():
                self.runs.setdefault(name, []).extend(runs)
        except FAILURES as error:
            traceback.print_exception(error)
            self._kind = type(error).__name__

    def beside(self, name: str, wanted: str = "") -> list[Beside]:
        """Return the comparison of a figure with what was measured under this name, if anything was."""
        runs = self.runs.get(name)
        return [Beside(self._side.name, runs, wanted)] if self._side and runs else []

    def failures(self, group: str) -> list[Failed]:
        """Return the row that says that the older version could not be measured, if so."""
        return [Failed(group, f"{self._side.name}, {self._kind}")] if self._side and self._kind else []


def clean() -> Mapping[str, str]:
    """Return the environment without what belongs to this process alone."""
    return {name: value for name, value in os.environ.items() if name not in LEAKING}


def prepared(commit: str) -> Side:
    """Take a commit out of git, install it with its own lock file, and give it this version's benchmarks.

    Raises CalledProcessError where git does not have the commit or the installation fails.
    """
    git = ["git", "-C", str(ROOT)]
    full = subprocess.run([*git, "rev-parse", "--verify", f"{commit}^{{commit}}"], capture_output=True, check=True)
    folder = Path(sys.prefix) / "before" / full.stdout.decode().strip()
    if not (folder / ".venv/installed").exists():
        files = subprocess.run([*git, "archive", commit], capture_output=True, check=True).stdout
        shutil.rmtree(folder, ignore_errors=True)
        with tarfile.open(fileobj=BytesIO(files)) as archive:
            archive.extractall(folder, filter="data")
    # Its own Makefile installs exactly what its own lock file names. It does nothing where that was done before.
    make = ["make", "--silent", "--directory", str(folder), f"PYTHON={sys.executable}", ".venv/installed"]
    subprocess.run(make, check=True, env=clean(), stdout=sys.stderr)
    shutil.rmtree(folder / "benchmarks")
    shutil.copytree(ROOT / "benchmarks", folder / "benchmarks", ignore=shutil.ignore_patterns("__pycache__", "*.md"))
    return Side(f"before ({commit})", str(folder / ".venv/bin/python"), folder)


def prepared_if_possible(commit: str) -> Side | None:
    """Return the older version, or None after saying in one line why there is none."""
    try:
        return prepared(commit)
    except (subprocess.CalledProcessError, OSError) as error:
        print(f"not compared with {commit}: {' '.join(str(error).split())}", file=sys.stderr)
        return None


def _module(work: Callable[..., Any]) -> str:
    """The module of a function, also where that module was started as a program."""
    if work.__module__ != "__main__":
        return work.__module__
    specification = sys.modules["__main__"].__spec__
    assert specification is not None
    return specification.name


def main(work: str, given: str) -> None:
    """Call a function by its name; print its result as the last line."""
    module, _, name = work.partition(":")
    print(json.dumps(getattr(import_module(module), name)(*json.loads(given))))


if __name__ == "__main__":
    main(*sys.argv[1:])
