"""The file that trial writes: nothing else is overwritten, and a trial goes on without it."""

from __future__ import annotations

import json
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from flask import Response

from connector.sandbox.hubspot import HubSpotSandbox
from tests.cli.provisioning import Opened, opening

NAME = "sunrise-crm.trial.jsonl"


@pytest.fixture
def portal(tmp_path: Path) -> Iterator[Opened]:
    yield from opening(tmp_path, HubSpotSandbox, "hubspot")


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """Let this process write no file beyond so many bytes, as if the disk were full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


class TestTheFile:
    def test_a_link_in_its_place_is_not_followed(self, portal: Opened, tmp_path: Path) -> None:
        agency, other = portal(), tmp_path / "other"
        other.write_text("precious")
        (tmp_path / NAME).symlink_to(other)
        result = agency.run("trial", "--yes")
        assert (result.exit_code, agency.sandbox.calls(), other.read_text()) == (2, [], "precious")
        assert "the report cannot be written" in result.stderr

    def test_a_pipe_in_its_place_is_not_waited_for(self, portal: Opened, tmp_path: Path) -> None:
        agency = portal()
        os.mkfifo(tmp_path / NAME)
        assert (agency.run("trial", "--yes").exit_code, agency.sandbox.calls()) == (2, [])

    @pytest.mark.slow
    def test_the_trial_goes_on_where_the_disk_is_full(self, portal: Opened) -> None:
        agency = portal()
        with files_of_at_most(2000):
            result = agency.run("trial", "--yes", "--json")
        (said,) = json.loads(result.stdout)
        assert [line["what"] for line in said["tried"] if line["result"] == "does not work"] == ["write the report"]
        assert agency.sandbox.records("contacts") == said["left"] == []

    @pytest.mark.slow
    def test_a_reply_with_half_a_character_stops_nothing(self, portal: Opened) -> None:
        agency = portal()
        odd = Response('{"category": "OTHER", "message": "no \\ud800"}', 400, content_type="application/json")
        agency.sandbox.fault("/contacts/batch/update", odd)
        (said,) = json.loads(agency.run("trial", "--yes", "--json").stdout)
        assert "itself failed" not in str(said)
        assert '"status": 400' in Path(said["report"]).read_text("utf-8")
