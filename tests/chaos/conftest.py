"""What every case takes, and the table at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.compare import Comparison
from tests.chaos.postgres import Postgres
from tests.chaos.world import World
from tests.patience import PATIENCE

HERE = Path(__file__).parent
PROPERTY = "chaos"
COLUMNS = ("fault", "database", "acknowledged", "refused", "lost", "twice", "stale", "strange", "opt-outs missing")
COLUMNS += ("receiving again", "delivering again", "idle", "most")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.slow)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """A line for each case, in the order they ended."""
    ended = [report for reports in terminalreporter.stats.values() for report in reports]
    ended = [report for report in ended if getattr(report, "when", "") == "teardown"]
    rows = [dict(value) for report in ended for name, value in report.user_properties if name == PROPERTY]
    if not rows:
        return
    lines = [COLUMNS, *(tuple(str(row.get(column, "")) for column in COLUMNS) for row in rows)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(COLUMNS))]
    terminalreporter.write_sep("=", "when the ground moves")
    for line in lines:
        cells = [
            text.ljust(width) if place < 2 else text.rjust(width)
            for place, (text, width) in enumerate(zip(line, widths, strict=True))
        ]
        terminalreporter.write_line("  ".join(cells))


class Case:
    """One case: what it starts is ended after it, and what it found goes into the table."""

    def __init__(self, folder: Path, closing: ExitStack) -> None:
        self.folder, self.closing, self.figures = folder, closing, dict[str, Any]()

    def keep(self, made: Any) -> Any:
        """Close this when the case is over."""
        self.closing.callback(made.close)
        return made

    def postgres(self, **settings: str) -> Postgres:
        """A server of the case's own, started."""
        server: Postgres = self.keep(Postgres(**settings))
        server.start()
        return server

    def world(self, database: str = "", **how: Any) -> World:
        """The product to be, on this database: a file unless an address is given."""
        folder = self.folder / f"world-{len(list(self.folder.iterdir()))}"
        folder.mkdir()
        world: World = self.keep(World(folder, database or f"sqlite:///{folder}/connector.db", **how))
        return world

    def record(self, fault: str, world: World, patience: float = PATIENCE) -> Comparison:
        """Wait for the end, keep the figures for the table, and return what differs."""
        assert world.traffic is not None
        database = world.environment["CONNECTOR_DATABASE_URL"].partition(":")[0]
        self.figures |= {"fault": fault, "database": database, "acknowledged": len(world.traffic.acknowledged)}
        differs = world.settle(patience)
        self.figures |= {
            "refused": world.traffic.not_acknowledged(),
            "lost": len(differs.lost),
            "twice": len(differs.twice),
            "stale": len(differs.stale),
            "strange": len(differs.strange),
            "opt-outs missing": len(differs.opt_outs),
            "receiving again": _seconds(world.receiving_again()),
            "delivering again": _seconds(world.delivering_again()),
        }
        return differs


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.1f} s"


@pytest.fixture
def case(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Case]:
    with ExitStack() as closing:
        case = Case(tmp_path, closing)
        yield case
        if case.figures:
            request.node.user_properties.append((PROPERTY, list(case.figures.items())))


@pytest.fixture(params=["sqlite", "postgres"])
def open_world(request: pytest.FixtureRequest, case: Case) -> Callable[..., World]:
    """Make the case's world, in turn on each database."""

    def make(**how: Any) -> World:
        return case.world(case.postgres().address if request.param == "postgres" else "", **how)

    return make
