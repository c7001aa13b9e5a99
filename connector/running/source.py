"""Open careCycle's API for an agency."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from functools import partial

from connector.backoff import HOUR
from connector.running.bootstrap import open_agencies
from connector.running.config import AgencyFile
from connector.running.source_watch import Asked, SourceWatch
from connector.source.client import CareCycle
from connector.source.exchange import Sleep
from connector.store import Store


def open_source(file: AgencyFile, store: Store, sleep: Sleep = time.sleep) -> CareCycle | None:
    """An agency's customers and calls, to be closed later; None where its file has no API key."""
    settings, agency = file.settings.carecycle, file.settings.agency
    if settings is None:
        return None
    return CareCycle(agency, settings, store.source_pace(agency, settings.requests_a_minute), sleep)


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
