"""The stage on both databases, opened once and wiped between runs."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from tests.conftest import Clock
from tests.contracts.test_pipeline import house as house
from tests.promises.stage import Stage, open_stage
from tests.ready import put_tables


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Thousands of runs tell the same stories: nobody reads their log."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.reset_defaults()


@pytest.fixture
def stage(ready_address: str, clock: Clock) -> Iterator[Stage]:
    """On each database in turn."""
    with open_stage(ready_address, clock) as stage:
        yield stage


@pytest.fixture
def reference(tmp_path: Path) -> Iterator[Stage]:
    """A second world, where nothing ever goes wrong."""
    with open_stage(put_tables(f"sqlite:///{tmp_path}/reference.db"), Clock()) as stage:
        yield stage
