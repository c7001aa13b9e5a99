"""Where people find a record of an org: <My Domain>/<id> leads to it in either interface."""

from __future__ import annotations

from connector.destinations.salesforce.auth import SHARED, Credentials, OpenSession


def web_address(auth: Credentials) -> str:
    """The org's address for people; empty where only the domain every org shares is known."""
    if isinstance(auth, OpenSession):
        return auth.instance_url
    return "" if auth.domain in SHARED else f"https://{auth.domain}.salesforce.com"


def record_address(auth: Credentials, object: str, crm_id: str) -> str:
    """The address of one record; empty where it is not known."""
    org = web_address(auth)
    return f"{org}/{crm_id}" if org and crm_id.isalnum() else ""
