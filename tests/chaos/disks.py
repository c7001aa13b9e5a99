"""A small disk of a case's own."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest


class SmallDisk:
    """A file system in memory, mounted at `folder`."""

    def __init__(self, folder: Path, megabytes: int = 16) -> None:
        self.folder, self.ballast = folder, folder / "ballast"
        folder.mkdir(parents=True, exist_ok=True)
        command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0755", "chaos", str(folder)]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("no file system can be mounted here: run the tests as root")

    def fill(self, leave: int = 0) -> None:
        """Leave so many bytes free."""
        with self.ballast.open("ab", buffering=0) as ballast:
            while True:
                status = os.statvfs(self.folder)
                room = status.f_bavail * status.f_frsize - leave
                if room <= 0:
                    return
                try:
                    ballast.write(b"\0" * min(room, 1 << 20))
                except OSError:
                    return

    def empty(self) -> None:
        self.ballast.unlink(missing_ok=True)

    def read_only(self, on: bool) -> bool:
        """Remount it. False while a file is open for writing, which the kernel does not allow."""
        return not self._mount(f"remount,{'ro' if on else 'rw'}")

    def _mount(self, how: str) -> int:
        command = ["mount", "-o", how, str(self.folder)]
        return subprocess.run(command, capture_output=True, check=False).returncode

    def close(self) -> None:
        subprocess.run(["umount", "-l", str(self.folder)], capture_output=True, check=False)
