"""The CRMs. A new one is a package whose `account` has `connect`, CREDENTIALS and ADDRESS, and a line here."""

from __future__ import annotations

import importlib
from typing import Any, Final, cast

from pydantic import BaseModel

from connector.destinations.base import CallLog, Destination
from connector.errors import FixConfiguration

_ACCOUNTS: Final = {
    "salesforce": "connector.destinations.salesforce.account",
    "hubspot": "connector.destinations.hubspot.account",
}


def connect(
    crm: str,
    auth: BaseModel,
    *,
    endpoint: str | None,
    api_version: str | None,
    on_call: CallLog,
    options: BaseModel | None = None,
) -> Destination:
    """One CRM account, not yet spoken to. Its client library is imported here, by the role that needs it.

    options: this CRM's own settings, where it has any.

    Raises FixConfiguration when the credentials are another CRM's.
    """
    module = _account(crm)
    if not isinstance(auth, module.CREDENTIALS):
        raise FixConfiguration(f"{crm} credentials", f"the mapping is for {crm}, but auth: is another CRM's")
    own = {} if options is None else {"options": options}
    connected = module.connect(auth, endpoint=endpoint, api_version=api_version, on_call=on_call, **own)
    return cast(Destination, connected)


def address(crm: str) -> str:
    """Where everybody reaches this CRM: scheme://host."""
    return str(_account(crm).ADDRESS)


def _account(crm: str) -> Any:
    return importlib.import_module(_ACCOUNTS[crm])
