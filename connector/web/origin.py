"""Where the console is reached: the address it was given, the proxies in front of it, and what they say."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from flask import Request

from connector.errors import FixConfiguration
from connector.web.hosts import is_ours

URL_SETTING: Final = "CONNECTOR_CONSOLE_URL"
PROXIES_SETTING: Final = "CONNECTOR_CONSOLE_PROXIES"
HSTS_HEADER: Final = "Strict-Transport-Security"
HSTS: Final = "max-age=31536000; includeSubDomains"
_ADDRESS: Final = re.compile(r"https://([A-Za-z0-9.-]+(?::\d{1,5})?|\[[0-9A-Fa-f:]+\](?::\d{1,5})?)/?(?:console/?)?")
Network = IPv4Network | IPv6Network
_Address = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class Origin:
    """host: of the console's https address, with its port if it has one; empty where none was given.

    proxies: those whose X-Forwarded-For is believed. names: of the admin port, beside those only it can have.
    """

    host: str = ""
    proxies: Sequence[Network] = ()
    names: frozenset[str] = frozenset()

    @property
    def secure(self) -> bool:
        """Whether browsers reach it by https alone."""
        return bool(self.host)

    def is_meant(self, request: Request) -> bool:
        """Whether a request names the console's host: another name may be anybody's who lets it point here."""
        if not self.host:
            return is_ours(request.environ.get("HTTP_HOST", ""), self.names)
        return _without_port(request.host.lower()) == _without_port(self.host)

    def is_from_here(self, request: Request) -> bool:
        """Whether a form was sent by one of our pages, as far as the browser says."""
        site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
        same_site = site in (None, "same-origin", "none")
        return same_site and (not self.host or origin in (None, f"https://{self.host}"))

    def address_of(self, request: Request) -> str:
        """The client's address: that of the connection, or what trusted proxies say of it."""
        return client_of(request.remote_addr or "", request.headers.getlist("X-Forwarded-For"), self.proxies)


def read_origin(url: str, proxies: str) -> Origin:
    """Read the settings. Raises FixConfiguration."""
    try:
        networks = [ip_network(text.strip()) for text in proxies.split(",") if text.strip()]
    except ValueError:
        hint = "addresses or networks, for example 127.0.0.1, 10.0.0.0/8"
        raise FixConfiguration(PROXIES_SETTING, "cannot be read", hint) from None
    return Origin(_host(url) if url else "", networks)


def _host(url: str) -> str:
    match = _ADDRESS.fullmatch(url)
    if match is None:
        hint = "https://connector.your-agency.example: a host name of its own, and no path but /console"
        raise FixConfiguration(URL_SETTING, "must be an https address", hint)
    return _without_port(match[1].lower())


def _without_port(host: str) -> str:
    return host.removesuffix(":443")


def _parsed(text: str) -> _Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def client_of(address: str, forwarded: Sequence[str], proxies: Sequence[Network]) -> str:
    """The client's address. address: of the connection; forwarded: what X-Forwarded-For says."""
    for named in reversed(",".join(forwarded).split(",")) if forwarded else ():
        known, before = _parsed(address), _parsed(named.strip())
        if known is None or before is None or not any(known in network for network in proxies):
            break
        address = str(before)
    return address


@lru_cache(maxsize=1024)
def neighbourhood(address: str) -> str:
    """What one client can hardly have more than one of: an IPv4 address, or an IPv6 network of 64 bits."""
    match _parsed(address):
        case IPv6Address() as known:
            return str(ip_network((known, 64), strict=False))
        case known:
            return str(known or address)
