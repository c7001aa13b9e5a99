"""What a worker asks careCycle for by itself: recordings, and whether everybody is here."""

from __future__ import annotations

import secrets
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from connector.backoff import HOUR
from connector.delivery.route import Route
from connector.running.bootstrap import open_agencies
from connector.running.config import AgencyFile
from connector.running.outages import repeated
from connector.running.recordings import recordings_watched
from connector.running.source import open_source
from connector.running.source_watch import Asked, SourceWatch
from connector.source.client import CareCycle
from connector.source.exchange import Sleep
from connector.store import Store


@contextmanager
def source_asked(files: Sequence[AgencyFile], store: Store, routes: Collection[Route]) -> Iterator[None]:
    """Ask careCycle while the block runs: for recordings, and whether everybody is here. Raises FixConfiguration."""
    with recordings_watched(files, store, routes), repeated("source", source_watch(files, store), rest=60.0):
        yield


def source_watch(files: Sequence[AgencyFile], store: Store, sleep: Sleep = time.sleep) -> SourceWatch:
    """What compares regularly with careCycle. Raises FixConfiguration."""
    agencies, asked = open_agencies(files), []
    for file in files:
        settings = file.settings.carecycle
        if settings is not None and settings.compare_every:
            agency = agencies[file.settings.agency]
            asked.append(Asked(agency, partial(_open, file, store, sleep), settings.compare_every * HOUR))
    return SourceWatch(store, asked, lambda: secrets.token_hex(8))


def _open(file: AgencyFile, store: Store, sleep: Sleep) -> CareCycle:
    opened = open_source(file, store, sleep)
    assert opened is not None  # only those with an API key are asked
    return opened
