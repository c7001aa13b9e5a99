"""URLs of an org's records: <My Domain>/<id> opens a record in Lightning and in Classic."""

from __future__ import annotations

from connector.destinations.salesforce.auth import SHARED, Credentials, OpenSession
from connector.destinations.salesforce.hosts import host_of


def web_address(auth: Credentials) -> str:
    """The org's address in a browser; empty if only a shared login domain is known."""
    if isinstance(auth, OpenSession):
        return auth.instance_url
    return "" if auth.domain in SHARED else f"https://{host_of(auth.domain)}"


def record_address(auth: Credentials, object: str, crm_id: str) -> str:
    """The URL of a record's page; empty if unknown."""
    org = web_address(auth)
    return f"{org}/{crm_id}" if org and crm_id.isalnum() else ""
