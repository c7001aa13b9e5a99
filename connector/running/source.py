"""Open careCycle's API for an agency."""

from __future__ import annotations

import time

from connector.running.config import AgencyFile
from connector.source.client import CareCycle
from connector.source.exchange import Sleep
from connector.store import Store


def open_source(file: AgencyFile, store: Store, sleep: Sleep = time.sleep) -> CareCycle | None:
    """An agency's customers and calls, to be closed later; None where its file has no API key."""
    settings, agency = file.settings.carecycle, file.settings.agency
    if settings is None:
        return None
    return CareCycle(agency, settings, store.source_pace(agency, settings.requests_a_minute), sleep)
