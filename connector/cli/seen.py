"""What `check -c` says of dispositions, from the calls that the connector has stored."""

from __future__ import annotations

import os
from contextlib import suppress

from connector.errors import ConnectorError
from connector.mapping import Loaded, unseen
from connector.running.config import AgencyFile, read_process
from connector.store.seen_words import peek_words


def noted(file: AgencyFile, loaded: Loaded) -> Loaded:
    """Add notes for values that no stored call has had; nothing where the database cannot be read from here."""
    if unseen.compares(loaded):
        with suppress(ConnectorError):
            address = read_process(os.environ).database_url
            return unseen.noted(loaded, peek_words(address, os.environ, file.settings.agency, unseen.FREE))
    return loaded
