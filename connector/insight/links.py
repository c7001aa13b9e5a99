"""Where the console shows what an alarm is about. Pure."""

from __future__ import annotations

import re


def anchor(key: str) -> str:
    """The place of an alarm's entry on the page Now.

    >>> anchor("lane paused sunrise/hubspot/0")
    'lane-paused-sunrise-hubspot-0'
    """
    return re.sub(r"[^a-z0-9]+", "-", key.lower()).strip("-")


def entry_link(console_url: str, key: str) -> str:
    """The address of an alarm's entry; empty where the console's address is not known.

    >>> entry_link("https://connector.example/", "silence events")
    'https://connector.example/console#silence-events'
    """
    return f"{console_url.rstrip('/')}/console#{anchor(key)}" if console_url else ""
