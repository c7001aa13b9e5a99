"""What a process of the connector's roles has in memory."""

from __future__ import annotations

import json
import subprocess
import sys

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
