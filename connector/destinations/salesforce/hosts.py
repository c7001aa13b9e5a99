"""Salesforce's own addresses: where an org logs in, for whom a JWT is meant, and which hosts a token may go to."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

_COMMERCIAL, _GOVERNMENT = ".salesforce.com", ".salesforce.mil"
# https://help.salesforce.com/s/articleView?id=xcloud.domain_name_url_format_changes.htm
_OWN: Final = re.compile(r"[a-z0-9.-]+\.(salesforce\.com|salesforce\.mil|force\.com|cloudforce\.com)")
_FOR_TRIALS: Final = re.compile(r"test\.|.*(--|\.sandbox\.|\.scratch\.)")


def host_of(domain: str) -> str:
    """The host of a login domain.

    >>> host_of("acme.my"), host_of("acme.my.salesforce.mil")
    ('acme.my.salesforce.com', 'acme.my.salesforce.mil')
    """
    return domain if domain.endswith(_GOVERNMENT) else domain + _COMMERCIAL


def audience(host: str) -> str:
    """For whom a JWT sent to this host is meant: a shared login domain, or a government org itself.

    >>> audience("acme.my.salesforce.com"), audience("acme--uat.sandbox.my.salesforce.com")
    ('https://login.salesforce.com', 'https://test.salesforce.com')
    >>> audience("acme-dev-ed.scratch.my.salesforce.com"), audience("acme.my.salesforce.mil")
    ('https://test.salesforce.com', 'https://acme.my.salesforce.mil')
    """
    if host.endswith(_GOVERNMENT):
        return f"https://{host}"
    return f"https://{'test' if _FOR_TRIALS.match(host) else 'login'}{_COMMERCIAL}"


def own_host(url: str) -> str:
    """The host of an address of Salesforce's; empty for every other, to which no credentials may go.

    >>> own_host("https://Acme.my.salesforce.com/services"), own_host("https://salesforce.com.example.org/")
    ('acme.my.salesforce.com', '')
    >>> own_host("http://acme.my.salesforce.com"), own_host("https://acme.my.salesforce.com:8443/"), own_host("https://[")
    ('', '', '')
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    host = parts.netloc.lower()
    return host if parts.scheme == "https" and _OWN.fullmatch(host) else ""
