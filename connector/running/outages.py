"""Report outages of the database from a role, whether or not it could ever be opened."""

from __future__ import annotations

import os
import socket
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from connector.backoff import SECOND
from connector.errors import StoreUnavailable
from connector.insight.outage_watch import OutageWatch
from connector.running import bootstrap
from connector.running.config import AgencyFile, Process
from connector.running.file_lock import FileLock
from connector.running.proof import Proof
from connector.running.state import open_state
from connector.store import Store
from connector.store.writer import STUCK, Writer

_TRY: Final = 10.0
"""Seconds between two tries to write, at most: damage is reported as soon."""

_FINISH: Final = 5.0
"""Seconds that a message being sent may delay the end of a role."""


@contextmanager
def repeated(name: str, task: Callable[[], None], rest: float = 1.0) -> Iterator[None]:
    """Do something about once a second, in a thread of its own, while the block runs."""
    stopping = threading.Event()

    def run() -> None:
        while not stopping.wait(rest):
            task()

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join(_FINISH)


@contextmanager
def outages_reported(process: Process, files: Sequence[AgencyFile], role: str) -> Iterator[Proof]:
    """Report outages while the block runs, and one that ends it. What can show that writing works uses the proof.

    Of the processes that share a state folder and have the same agencies, one reports.
    """
    state = open_state(process.database_url, os.environ)
    proof = Proof(time.monotonic, min(_TRY, process.outage_seconds / 6))
    agencies = [bootstrap.subscriber(file, process.console_url) for file in files]
    name = f"outage-{zlib.crc32(' '.join(sorted(own.agency for own in agencies)).encode()):08x}"
    watch = OutageWatch(
        agencies,
        state,
        FileLock(state.path(name).with_suffix(".lock")),
        name,
        f"The {role} on {socket.gethostname()}",
        proof,
        _boot(),
        time.monotonic,
        time.time,
        process.outage_seconds * SECOND,
    )
    try:
        with repeated("outages", watch):
            yield proof
    except StoreUnavailable as error:
        proof.failed(error)
        watch(ending=True)
        raise


@contextmanager
def proven(proof: Proof, attempt: Callable[[], None]) -> Iterator[None]:
    """Try to write every few seconds while the block runs. attempt: raises StoreUnavailable."""
    proof.use(attempt)
    with repeated("proof", proof):
        yield


def receiving(writer: Writer, inbox: Store, agencies: Sequence[str]) -> None:
    """Note in the database that events can be stored. Raises StoreUnavailable if they cannot."""
    if (seconds := writer.stuck_for(time.monotonic())) > STUCK:
        raise StoreUnavailable("database", f"a commit has not ended for {seconds:.0f} s")
    inbox.watches.receives(agencies)


def _boot() -> str:
    """Identify this start of the machine: monotonic times are good until the next."""
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"process {os.getpid()}"
