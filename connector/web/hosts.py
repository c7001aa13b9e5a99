"""The names by which the admin port may be reached. A page elsewhere that lets its own name point here is refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import ip_address
from typing import Final

from flask import Response, request

from connector.errors import FixConfiguration
from connector.telemetry import console as telemetry

SETTING: Final = "CONNECTOR_ADMIN_HOSTS"
PROBES: Final = frozenset({"/livez", "/readyz"})
"""Open under any name: they say nothing that is worth it, and a probe that were refused would stop the connector."""

_NAME: Final = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*")
_HOST: Final = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9_.-]*)(:\d{1,5})?")
_REFUSED: Final = (
    f"This host name is not one of the connector's. Use its address, or set {SETTING} to the name "
    "(or CONNECTOR_CONSOLE_URL, if it is the console's).\n"
)


def read_hosts(text: str) -> frozenset[str]:
    """Read the setting: names, separated by commas. Raises FixConfiguration."""
    names = [name.strip().lower() for name in text.split(",") if name.strip()]
    for place, name in enumerate(names, 1):  # not repeated: it may be a secret in the wrong place
        if not _NAME.fullmatch(name):
            hint = "names without a port, separated by commas"
            raise FixConfiguration(SETTING, f"name {place} is no host name", hint)
    return frozenset(names)


def is_ours(host: str, names: frozenset[str]) -> bool:
    """Whether a Host header names this machine. names: those of its own.

    Nobody else can have an address, `localhost`, or a name without a dot, such as that of a container: a page that
    points its own name at this machine has to be found in the DNS, and its name has a dot.
    """
    match = _HOST.fullmatch(host.lower())
    if match is None:
        return False
    name = match[1].removesuffix(".")
    return "." not in name or name.endswith(".localhost") or name in names or _is_address(name)


def _is_address(name: str) -> bool:
    try:
        ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


def only_ours(names: frozenset[str], but: str = "") -> Callable[[], Response | None]:
    """Make what is asked before each request: an answer refuses it. but: where paths begin that judge by themselves."""

    def look() -> Response | None:
        if request.path in PROBES or (but and request.path.startswith(but)):
            return None
        if is_ours(request.environ.get("HTTP_HOST", ""), names):
            return None
        telemetry.refused("-", "wrong host", "admin port")
        return Response(_REFUSED, 421, mimetype="text/plain")

    return look
