"""Which addresses anything is sent to: never link-local ones, and by plain HTTP only ones of this machine.

A cloud hands out its machines' own credentials at 169.254.169.254. A name may lead there, and lead somewhere else when
it is looked up again: so addresses are judged when the configuration is read, before each connection, and after it.
"""

from __future__ import annotations

import socket
import unicodedata
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final

from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

INSECURE: Final = "On a network that is yours alone, write  insecure: true  beside it"
NOT_ENCRYPTED: Final = (
    "must begin with https://: by plain HTTP, anybody on the way to another machine can read what is sent. " + INSECURE
)
LINK_LOCAL: Final = "leads to a link-local address such as a cloud's 169.254.169.254: nothing is ever sent there"
_NO_ADDRESS: Final = "is not an address that a request can be sent to"

_METADATA: Final = frozenset(
    ip_address(text) for text in ("fd00:ec2::254", "fd20:ce::254", "100.100.100.200", "168.63.129.16", "192.0.0.192")
)
"""Where clouds hand out credentials as well: Amazon's and Google's over IPv6, Alibaba's, Azure's, Oracle's earlier."""
_TRANSLATED: Final = [IPv6Network(text) for text in ("64:ff9b::/96", "64:ff9b:1::/48", "::ffff:0:0:0/96")]
"""IPv6 addresses that end in an IPv4 one, to which they are translated: RFC 6052, 8215 and 7915."""
_Address = IPv4Address | IPv6Address


class Forbidden(OSError):
    """Nothing is sent to this address."""


def is_plain(url: str) -> bool:
    """Whether it is plain HTTP."""
    return url[:5].lower() == "http:"


def is_plainly_here(url: str) -> bool:
    """Whether it is plain HTTP of this machine, as a sandbox's is.

    >>> is_plainly_here("http://127.0.0.1:8091"), is_plainly_here("http://crm-proxy:8080"), is_plainly_here("")
    (True, False, False)
    """
    try:
        return is_plain(url) and is_here(parse_url(url).host or "")
    except LocationParseError:
        return False


def refusal(url: str, *, insecure: bool) -> str:
    """Why nothing may be sent to a URL, as far as it says so itself; empty if it may.

    >>> refusal("https://api.hubapi.com", insecure=False), refusal("http://localhost:8091", insecure=False)
    ('', '')
    >>> refusal("http://2852039166/latest", insecure=True)[:32], refusal("http://proxy", insecure=False)[:24]
    ('leads to a link-local address su', 'must begin with https://')
    """
    try:
        host = parse_url(url).host or ""
    except LocationParseError:
        return _NO_ADDRESS
    if not host:
        return _NO_ADDRESS
    return of_host(host) or (NOT_ENCRYPTED if is_plain(url) and not (insecure or is_here(host)) else "")


def of_host(host: str) -> str:
    """Why nothing may be sent to a host, as far as it is an address itself; empty if it may.

    >>> of_host("169.254.169.254.") == of_host("[::ffff:a9fe:a9fe]") == of_host("0xA9FEA9FE") == LINK_LOCAL
    True
    """
    return LINK_LOCAL if any(map(_is_link_local, _written(host))) else ""


def is_here(host: str) -> bool:
    """Whether a host is this machine, by its own name.

    >>> [is_here(host) for host in ("localhost", "127.0.0.2", "[::1]", "0x7f.1", "127.0.0.1.example", "crm-proxy")]
    [True, True, True, True, False, False]
    """
    addresses = _written(host)
    return host.lower() == "localhost" or (bool(addresses) and all(map(_is_loopback, addresses)))


def check(host: str, port: int | None, *, plain: bool) -> None:
    """Look a host up, and raise Forbidden where nothing may be sent. plain: only this machine will do."""
    try:
        entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return  # connecting fails by itself, and says why
    check_addresses((str(entry[4][0]) for entry in entries), plain=plain)


def check_peer(connected: socket.socket, *, plain: bool) -> None:
    """Close a connection, and raise Forbidden, if it leads where nothing may be sent."""
    try:
        check_addresses([str(connected.getpeername()[0])], plain=plain)
    except OSError:
        connected.close()
        raise


def check_addresses(entries: Iterable[str], *, plain: bool) -> None:
    """Raise Forbidden if any of these addresses is one that nothing may be sent to."""
    addresses = [_read(text) for text in entries]
    if any(map(_is_link_local, addresses)):
        raise Forbidden(f"its name {LINK_LOCAL}")
    if plain and not all(map(_is_loopback, addresses)):
        raise Forbidden("it is another machine, to which nothing is sent unencrypted (see `insecure`)")


def _written(host: str) -> list[_Address]:
    """The addresses that a host is the written form of: also in one number, hexadecimal, octal or wide digits."""
    text = unicodedata.normalize("NFKC", host).replace("\u3002", ".").rstrip(".").strip("[]")
    try:
        entries = socket.getaddrinfo(text, None, flags=socket.AI_NUMERICHOST) if text else []
    except (OSError, UnicodeError):
        return []
    return [_read(str(entry[4][0])) for entry in entries]


def _read(text: str) -> _Address:
    """An address; the IPv4 one that it contains, if it does."""
    address = ip_address(text.partition("%")[0])
    if isinstance(address, IPv4Address):
        return address
    inside = IPv4Address(int(address) & 0xFFFFFFFF)
    if any(address in network for network in _TRANSLATED) or 1 < int(address) <= 0xFFFFFFFF:
        return inside
    teredo = address.teredo[1] if address.teredo else None
    return address.ipv4_mapped or address.sixtofour or teredo or address


def _is_link_local(address: _Address) -> bool:
    return address.is_link_local or address in _METADATA


def _is_loopback(address: _Address) -> bool:
    return address.is_loopback
