"""What a process of the connector's roles has in memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

BEFORE_A_FORK = """
import gc, json, sys
from connector.cli import cli
cli(["run", "--help"], standalone_mode=False)
from connector import destinations
names = ("flask", "rich", "hubspot", "simple_salesforce")
print(json.dumps([gc.isenabled(), *(name in sys.modules for name in names)]))
settings = destinations.read_settings({"mapping": "hubspot", "auth": {"access_token": "pat-na1-1"}})
destinations.preload(settings)
print(json.dumps(["hubspot" in sys.modules, "simple_salesforce" in sys.modules]))
import rich, structlog
print(json.dumps(structlog.dev.rich is None))
"""


@pytest.fixture(scope="module")
def said() -> list[object]:
    """What a program says of its modules before it forks, and what of rich it has after."""
    told = subprocess.run([sys.executable, "-c", BEFORE_A_FORK], capture_output=True, text=True, check=True)
    return [json.loads(line) for line in told.stdout.splitlines()[-3:]]


class TestARole:
    @pytest.mark.slow
    def test_is_without_what_only_terminals_need(self, said: list[object]) -> None:
        assert (said[0], said[2]) == ([True, True, False, False, False], True)

    def test_is_forked_with_the_clients_of_its_own_crms_alone(self, said: list[object]) -> None:
        assert said[1] == [True, False]

    def test_loads_no_plugin_of_pydantic(self, tmp_path: Path) -> None:
        (tmp_path / "nosy.py").write_text("print('loaded')\nplugin = None\n")
        (package := tmp_path / "nosy-1.dist-info").mkdir()
        (package / "METADATA").write_text("Metadata-Version: 2.1\nName: nosy\nVersion: 1\n")
        (package / "entry_points.txt").write_text("[pydantic]\nnosy = nosy:plugin\n")
        command, found = [sys.executable, "-m", "connector", "run", "--help"], {"PYTHONPATH": str(tmp_path)}
        told = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, **found})
        assert "loaded" not in told.stdout
