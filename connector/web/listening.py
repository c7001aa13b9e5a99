"""Sockets that listen, each held by this program alone from the moment it is asked for."""

from __future__ import annotations

import errno
import socket
from typing import Any, Final

from granian._granian import SocketHolder
from granian.server.embed import Server

from connector.errors import FixConfiguration

BACKLOG: Final = 1024
"""Connections that wait to be taken."""

_HINT: Final = "CONNECTOR_LISTEN and CONNECTOR_ADMIN_LISTEN name other addresses"
_HINTS: Final = {
    errno.EADDRINUSE: f"another program listens there, perhaps another connector: stop it, or {_HINT}",
    errno.EACCES: f"ports below 1024 need a privilege: leave them to the reverse proxy; {_HINT}",
    errno.EADDRNOTAVAIL: f"this machine has no such address; {_HINT}",
}


def listen(address: tuple[str, int]) -> socket.socket:
    """Listen at an address, which no other program then can. Raises FixConfiguration.

    granian would share it: with SO_REUSEPORT, two connectors of one user each get a part of the requests.
    """
    host, port = address
    try:
        family, kind, protocol, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (OSError, UnicodeError):
        raise FixConfiguration(shown(address), "the connector cannot listen here: no such host", _HINT) from None
    listening = socket.socket(family, kind, protocol)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(where)
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        problem = f"the connector cannot listen here: {error.strerror}"
        raise FixConfiguration(shown(address), problem, _HINTS.get(error.errno or 0, _HINT)) from None
    return listening


def shown(address: tuple[str, int]) -> str:
    """An address as people write it."""
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class Listening(Server):
    """granian, on a socket that listens already; granian closes it."""

    def __init__(self, target: Any, listening: socket.socket, **settings: Any) -> None:
        super().__init__(target, **settings)
        self._listening = listening

    def _init_shared_socket(self) -> None:
        made: Any = SocketHolder  # of whose constructor the stubs know nothing
        self._ssp, self._shd = None, made(self._listening.detach(), False, BACKLOG)
