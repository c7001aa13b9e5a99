"""Output that cannot be written ends a command with a status, not with a traceback."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

COMMANDS = (("--help",), ("check", "mappings/salesforce-contact.yaml"), ("completion", "bash"))


def run(arguments: tuple[str, ...], stdout: int) -> tuple[int, str]:
    command = (sys.executable, "-m", "connector", *arguments)
    done = subprocess.run(command, stdout=stdout, stderr=subprocess.PIPE, text=True, check=False)
    return done.returncode, done.stderr


@pytest.mark.parametrize("arguments", COMMANDS)
class TestOutput:
    @pytest.mark.slow
    def test_to_a_full_disk_is_said(self, arguments: tuple[str, ...]) -> None:
        full = os.open("/dev/full", os.O_WRONLY)
        assert run(arguments, full) == (1, "the output cannot be written: No space left on device\n")
        os.close(full)

    @pytest.mark.slow
    def test_that_nobody_reads_ends_quietly(self, arguments: tuple[str, ...]) -> None:
        reading, writing = os.pipe()
        os.close(reading)
        assert run(arguments, writing) == (1, "")
        os.close(writing)
